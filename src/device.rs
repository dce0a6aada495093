//! Where to compute, by name.

use burn::tensor::Device;

/// A name that is none of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device is called so.
    #[error("it is `cpu`, `cuda`, `cuda:N`, `vulkan` or `vulkan:N`")]
    Unknown,
    /// The program has no backend for it.
    #[error(
        "this program was built without `{0}`; build it with `cargo build --release --features {0}`"
    )]
    NotBuilt(&'static str),
}

/// The device of a name: `cpu`; with the feature `cuda` `cuda`, the first card, or `cuda:N`; with the feature
/// `vulkan` `vulkan`, the card that the driver puts first, or `vulkan:N`, the discrete card with that index.
///
/// Whether there is such a card shows with the first tensor.
///
/// # Errors
/// Another name, or a feature that is missing.
pub fn device(name: &str) -> Result<Device, DeviceError> {
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, Some(index.parse().map_err(|_| DeviceError::Unknown)?)),
        None => (name, None),
    };
    match (kind, index) {
        ("cpu", None) => Ok(Device::flex()),
        ("cuda", index) => cuda(index),
        ("vulkan", index) => vulkan(index),
        _ => Err(DeviceError::Unknown),
    }
}

#[cfg(feature = "cuda")]
#[allow(
    clippy::unnecessary_wraps,
    reason = "without the feature it is an error"
)]
fn cuda(index: Option<usize>) -> Result<Device, DeviceError> {
    Ok(Device::cuda(index.unwrap_or(0)))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: Option<usize>) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt("cuda"))
}

#[cfg(feature = "vulkan")]
#[allow(
    clippy::unnecessary_wraps,
    reason = "without the feature it is an error"
)]
fn vulkan(index: Option<usize>) -> Result<Device, DeviceError> {
    use burn::tensor::DeviceKind;
    Ok(Device::vulkan(index.map_or(
        DeviceKind::DefaultDevice,
        DeviceKind::DiscreteGpu,
    )))
}

#[cfg(not(feature = "vulkan"))]
fn vulkan(_index: Option<usize>) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt("vulkan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_almost_right_are_wrong() {
        for name in ["", "CPU", "cpu:0", "cuda:", "cuda:-1", "vulkan:x", "metal"] {
            assert_eq!(device(name).unwrap_err(), DeviceError::Unknown, "{name}");
        }
        assert_eq!(device("cpu"), Ok(Device::flex()));
    }
}
