//! The device that a benchmark computes on.

use menagerie::burn::tensor::Device;
use menagerie::device::device;

/// Takes `--device NAME` out of the arguments. Without it, it is the CPU.
pub fn take(args: &mut Vec<String>) -> Device {
    let Some(place) = args.iter().position(|arg| arg == "--device") else {
        return Device::flex();
    };
    let option: Vec<String> = args.drain(place..(place + 2).min(args.len())).collect();
    let name = option.get(1).map_or("", String::as_str);
    device(name).unwrap_or_else(|error| panic!("--device {name}: {error}"))
}
