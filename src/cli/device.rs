//! Where to compute.

use menagerie_core::burn::tensor::Device;

/// Where to compute.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DeviceArg {
    /// `cpu`, or `cuda` or `cuda:N` in a program built with the feature `cuda`.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = parse)]
    pub device: Device,
}

pub(super) fn parse(text: &str) -> Result<Device, String> {
    let (kind, index) = text.split_once(':').unwrap_or((text, "0"));
    let index: Option<usize> = index.parse().ok();
    match (kind, index) {
        ("cpu", _) if text == "cpu" => Ok(Device::flex()),
        ("cuda", Some(index)) => cuda(index),
        _ => Err("it is `cpu`, `cuda` or `cuda:N`".to_owned()),
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device, String> {
    Ok(Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<Device, String> {
    Err("this program was built without CUDA; build it with `cargo build --release --features cuda`".to_owned())
}
