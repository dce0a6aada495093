//! Menagerie with the default plugins and this crate's.

use new_plugin as _; // a plugin crate that is not named is not linked

fn main() {
    menagerie::cli::main()
}
