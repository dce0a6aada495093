//! The command line of Menagerie with its default plugins.

fn main() {
    menagerie::cli::main()
}
