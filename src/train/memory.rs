//! The memory of this process, where the system says it.

/// Bytes that the process holds now, and the most that it ever held.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub resident: Option<u64>,
    pub peak: Option<u64>,
}

impl Memory {
    /// Of this process: Linux tells in `/proc/self/status`, other systems are not asked.
    pub(super) fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self::parse(&status)
    }

    /// Of this machine, as Linux tells in `/proc/meminfo`.
    pub(super) fn of_machine() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        kibibytes(&text, "MemTotal:")
    }

    /// `VmRSS` and `VmHWM`, in kibibytes there (`proc_pid_status(5)`).
    fn parse(status: &str) -> Self {
        Self {
            resident: kibibytes(status, "VmRSS:"),
            peak: kibibytes(status, "VmHWM:"),
        }
    }
}

/// Bytes of the field `name`, which the kernel states in kibibytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read_and_their_lack_is_no_error() {
        let status = "Name:\tmenagerie\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let memory = Memory::parse(status);
        assert_eq!(
            (memory.resident, memory.peak),
            (Some(1 << 20), Some(2 << 20))
        );
        assert_eq!(Memory::parse(""), Memory::default());
    }
}
