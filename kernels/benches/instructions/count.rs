//! Counting: this program runs itself under valgrind.

use std::fmt;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::{env, fs, process};

use crate::cases;

/// The argument of the run under valgrind.
pub const INSIDE: &str = "inside-valgrind";

/// A line of the table.
pub struct Count {
    pub name: String,
    /// For a thousand multiply-adds, or numbers.
    pub instructions: f64,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.1}  {}", self.instructions, self.name)
    }
}

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (number, name) = line.trim().split_once("  ").ok_or("not `NUMBER  NAME`")?;
        Ok(Self {
            name: name.to_owned(),
            instructions: number.parse().map_err(|_| "no number")?,
        })
    }
}

/// Counts all cases.
pub fn all() -> Result<Vec<Count>, String> {
    if !cases::LEVEL.is_available() {
        return Err(format!("this processor has no {}", cases::LEVEL));
    }
    let out = env::temp_dir().join(format!("menagerie-instructions-{}", process::id()));
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let run = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .args([
            "--toggle-collect=menagerie_counted",
            "--dump-before=menagerie_counted",
        ])
        .arg("--combine-dumps=yes")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .arg(INSIDE)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let dumps = fs::read_to_string(&out);
    // Nothing is left of a run that failed either.
    let _ = fs::remove_file(&out);
    if !run.status.success() {
        return Err(format!("under valgrind: {}", run.status));
    }
    let dumps = dumps.map_err(|error| format!("{}: {error}", out.display()))?;
    // A dump before each case, the first of nothing, and one at the end.
    let sums = dumps
        .lines()
        .filter_map(|line| line.strip_prefix("summary: "));
    let sums: Vec<f64> = sums.map_while(|sum| sum.parse().ok()).collect();
    let cases = String::from_utf8_lossy(&run.stdout);
    let cases: Vec<_> = cases
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    if cases.is_empty() || sums.len() != cases.len() + 1 {
        return Err(format!("{} cases and {} counts", cases.len(), sums.len()));
    }
    let counts = cases.iter().zip(&sums[1..]).map(|((work, name), sum)| {
        let work: f64 = work.parse().map_err(|_| format!("no number: {work}"))?;
        Ok(Count {
            name: (*name).to_owned(),
            instructions: 1e3 * sum / work,
        })
    });
    counts.collect()
}

/// What runs under valgrind: each case once to make the memory that its thread keeps, and once counted.
pub fn inside() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build();
    pool.expect("the first pool of this thread").install(|| {
        cases::each(&mut |name, work, call| {
            call();
            menagerie_counted(call);
            println!("{work} {name}");
        });
    });
}

/// Valgrind knows it by this name, whatever the compiler would make of it.
// SAFETY: nothing else that is linked has the name, or the linker would refuse.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
#[inline(never)]
#[allow(clippy::no_mangle_with_rust_abi)]
fn menagerie_counted(work: &mut dyn FnMut()) {
    work();
    // Else the call would be a jump, after which there is no return to see.
    black_box(work);
}
