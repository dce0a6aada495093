//! Products in f32 and bf16 against f64, at every level of this processor.

mod common;

use common::{check_roundings, numbers, reference, rounded, seeded, sizes, transpose, wide};
use menagerie_kernels::{Format, Level, Matrix, Packed, bf16, f16, product_at};
use rand::RngExt;

#[test]
fn a_packed_weight_multiplies_within_the_roundings_of_its_sums() {
    let mut rng = seeded(1);
    for (rows, inputs, outputs) in sizes(&mut rng) {
        let (x, w) = (
            numbers(&mut rng, rows * inputs),
            numbers(&mut rng, outputs * inputs),
        );
        let whole = reference(&wide(&x), &wide(&w), inputs);
        let narrow = reference(&rounded(&x), &rounded(&w), inputs);
        for (format, wanted) in [(Format::F32, &whole), (Format::Bf16, &narrow)] {
            let packed = Packed::quantise(format, Matrix::new(&w, outputs, inputs)).unwrap();
            for level in Level::available() {
                let mut y = vec![f32::NAN; rows * outputs];
                packed.multiply_at(level, &x, &mut y);
                let what = format!("{format} {level} {rows}×{inputs}×{outputs}");
                check_roundings(&y, wanted, inputs, &what);
            }
        }
    }
}

#[test]
fn two_matrices_multiply_however_each_lies_in_memory() {
    let mut rng = seeded(2);
    for (m, k, n) in sizes(&mut rng) {
        let (a, b) = (numbers(&mut rng, m * k), numbers(&mut rng, n * k));
        let wanted = reference(&rounded(&a), &rounded(&b), k);
        let (a_columns, b_columns) = (transpose(&a, m, k), transpose(&b, n, k));
        let a_ways = [
            Matrix::new(&a, m, k),
            Matrix::new(&a_columns, k, m).transposed(),
        ];
        let b_ways = [
            Matrix::new(&b, n, k).transposed(),
            Matrix::new(&b_columns, k, n),
        ];
        for level in Level::available() {
            for (i, a) in a_ways.into_iter().enumerate() {
                for (j, b) in b_ways.into_iter().enumerate() {
                    let c = product_at(level, a, b);
                    check_roundings(&c, &wanted, k, &format!("{level} {m}×{k}×{n}, {i} {j}"));
                }
            }
        }
    }
}

#[test]
fn weights_are_rounded_to_even_wherever_they_come_from() {
    let mut rng = seeded(3);
    let (outputs, inputs) = (37, 45);
    let mut w = numbers(&mut rng, outputs * inputs);
    // Halfway between two bf16, subnormal, the largest, zero of either sign.
    for (place, bits) in [
        0x3f80_8000,
        0x3f81_8000,
        0x0000_7fff,
        0x7f7f_ffff,
        0,
        0x8000_0000,
    ]
    .into_iter()
    .enumerate()
    {
        w[place * 31] = f32::from_bits(bits);
    }
    let narrow: Vec<bf16> = w.iter().map(|value| bf16::from_f32(*value)).collect();
    let bytes: Vec<u8> = narrow
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let wanted: Vec<u32> = narrow
        .iter()
        .map(|value| value.to_f32().to_bits())
        .collect();
    let columns = transpose(&w, outputs, inputs);
    for packed in [
        Packed::quantise(Format::Bf16, Matrix::new(&w, outputs, inputs)),
        Packed::quantise(
            Format::Bf16,
            Matrix::new(&columns, inputs, outputs).transposed(),
        ),
        Packed::quantise(Format::Bf16, Matrix::new(&narrow, outputs, inputs)),
        Packed::from_blocks(Format::Bf16, outputs, inputs, &bytes),
    ] {
        let packed = packed.unwrap();
        let found: Vec<u32> = packed
            .dequantise()
            .iter()
            .map(|value| value.to_bits())
            .collect();
        assert_eq!(found, wanted);
        // 48 outputs, 46 inputs.
        assert_eq!(packed.bytes(), 48 * 46 * 2);
    }
}

#[test]
fn weights_in_f32_keep_their_bits_wherever_they_come_from() {
    let mut rng = seeded(5);
    let (outputs, inputs) = (37, 145);
    let w = numbers(&mut rng, outputs * inputs);
    let bytes: Vec<u8> = w.iter().flat_map(|value| value.to_le_bytes()).collect();
    let columns = transpose(&w, outputs, inputs);
    for packed in [
        Packed::quantise(Format::F32, Matrix::new(&w, outputs, inputs)),
        Packed::quantise(
            Format::F32,
            Matrix::new(&columns, inputs, outputs).transposed(),
        ),
        Packed::from_blocks(Format::F32, outputs, inputs, &bytes),
    ] {
        let packed = packed.unwrap();
        common::check_bits(&packed.dequantise(), &w, "f32");
        // 48 outputs.
        assert_eq!(packed.bytes(), 48 * inputs * 4);
    }
}

#[test]
fn activations_may_be_f32_bf16_or_f16() {
    let mut rng = seeded(4);
    let (rows, inputs, outputs) = (9, 77, 50);
    let w = numbers(&mut rng, outputs * inputs);
    // Eight bits of fraction, small enough for all three.
    let x: Vec<f32> = (0..rows * inputs)
        .map(|_| f32::from(rng.random_range(-128_i16..128)) / 16.0)
        .collect();
    let narrow: Vec<bf16> = x.iter().map(|x| bf16::from_f32(*x)).collect();
    let half: Vec<f16> = x.iter().map(|x| f16::from_f32(*x)).collect();
    for format in [Format::F32, Format::Bf16, Format::Q8, Format::Q4] {
        let packed = Packed::quantise(format, Matrix::new(&w, outputs, inputs)).unwrap();
        let [mut y, mut from_narrow, mut from_half] = [(); 3].map(|()| vec![0.0; rows * outputs]);
        packed.multiply(&x, &mut y);
        packed.multiply(&narrow, &mut from_narrow);
        packed.multiply(&half, &mut from_half);
        common::check_bits(&from_narrow, &y, "bf16");
        common::check_bits(&from_half, &y, "f16");
    }
}
