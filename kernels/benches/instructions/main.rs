//! Instructions that kernels take at the level of AVX2, counted by valgrind, beside those of `table.txt`: what
//! a slower kernel shows on a machine whose clock is of no use.
//!
//! ```sh
//! cargo bench -p menagerie-kernels --bench instructions
//! ```
//!
//! Ends with 1 if one of them takes over 3 % more or fewer. The loops are vector operations written by name, so
//! that compilers differ by less, and a check of bounds or a spilled register in a loop costs more. With
//! `MENAGERIE_UPDATE=1` the table is written anew. Valgrind knows no AVX-512.

mod cases;
mod count;

use std::process::ExitCode;
use std::{env, fs};

use count::Count;

const TABLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/table.txt"
);
/// How much a count may differ from the table's.
const TOLERANCE: f64 = 0.03;

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(count::INSIDE) {
        count::inside();
        return ExitCode::SUCCESS;
    }
    let counts = match count::all() {
        Ok(counts) => counts,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if env::var_os("MENAGERIE_UPDATE").is_some() {
        let lines: String = counts.iter().map(|count| format!("{count}\n")).collect();
        fs::write(TABLE, lines).expect("the table is written");
        return ExitCode::SUCCESS;
    }
    let table = fs::read_to_string(TABLE).expect("the table is read");
    let wanted: Vec<Count> = table
        .lines()
        .map(|line| line.parse().expect("a line of the table"))
        .collect();
    println!(
        "instructions for 1000 multiply-adds (or numbers, of what passes over rows), the table's, the ratio"
    );
    let mut good = wanted.len() == counts.len();
    for count in &counts {
        let wanted = wanted.iter().find(|wanted| wanted.name == count.name);
        let ratio = wanted.map(|wanted| count.instructions / wanted.instructions);
        let kept = ratio.is_some_and(|ratio| (ratio - 1.0).abs() <= TOLERANCE);
        good &= kept;
        let shown = |number: Option<f64>, digits: usize| {
            number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
        };
        println!(
            "{:>8.1} {:>8} {:>6}  {}{}",
            count.instructions,
            shown(wanted.map(|wanted| wanted.instructions), 1),
            shown(ratio, 3),
            count.name,
            if kept { "" } else { "  <- differs" }
        );
    }
    if good {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "the counts are not those of {TABLE}; if that is meant, or the compiler is a new one and the times of \
         `--bench ratios` are as before, write it anew with MENAGERIE_UPDATE=1"
    );
    ExitCode::FAILURE
}
