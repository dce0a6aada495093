//! Pixels of no image in particular.

/// So many numbers about 0, always the same.
pub fn noise(count: usize) -> Vec<f32> {
    let steps = (0..count).map(|n| n * 7919 % 1009);
    steps.map(|step| step as f32 / 252.0 - 2.0).collect()
}
