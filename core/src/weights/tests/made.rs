//! Files made byte by byte, with whatever lies they are to tell.

use serde_json::json;

/// A safetensors file of one tensor of f32 a name.
pub(super) fn safetensors(tensors: &[(&str, &[f32])]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        header.insert(
            (*name).to_owned(),
            json!({"dtype": "F32", "shape": [values.len()], "data_offsets": [start, data.len()]}),
        );
    }
    with_header(&serde_json::Value::Object(header).to_string(), &data)
}

/// A safetensors file of that header.
pub(super) fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let length = header.len() as u64;
    [&length.to_le_bytes(), header.as_bytes(), data].concat()
}

/// The pickle of `{"w": tensor}`, a tensor of f32 in the storage `key`.
pub(super) fn state_dict(
    key: &str,
    elements: u32,
    shape: &[u32],
    strides: &[u32],
    offset: u32,
) -> Vec<u8> {
    let text = |text: &str| {
        let len = u32::try_from(text.len()).unwrap();
        [b"X", len.to_le_bytes().as_slice(), text.as_bytes()].concat()
    };
    let int = |int: u32| [b"J", int.to_le_bytes().as_slice()].concat();
    let tuple = |ints: &[u32]| {
        let ints: Vec<u8> = ints.iter().flat_map(|&size| int(size)).collect();
        [b"(", ints.as_slice(), b"t"].concat()
    };
    [
        b"\x80\x02}".as_slice(),
        &text("w"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text(key),
        &text("cpu"),
        &int(elements),
        b"tQ",
        &int(offset),
        &tuple(shape),
        &tuple(strides),
        b"\x89}tRs.",
    ]
    .concat()
}

/// A zip archive of stored records.
pub(super) struct Zip<'a> {
    pub(super) records: &'a [(&'a str, &'a [u8])],
    /// Whether sizes and offsets are stated in 64 bits.
    pub(super) zip64: bool,
    /// A record that claims to begin where another does.
    pub(super) header_of: Option<(&'a str, &'a str)>,
}

impl<'a> Zip<'a> {
    pub(super) fn new(records: &'a [(&'a str, &'a [u8])]) -> Self {
        Self {
            records,
            zip64: false,
            header_of: None,
        }
    }
}

pub(super) fn zip(zip: &Zip<'_>) -> Vec<u8> {
    let u16s = |values: &[u16]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let u32s = |values: &[u32]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let u64s = |values: &[u64]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let narrow = |value: u64| {
        if zip.zip64 {
            u32::MAX
        } else {
            u32::try_from(value).unwrap()
        }
    };

    let (mut file, mut headers) = (Vec::new(), Vec::new());
    for (name, content) in zip.records {
        headers.push((*name, file.len() as u64));
        let name_len = u16::try_from(name.len()).unwrap();
        let size = u32::try_from(content.len()).unwrap();
        file.extend(b"PK\x03\x04");
        file.extend(u16s(&[0; 5]));
        file.extend(u32s(&[0, size, size]));
        file.extend(u16s(&[name_len, 0]));
        file.extend(name.as_bytes());
        file.extend(*content);
    }
    let directory = file.len() as u64;
    for ((name, content), &(_, own)) in zip.records.iter().zip(&headers) {
        let claimed = zip.header_of.filter(|(liar, _)| liar == name);
        let header = claimed.map_or(own, |(_, other)| {
            headers.iter().find(|(name, _)| *name == other).unwrap().1
        });
        let size = content.len() as u64;
        let extra = if zip.zip64 {
            [u16s(&[1, 24]), u64s(&[size, size, header])].concat()
        } else {
            Vec::new()
        };
        file.extend(b"PK\x01\x02");
        file.extend(u16s(&[0; 6]));
        file.extend(u32s(&[0, narrow(size), narrow(size)]));
        let lengths = [name.len(), extra.len()].map(|len| u16::try_from(len).unwrap());
        file.extend(u16s(&lengths));
        file.extend(u16s(&[0; 3]));
        file.extend(u32s(&[0, narrow(header)]));
        file.extend(name.as_bytes());
        file.extend(extra);
    }
    let end = file.len() as u64;
    if zip.zip64 {
        file.extend(b"PK\x06\x06");
        file.extend(u64s(&[44]));
        file.extend(u16s(&[45, 45]));
        file.extend(u32s(&[0, 0]));
        let count = zip.records.len() as u64;
        file.extend(u64s(&[count, count, end - directory, directory]));
        file.extend(b"PK\x06\x07");
        file.extend(u32s(&[0]));
        file.extend(u64s(&[end]));
        file.extend(u32s(&[1]));
    }
    file.extend(b"PK\x05\x06");
    let count = u16::try_from(zip.records.len()).unwrap();
    file.extend(u16s(&[0, 0, count, count]));
    file.extend(u32s(&[narrow(end - directory), narrow(directory)]));
    file.extend(u16s(&[0]));
    file
}
