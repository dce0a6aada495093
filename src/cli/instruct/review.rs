//! `menagerie instruct review`.

mod text;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use menagerie_core::weights::write_whole;

use crate::cli::error::CliError;
use crate::cli::interrupt;
use crate::cli::output::{print, print_json};
use crate::cli::progress::Progress;
use crate::instruct::review::{Review, ReviewOptions};

/// Look at instruction data: a page with samples, and statistics of all of it.
///
/// The page is one file without anything from outside it; images are in it, made small. What is
/// shown is drawn at random, as many samples of each type of response.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder that `menagerie instruct` wrote, or any .json or .jsonl in LLaVA's format
    #[arg(value_name = "RUN|FILE")]
    data: PathBuf,
    /// The folder that image names are relative to. Default: images are not shown
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Samples that are shown, and at most as many rejects
    #[arg(long, value_name = "N", default_value_t = 24)]
    samples: usize,
    /// Which samples: another number shows others
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// The page [default: review.html in the folder, or NAME.review.html beside the file]
    #[arg(long, value_name = "FILE.html", value_parser = page_path)]
    out: Option<PathBuf>,
    /// Print the statistics as JSON
    #[arg(long)]
    json: bool,
}

/// A page's name ends in `.html`: data named by mistake is not overwritten.
fn page_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_page =
        |ending: &OsStr| ending.eq_ignore_ascii_case("html") || ending.eq_ignore_ascii_case("htm");
    if path.extension().is_some_and(is_page) {
        return Ok(path);
    }
    Err("the page's name must end in .html".to_owned())
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let options = ReviewOptions {
        images: args.images.clone(),
        samples: args.samples,
        seed: args.seed,
    };
    if let Some(folder) = &options.images {
        let read = fs::read_dir(folder);
        read.map_err(|source| CliError::Read {
            path: folder.clone(),
            source,
        })?;
    }
    let review = read(&args.data, &options)?;
    let out = args.out.clone().unwrap_or_else(|| page_of(&args.data));
    let page = review.to_html();
    let written = write_whole(&out, |temporary| fs::write(temporary, &page));
    written.map_err(|source| CliError::Write {
        path: out.clone(),
        source,
    })?;
    if args.json {
        print_json(&review.statistics)?;
    } else {
        print(&text::summary(&review.statistics))?;
    }
    anstream::eprintln!("wrote {}", out.display());
    Ok(())
}

fn page_of(data: &Path) -> PathBuf {
    if data.is_dir() {
        data.join("review.html")
    } else {
        data.with_extension("review.html")
    }
}

fn read(data: &Path, options: &ReviewOptions) -> Result<Review, CliError> {
    let stop = interrupt::flag();
    let mut shown: Option<Progress> = None;
    let count = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let review = Review::read(data, options, &mut |done, total| {
        // What is read at once needs no bar.
        if total > LARGE {
            let bar = shown.get_or_insert_with(|| Progress::bytes("reading", count(total)));
            bar.set(count(done), count(total), "");
        }
        !stop.load(Ordering::Relaxed)
    });
    if let Some(bar) = shown {
        bar.finish();
    }
    Ok(review?)
}

/// Bytes that take a while.
const LARGE: u64 = 64 << 20;
