//! Damaged and lying files: an error each time, never a panic, and nothing allocated that the file
//! does not hold.

use std::fs;

use super::super::InMemory;
use super::made;
use super::*;

/// Small whole files of every format.
fn whole_files() -> Vec<(&'static str, Vec<u8>)> {
    let mut files: Vec<_> = [
        "pytorch/zip.bin",
        "pytorch/legacy.bin",
        "pytorch/protocol-5.bin",
        "pytorch/nested.bin",
        "gguf/metadata.gguf",
        "gguf/qwen2.gguf",
    ]
    .map(|name| (name, fs::read(fixture(name)).unwrap()))
    .into();
    // The package pads the last tensor as well, by zeros that nobody misses.
    for (_, bytes) in files
        .iter_mut()
        .filter(|(name, _)| *name == "gguf/metadata.gguf")
    {
        bytes.truncate(792);
    }
    let safetensors = made::safetensors(&[("a", &[1.0, 2.0]), ("b", &[3.0])]);
    files.push(("safetensors", safetensors));
    files.push((
        "index",
        br#"{"weight_map": {"a": "one", "b": "two"}}"#.into(),
    ));
    files
}

#[test]
fn every_beginning_of_a_file_is_an_error() {
    for (name, bytes) in whole_files() {
        assert!(InMemory::Any.read(&bytes).is_ok(), "{name}");
        for len in 0..bytes.len() {
            let result = InMemory::Any.read(&bytes[..len]);
            assert!(result.is_err(), "{name}, its first {len} bytes");
        }
    }
}

/// Some changes are to values, and no reader can tell.
#[test]
fn no_change_of_a_byte_makes_a_reader_panic() {
    for (_, bytes) in whole_files() {
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            for value in [
                bytes[at] ^ 1,
                bytes[at] ^ 0x80,
                0,
                0xff,
                bytes[at].wrapping_add(1),
            ] {
                changed[at] = value;
                let _ = InMemory::Any.read(&changed);
            }
            changed[at] = bytes[at];
        }
    }
}

#[test]
fn a_safetensors_header_that_lies_is_refused() {
    let tensor = |start: u64, end: u64| {
        format!(r#"{{"dtype":"F32","shape":[1],"data_offsets":[{start},{end}]}}"#)
    };
    let (first, second) = (tensor(0, 4), tensor(4, 8));
    let read = |header: &str| InMemory::Any.read(&made::with_header(header, &[0; 8]));
    assert_eq!(read(&format!(r#"{{"a":{first},"b":{second}}}"#)), Ok(2));
    for (header, says) in [
        (
            format!(r#"{{"a":{first},"b":{first}}}"#),
            "no tensors may overlap",
        ),
        (format!(r#"{{"a":{second}}}"#), "leave a gap"),
        (format!(r#"{{"a":{first}}}"#), "its tensors end at byte"),
        (
            format!(r#"{{"a":{}}}"#, tensor(0, 8)),
            "claims bytes 0 to 8",
        ),
        (
            format!(r#"{{"a":{first},"b":{}}}"#, tensor(4, 2)),
            "claims bytes 4 to 2",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}"#
                .to_owned(),
            "claims bytes 0 to 8",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#.to_owned(),
            "it is truncated",
        ),
        (
            r#"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#.to_owned(),
            "unknown variant `F33`",
        ),
        (
            format!("{}{}", r#"{"a":"#, "[".repeat(100_000)),
            "its header",
        ),
    ] {
        let error = read(&header).expect_err(&header);
        assert!(error.contains(says), "{error}");
    }
    let mut oversized = made::with_header("{}", &[]);
    oversized[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let error = InMemory::Any.read(&oversized).unwrap_err();
    assert!(error.contains("announces a header of"), "{error}");
}

/// A map would hide the first of the two.
#[test]
fn a_name_that_stands_twice_in_a_header_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("twice.safetensors");
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                     "a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    fs::write(&file, made::with_header(header, &[0; 8])).unwrap();
    let error = Shards::open(&file).unwrap_err().to_string();
    assert!(error.ends_with("it holds the tensor `a` twice"), "{error}");
}

/// Programs that would take memory or time out of all proportion to their length.
#[test]
fn a_pickle_that_grows_out_of_proportion_is_refused() {
    let mut deep = b"\x80\x02".to_vec();
    deep.extend(b"]".repeat(300_000));
    deep.extend(b"a".repeat(299_999));
    deep.push(b'.');
    let mut cyclic = b"\x80\x02]q\x00h\x00a}X\x01\x00\x00\x00ah\x00s.".to_vec();
    let mut wide = b"\x80\x02".to_vec();
    wide.extend(b"N".repeat(2_000_000));
    let mut many = b"\x80\x02".to_vec();
    many.extend(b"]0".repeat(5_000_000));
    let mut marks = b"\x80\x02".to_vec();
    marks.extend(b"(".repeat(2_000_000));
    for (name, pickle) in [
        ("deep", &mut deep),
        ("cyclic", &mut cyclic),
        ("wide", &mut wide),
        ("many", &mut many),
        ("marks", &mut marks),
    ] {
        let error = InMemory::Pickle.read(pickle).expect_err(name);
        let limit = ["wide", "many", "marks"].contains(&name);
        assert_eq!(
            error.contains("more values than any state dict"),
            limit,
            "{name}: {error}"
        );
    }
    // Announced and not there.
    for opcode in [b"X", b"B", b"\x8b"] {
        let pickle = [b"\x80\x02", opcode.as_slice(), &[0xff, 0xff, 0xff, 0x7f]].concat();
        let error = InMemory::Pickle.read(&pickle).unwrap_err();
        assert!(error.contains("it ends too early"), "{error}");
    }
}

/// Header fields are the counts of tensors and of keys, each a u64, from byte 8 on.
#[test]
fn a_gguf_header_that_lies_is_refused() {
    let bytes = fs::read(fixture("gguf/metadata.gguf")).unwrap();
    let changed = |at: usize, value: u64| {
        let mut changed = bytes.clone();
        changed[at..at + 8].copy_from_slice(&value.to_le_bytes());
        InMemory::Gguf.read(&changed).unwrap_err()
    };
    let error = changed(8, u64::MAX);
    assert!(error.contains("at most 200000 are read"), "{error}");
    let error = changed(16, u64::MAX);
    assert!(!error.is_empty());
    // The second tensor: its name, 2 axes, their sizes, its type, and its offset, here the first's.
    let name = [1_u64.to_le_bytes().as_slice(), b"b"].concat();
    let at = bytes.windows(name.len()).position(|window| window == name);
    let offset = at.unwrap() + name.len() + 4 + 16 + 4;
    let error = changed(offset, 0);
    assert!(
        error.contains("`a` and `b` lie on the same bytes"),
        "{error}"
    );
    let error = changed(offset, u64::MAX - 63);
    assert!(error.contains("larger than any file"), "{error}");
    let error = changed(offset, 1);
    assert!(error.contains("no multiple of 64"), "{error}");
}
