//! Hashes of files and of bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use menagerie_core::hex::hex;
use sha2::{Digest, Sha256};

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            len => hasher.update(&buffer[..len]),
        }
    }
}

/// Each word is mixed in by an exclusive or and a multiplication with an odd number, both of which
/// can be undone; so two inputs that differ in one word never give the same number.
#[cfg(feature = "data")]
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    let hash = words
        .iter()
        .fold(ODD, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, &byte| mix(hash, byte.into()))
}
