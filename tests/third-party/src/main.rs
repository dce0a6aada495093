//! Menagerie with Acme's encoder.

use acme_encoder as _;

fn main() {
    menagerie::cli::main()
}
