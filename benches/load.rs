//! What loading a model costs, in time and memory, in each type of number.
//!
//! ```sh
//! cargo bench --bench load -- FOLDER
//! ```
//!
//! FOLDER is a model's. Prints seconds beside those of reading its files once, and the peak beside what the
//! loaded parameters take. Each figure has a process of its own, and the processes take turns. The
//! files lie in the page cache. Linux only: the peak is what `/proc/self/status` says.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use menagerie::Recipe;
use menagerie::burn::module::Param;
use menagerie::burn::tensor::{Device, Tensor};
use menagerie::cli::Allocator;
use menagerie::folder::ModelPath;
use menagerie::packed::{PackedWeight, packed_weights};
use menagerie::parameters::{ParameterVisitor, visit_parameters};

/// The binary's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Reading the files, and loading in these types.
const WAYS: [&str; 5] = ["read", "f32", "bf16", "q8", "q4"];
/// Processes for each figure; the least counts.
const ROUNDS: usize = 5;

/// Seconds, processor seconds, peak and parameters in MiB.
type Cost = [f64; 4];

fn main() {
    // cargo adds `--bench`.
    let args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let args: Vec<String> = args.collect();
    match args.as_slice() {
        [folder] => table(folder),
        [folder, way] => {
            let cost = match way.as_str() {
                "read" => read(Path::new(folder)),
                dtype => load(Path::new(folder), dtype),
            };
            println!("{}", cost.map(|figure| figure.to_string()).join(" "));
        }
        _ => eprintln!("load FOLDER"),
    }
}

fn table(folder: &str) {
    let mut costs = [[f64::INFINITY; 4]; WAYS.len()];
    for _ in 0..ROUNDS {
        for (way, cost) in WAYS.iter().zip(&mut costs) {
            let round = apart(folder, way);
            *cost = std::array::from_fn(|figure| cost[figure].min(round[figure]));
        }
    }
    println!("| | seconds | of reading | processor seconds | parameters, MiB | peak, of these |");
    println!("|{}", " --- |".repeat(6));
    for (way, [seconds, processor, peak, parameters]) in WAYS.iter().zip(costs) {
        println!(
            "| {way} | {seconds:.2} | {:.2} | {processor:.2} | {parameters:.0} | {:.2} |",
            seconds / costs[0][0],
            peak / parameters
        );
    }
}

/// One figure, in a process of its own.
fn apart(folder: &str, way: &str) -> Cost {
    let program = std::env::current_exe().expect("a program");
    let output = Command::new(program).args([folder, way]).output();
    let output = output.expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).expect("text");
    let figures = text
        .split_whitespace()
        .map(|word| word.parse().expect("a number"));
    let figures: Vec<f64> = figures.collect();
    figures.try_into().expect("a number for each figure")
}

/// All files of weights from begin to end, a buffer at a time: what `cat FILE >/dev/null` does.
fn read(folder: &Path) -> Cost {
    let files = fs::read_dir(folder).expect("a folder");
    let files = files.map(|entry| entry.expect("an entry").path());
    let is_weights = |file: &PathBuf| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("safetensors" | "bin" | "gguf" | "bpk"))
    };
    let mut buffer = vec![0; 1 << 20];
    let begun = Instant::now();
    for file in files.filter(is_weights) {
        let mut file = File::open(file).expect("a file");
        while file.read(&mut buffer).expect("read") > 0 {}
    }
    [
        begun.elapsed().as_secs_f64(),
        processor(),
        f64::NAN,
        f64::NAN,
    ]
}

fn load(folder: &Path, dtype: &str) -> Cost {
    let model = ModelPath {
        path: folder.to_owned(),
        ..ModelPath::default()
    };
    let sets = [format!("dtype = '{dtype}'")];
    let begun = Instant::now();
    let recipe = Recipe::of_folder(&model, &sets).unwrap_or_else(|error| panic!("{error}"));
    let model = recipe.assemble(&Device::flex());
    let model = model.unwrap_or_else(|error| panic!("{error}"));
    let seconds = begun.elapsed().as_secs_f64();
    let mut bytes = Bytes {
        packed: packed_weights(model.network()),
        sum: 0,
    };
    visit_parameters(model.network(), &mut bytes);
    #[expect(clippy::cast_precision_loss, reason = "it is printed")]
    let parameters = bytes.sum as f64 / f64::from(1 << 20);
    [seconds, processor(), peak(), parameters]
}

/// What parameters take.
struct Bytes {
    packed: HashMap<String, PackedWeight>,
    sum: usize,
}

impl ParameterVisitor for Bytes {
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
        self.sum += match self.packed.get(&path) {
            Some(packed) => packed.bytes(),
            None => param.lazy_shape().num_elements() * param.base().dtype().size(),
        };
    }
}

/// The most memory that this process has had, in MiB.
fn peak() -> f64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = number.expect("a size").parse().expect("a number");
    kib / 1024.0
}

/// Seconds that this process has worked, in user code and in the system's, by `/proc/self/stat`, in which
/// Linux counts hundredths of a second.
fn processor() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").expect("Linux");
    // The program's name, in parentheses, may hold spaces; `utime` and `stime` are the 12th and 13th field after.
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(|field| field.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / 100.0
}
