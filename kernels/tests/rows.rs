//! What comes out of a packed weight again: rows, and the blocks of a file.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{bytes, check_bits, numbers, seeded};
use menagerie_kernels::{Format, Matrix, PackError, Packed, bf16};

/// Formats, numbers of a block and its bytes.
const BLOCKS: [(Format, usize, usize); 6] = [
    (Format::F32, 1, 4),
    (Format::Bf16, 1, 2),
    (Format::Q8, 32, 34),
    (Format::Q4, 32, 18),
    (Format::Q4K, 256, 144),
    (Format::Q6K, 256, 210),
];

#[test]
fn blocks_come_out_as_they_went_in() {
    let mut rng = seeded(31);
    for (format, block, size) in BLOCKS {
        for (outputs, blocks) in [(1, 1), (16, 2), (37, 3), (130, 5)] {
            let mut before = bytes(&mut rng, outputs * blocks * size);
            if block == 1 {
                // Finite: a NaN need not keep its bits.
                for byte in before.iter_mut().skip(1).step_by(2) {
                    *byte &= 0xbf;
                }
            }
            let packed = Packed::from_blocks(format, outputs, blocks * block, &before).unwrap();
            assert!(packed.to_blocks().unwrap() == before, "{format} {outputs}");
        }
        let none = Packed::from_blocks(format, 0, block, &[]).unwrap();
        assert_eq!(none.to_blocks().unwrap(), []);
    }
    let odd = Packed::quantise(Format::Q8, Matrix::new(&[1.0_f32; 66], 2, 33)).unwrap();
    assert!(matches!(
        odd.to_blocks(),
        Err(PackError::Columns { inputs: 33, .. })
    ));
}

#[test]
fn rows_are_those_of_the_whole() {
    let mut rng = seeded(32);
    for (format, block, size) in BLOCKS {
        let (outputs, inputs) = (83, 3 * block);
        let blocks = bytes(&mut rng, outputs * 3 * size);
        let packed = Packed::from_blocks(format, outputs, inputs, &blocks).unwrap();
        let whole = packed.dequantise();
        // Enough for several threads.
        let wanted: Vec<usize> = (0..5000).map(|at| at * 7919 % outputs).collect();
        let mut rows = vec![f32::NAN; wanted.len() * inputs];
        packed.rows(&wanted, &mut rows);
        for (output, row) in wanted.iter().zip(rows.chunks(inputs)) {
            check_bits(row, &whole[output * inputs..][..inputs], "rows");
        }
        let mut row = vec![f32::NAN; inputs];
        packed.row(outputs - 1, &mut row);
        check_bits(&row, &whole[(outputs - 1) * inputs..], "row");
    }
}

#[test]
fn weights_of_a_file_are_packed_from_its_bytes() {
    let mut rng = seeded(33);
    for (outputs, inputs) in [(1, 1), (19, 127), (35, 129), (70, 1001)] {
        let weights: Vec<bf16> = numbers(&mut rng, outputs * inputs)
            .into_iter()
            .map(bf16::from_f32)
            .collect();
        let file: Vec<u8> = weights.iter().flat_map(|x| x.to_ne_bytes()).collect();
        for format in [Format::F32, Format::Bf16, Format::Q8, Format::Q4] {
            let wanted = Packed::quantise(format, Matrix::new(&weights, outputs, inputs)).unwrap();
            let taken = AtomicUsize::new(0);
            let read = |output: usize, out: &mut [u8]| {
                assert!(out.len() <= 16 * inputs * size_of::<bf16>(), "more at once");
                taken.fetch_add(out.len(), Ordering::Relaxed);
                out.copy_from_slice(&file[2 * output * inputs..][..out.len()]);
            };
            let found = Packed::quantise_read::<bf16>(format, outputs, inputs, read).unwrap();
            let what = format!("{format} {outputs} {inputs}");
            check_bits(&found.dequantise(), &wanted.dequantise(), &what);
            assert_eq!(
                taken.into_inner(),
                file.len(),
                "{what}: each byte is read once"
            );
        }
    }
}
