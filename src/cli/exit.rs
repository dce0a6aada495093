//! Exit codes.

/// How a command ends. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// It did what was asked.
    Ok = 0,
    /// Any other failure.
    Failure = 1,
    /// A recipe or data that is wrong.
    BadInput = 3,
    /// Disk, memory, the network, or a file that is missing.
    Resource = 4,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    pub(super) const fn code(self) -> i32 {
        self as i32
    }
}

/// The end of `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0    done
  1    failed for another reason
  2    the command line is wrong
  3    the recipe or the data is wrong
  4    a resource is lacking: disk, memory, the network, a file
  130  interrupted; a training run can go on with `train --resume`";
