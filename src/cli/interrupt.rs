//! Ctrl-C: the first one asks to stop at the next good place, the second ends the process.

use std::io::{self, Read};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::exit::Exit;

static STOP: AtomicBool = AtomicBool::new(false);

/// Set once the user has asked to stop. The first call installs the handler.
pub(super) fn flag() -> &'static AtomicBool {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let installed = ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(Exit::Interrupted.code());
            }
            anstream::eprintln!("\nstopping; press Ctrl-C again to stop at once");
        });
        if let Err(error) = installed {
            anstream::eprintln!("Ctrl-C will stop at once: {error}");
        }
    });
    &STOP
}

/// Asks to stop once stdin ends, or cannot be read.
pub(super) fn at_end_of_stdin() {
    thread::spawn(|| {
        let mut byte = [0];
        loop {
            match io::stdin().read(&mut byte) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        STOP.store(true, Ordering::Relaxed);
    });
}
