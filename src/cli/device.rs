//! Where to compute.

use menagerie_core::burn::tensor::Device;

use crate::device::device;

/// Where to compute.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DeviceArg {
    /// `cpu`; `cuda` or `cuda:N` in a program built with the feature `cuda`, `vulkan` or `vulkan:N` with
    /// `vulkan`.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = device)]
    pub device: Device,
}
