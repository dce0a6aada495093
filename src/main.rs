//! The command line of Menagerie with its default plugins.

/// Burn allocates every tensor anew; an allocator that keeps freed memory makes a step faster. It is
/// the binary's choice and never the library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    menagerie::cli::main()
}
