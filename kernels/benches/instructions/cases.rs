//! What is counted.

use menagerie_kernels::{
    Activation, Attention, Format, Function, Heads, Level, Matrix, Norm, Packed, Products, Rotary,
    Seen, bf16, product_at,
};

pub const LEVEL: Level = Level::Avx2;
const OUTPUTS: usize = 256;
const INPUTS: usize = 1024;

/// Takes a case: its name, its multiply-adds (or, where none are to speak of, its numbers), and the work.
type Count<'a> = dyn FnMut(&str, usize, &mut dyn FnMut()) + 'a;

/// Hands out each case.
pub fn each(count: &mut Count) {
    products(count);
    attention(count);
    rows(count);
}

fn products(count: &mut Count) {
    for format in [
        Format::F32,
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
    let mut dw = Vec::new();
    count(
        &format!("gradient, {width} × {tokens} × {width}"),
        width * tokens * width,
        &mut || {
            let dy = Matrix::new(&dy, tokens, width).transposed();
            dw = product_at(LEVEL, dy, Matrix::new(&x, tokens, width));
        },
    );
}

/// A prompt of which each token sees those before it, and a token more with a cache in bf16.
fn attention(count: &mut Count) {
    const HEADS: usize = 2;
    const WIDTH: usize = 64;
    let attention = |seen| Attention {
        scale: 0.125,
        cap: None,
        seen,
        products: Products::F32,
    };
    let tokens = 192;
    let values = numbers(HEADS * tokens * WIDTH);
    let heads = Heads::by_token(&values, [1, HEADS, tokens, WIDTH]);
    let mut out = vec![0.0; values.len()];
    let spans: Vec<_> = (1..=u32::try_from(tokens).expect("few"))
        .map(|end| 0..end)
        .collect();
    let causal = attention(Seen::Spans {
        spans: &spans,
        segments: None,
    });
    count(
        &format!("attention, {tokens} tokens"),
        HEADS * tokens * (tokens + 1) * WIDTH,
        &mut || causal.forward_at(LEVEL, heads, heads, heads, &mut out, None),
    );
    let cached: Vec<bf16> = values.iter().copied().map(bf16::from_f32).collect();
    let cached = Heads::by_head(&cached, [1, HEADS, tokens, WIDTH]);
    let query = Heads::by_token(&values[..HEADS * WIDTH], [1, HEADS, 1, WIDTH]);
    let mut out = vec![0.0; HEADS * WIDTH];
    let all = attention(Seen::Everything);
    count(
        &format!("attention, 1 token to {tokens} in bf16"),
        2 * HEADS * tokens * WIDTH,
        &mut || all.forward_at(LEVEL, query, cached, cached, &mut out, None),
    );
}

/// What passes over rows once.
fn rows(count: &mut Count) {
    const ROWS: usize = 16;
    const WIDTH: usize = 1024;
    let (x, other) = (numbers(ROWS * WIDTH), numbers(ROWS * WIDTH));
    let (gamma, beta) = (numbers(WIDTH), numbers(WIDTH));
    let mut y = vec![0.0; ROWS * WIDTH];
    let rms = Norm::rms(&gamma, 1e-5).at(LEVEL);
    count("norm, root mean square", x.len(), &mut || {
        rms.forward(&x, &mut y);
    });
    let layer = Norm::layer(&gamma, &beta, 1e-5).at(LEVEL);
    count("norm, layer", x.len(), &mut || layer.forward(&x, &mut y));
    let silu = Activation::new(Function::Silu).at(LEVEL);
    count("gate of silu", x.len(), &mut || {
        silu.gate(&x, &other, &mut y);
    });
    let gelu = Activation::new(Function::QuickGelu).at(LEVEL);
    count("quick gelu", x.len(), &mut || gelu.forward(&x, &mut y));
    let rotary = Rotary::new(&x[..ROWS * 32], &other[..ROWS * 32], ROWS).at(LEVEL);
    count("rotary", x.len(), &mut || {
        rotary.turn(&x, WIDTH / 64, &mut y);
    });
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
