//! The command line of Menagerie with its default plugins.

use menagerie::cli::Allocator;

/// The binary's choice and never the library's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() {
    menagerie::cli::main()
}
