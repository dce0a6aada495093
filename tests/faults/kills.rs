//! SIGKILL at random moments.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::place::{Place, each, share};

#[test]
fn a_run_killed_at_any_moment_ends_as_one_that_was_not() {
    let place = Place::new();
    let (wanted, kills) = (share(1000, 10), AtomicUsize::new(0));
    each(&[1, 2], |&seed| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        while kills.load(Ordering::Relaxed) < wanted {
            let run = place.run();
            // A run that is killed again and again may not come far.
            for _ in 0..8 {
                let moment = place.span.mul_f64(random.random_range(0.0..1.0));
                if !killed_after(moment, &place, &run) {
                    break;
                }
                kills.fetch_add(1, Ordering::Relaxed);
            }
            place.ends_equal(&run, &format!("seed {seed}"));
        }
    });
    println!("{} kills", kills.load(Ordering::Relaxed));
}

/// Whether the process lived so long; it does not any more.
fn killed_after(moment: Duration, place: &Place, run: &std::path::Path) -> bool {
    let mut command = place.go(run);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    thread::sleep(moment);
    child.kill().expect("killed");
    let status = child.wait().expect("waited for");
    assert!(matches!(status.code(), None | Some(0)), "{status}");
    status.code().is_none()
}
