//! What PyTorch wrote (`tests/fixtures/pytorch/make.py`).

use super::super::InMemory;
use super::made::{self, Zip};
use super::*;

#[test]
fn a_state_dict_is_the_same_in_every_format_of_torch_save() {
    let expected = open("pytorch/expected.safetensors").unwrap();
    for name in [
        "zip",
        "legacy",
        "nested",
        "protocol-3",
        "protocol-4",
        "protocol-5",
    ] {
        assert_same(&open(&format!("pytorch/{name}.bin")).unwrap(), &expected);
    }
}

#[test]
fn shards_of_pytorch_files_are_found_by_their_index() {
    let expected = open("pytorch/expected.safetensors").unwrap();
    let sharded = open("pytorch/sharded").unwrap();
    assert_eq!(sharded.names().collect::<Vec<_>>(), ["half", "weight"]);
    for name in sharded.names() {
        let found = sharded.get(name).unwrap();
        assert!(found.read().unwrap() == expected.get(name).unwrap().read().unwrap());
    }
}

#[test]
fn a_type_of_number_that_is_not_known_is_an_error_when_it_is_asked_for() {
    let shards = open("pytorch/float8.bin").unwrap();
    assert!(shards.data("weight").is_ok());
    let error = shards.data("float8").unwrap_err().to_string();
    assert!(error.contains("holds float8_e4m3fn"), "{error}");
}

/// The files would create a file where they were unpickled.
#[test]
fn code_in_a_pickle_never_runs() {
    for name in ["malicious.bin", "malicious-legacy.bin"] {
        let error = refusal(&format!("pytorch/{name}"));
        assert!(
            error.contains("`posix.system` would make, which is never called"),
            "{error}"
        );
    }
    refusal("pytorch/malicious.pkl");
    let beside = open("pytorch/malicious-beside.bin").unwrap();
    assert_eq!(beside.names().collect::<Vec<_>>(), ["weight"]);
    assert_eq!(
        beside.data("weight").unwrap().try_to_vec::<f32>().unwrap(),
        [1.0; 2]
    );
    assert!(!Path::new("menagerie-was-here").exists());
}

#[test]
fn a_tensor_that_is_more_than_bytes_in_a_storage_is_an_error_that_says_so() {
    for (name, says) in [
        ("negated", "`negated` is a lazy negation"),
        ("expanded", "elements lie on each other"),
        (
            "sparse",
            "`sparse` is made by `torch._utils._rebuild_sparse_tensor`",
        ),
        (
            "whole-module",
            "`torch.nn.modules.linear.Linear` would make",
        ),
        ("compressed", "is compressed or encrypted"),
        ("big-endian", "big-endian"),
    ] {
        let error = refusal(&format!("pytorch/{name}.bin"));
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn an_archive_that_states_its_sizes_as_zip64_is_read() {
    let pickle = made::state_dict("0", 2, &[2], &[1], 0);
    let records = [("a/data.pkl", pickle.as_slice()), ("a/data/0", &[7; 8])];
    for zip64 in [false, true] {
        let file = made::zip(&Zip {
            zip64,
            ..Zip::new(&records)
        });
        assert_eq!(InMemory::Any.read(&file), Ok(1), "zip64 {zip64}");
    }
}

#[test]
fn a_tensor_that_reaches_past_its_storage_is_refused() {
    let read = |elements: u32, shape: &[u32], strides: &[u32], offset: u32| {
        let pickle = made::state_dict("0", elements, shape, strides, offset);
        let records = [("a/data.pkl", pickle.as_slice()), ("a/data/0", &[7; 24])];
        InMemory::Any.read(&made::zip(&Zip::new(&records)))
    };
    assert_eq!(read(6, &[2, 3], &[3, 1], 0), Ok(1));
    assert_eq!(read(6, &[3, 2], &[1, 3], 0), Ok(1));
    for (elements, shape, strides, offset) in [
        (6, [2, 3], [3, 1], 1),
        (6, [2, 3], [4, 1], 0),
        (7, [2, 3], [3, 1], 0),
        (6, [u32::MAX >> 1, u32::MAX >> 1], [1, 1], 0),
        (6, [2, 3], [u32::MAX >> 1, u32::MAX >> 1], 0),
        (6, [1, 1], [1, 1], u32::MAX >> 1),
        (6, [1 << 20, 1], [0, 0], 0),
    ] {
        let result = read(elements, &shape, &strides, offset);
        let error = result.expect_err("it lies outside");
        assert!(error.starts_with("`w` "), "{error}");
    }
}

#[test]
fn a_storage_that_lies_where_another_record_lies_is_refused() {
    let pickle = made::state_dict("0", 2, &[2], &[1], 0);
    let records = [("a/data.pkl", pickle.as_slice()), ("a/data/0", &[7; 8])];
    let overlapping = made::zip(&Zip {
        header_of: Some(("a/data/0", "a/data.pkl")),
        ..Zip::new(&records)
    });
    let error = InMemory::Any.read(&overlapping).unwrap_err();
    assert!(error.contains("lie on the same bytes"), "{error}");
    let twice = [
        ("a/data.pkl", pickle.as_slice()),
        ("a/data/0", &[7; 8]),
        ("a/data/0", &[9; 8]),
    ];
    let error = InMemory::Any
        .read(&made::zip(&Zip::new(&twice)))
        .unwrap_err();
    assert!(error.contains("`a/data/0` twice"), "{error}");
}
