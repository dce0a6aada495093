//! How a JPEG's data is laid out, which says what decoding it will cost.

/// The scans of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scans {
    /// How many there are.
    pub(super) number: usize,
    /// Whether the coefficients of the whole image are held until the last: the file is progressive,
    /// or a scan has one channel of several.
    pub(super) whole_image: bool,
    /// Whether the image ends before the file does.
    pub(super) ended: bool,
}

impl Scans {
    /// Walks the markers up to the end of the image or of the file; what is broken is passed over,
    /// as the decoder does.
    pub(super) fn count(file: &[u8]) -> Self {
        let mut scans = Self::default();
        let mut channels = 0;
        let mut rest = file;
        while let Some((marker, after)) = next_marker(rest) {
            rest = after;
            if matches!(marker, STANDALONE | RESTART_0..=START_OF_IMAGE) {
                continue;
            }
            if marker == END_OF_IMAGE {
                scans.ended = true;
                break;
            }
            let Some((length, _)) = rest.split_first_chunk::<2>() else {
                break;
            };
            let length = usize::from(u16::from_be_bytes(*length));
            let segment = rest.get(2..length).unwrap_or_default();
            match marker {
                TABLES | RESERVED | CONDITIONING => {}
                FRAME_FIRST..=FRAME_LAST => {
                    channels = segment.get(5).copied().unwrap_or(0);
                    scans.whole_image |= marker & 0b11 == PROGRESSIVE;
                }
                START_OF_SCAN => {
                    scans.number += 1;
                    scans.whole_image |= segment.first().is_some_and(|&of| of < channels);
                }
                _ => {}
            }
            rest = rest.get(length.max(2)..).unwrap_or_default();
        }
        scans
    }
}

const STANDALONE: u8 = 0x01;
const FRAME_FIRST: u8 = 0xC0;
const FRAME_LAST: u8 = 0xCF;
const TABLES: u8 = 0xC4;
const RESERVED: u8 = 0xC8;
const CONDITIONING: u8 = 0xCC;
const RESTART_0: u8 = 0xD0;
const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// The low bits of a progressive frame's marker.
const PROGRESSIVE: u8 = 0b10;

/// The next marker and what follows it. In a scan's data 0xFF stands before a zero.
fn next_marker(mut rest: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = rest.iter().position(|&byte| byte == 0xFF)?;
        rest = &rest[at + 1..];
        match rest.first()? {
            0 | 0xFF => {}
            &marker => return Some((marker, &rest[1..])),
        }
    }
}
