//! Menagerie with the default plugins and this crate's.

use new_plugin as _; // a plugin crate that is not named is not linked

#[global_allocator]
static ALLOCATOR: menagerie::cli::Allocator = menagerie::cli::Allocator;

fn main() {
    menagerie::cli::main()
}
