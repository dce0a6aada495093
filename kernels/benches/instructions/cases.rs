//! What is counted.

use menagerie_kernels::{Format, Level, Matrix, Packed, product_at};

pub const LEVEL: Level = Level::Avx2;
const OUTPUTS: usize = 256;
const INPUTS: usize = 1024;

/// Hands each case out: its name, its multiply-adds and the work.
pub fn each(count: &mut dyn FnMut(&str, usize, &mut dyn FnMut())) {
    for format in [
        Format::Bf16,
        Format::Q8,
        Format::Q4,
        Format::Q4K,
        Format::Q6K,
    ] {
        let weights = packed(format);
        for rows in [1, 32] {
            let (x, mut y) = (numbers(rows * INPUTS), vec![0.0; rows * OUTPUTS]);
            count(
                &format!("{format}, {rows} × {INPUTS} × {OUTPUTS}"),
                rows * INPUTS * OUTPUTS,
                &mut || weights.multiply_at(LEVEL, &x, &mut y),
            );
        }
    }
    let (tokens, width) = (256, 256);
    let (x, dy) = (numbers(tokens * width), numbers(tokens * width));
    let mut dw = vec![0.0; width * width];
    count(
        &format!("gradient, {width} × {tokens} × {width}"),
        width * tokens * width,
        &mut || {
            let dy = Matrix::new(&dy, tokens, width).transposed();
            product_at(LEVEL, dy, Matrix::new(&x, tokens, width), &mut dw);
        },
    );
}

fn packed(format: Format) -> Packed {
    // Blocks of what is only read hold any bytes; the count does not depend on them.
    let bytes = match format {
        Format::Q4K => 144,
        Format::Q6K => 210,
        _ => {
            let weights = numbers(OUTPUTS * INPUTS);
            return Packed::quantise(format, Matrix::new(&weights, OUTPUTS, INPUTS))
                .expect("formats that are made from floats");
        }
    };
    let blocks = vec![1; OUTPUTS * INPUTS / 256 * bytes];
    Packed::from_blocks(format, OUTPUTS, INPUTS, &blocks).expect("whole blocks")
}

/// Numbers in ±1 without a pattern that matters.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
