//! TIFF's palettes, which the decoder does not read itself.

use std::borrow::Cow;

/// A page of indices into a palette, told to the decoder as grey.
pub(super) struct Palette(Vec<[u8; 3]>);

const BITS_PER_SAMPLE: u16 = 258;
const INTERPRETATION: u16 = 262;
const COLOUR_MAP: u16 = 320;

/// `INTERPRETATION`'s values.
const BLACK_IS_ZERO: u16 = 1;
const RGB_PALETTE: u16 = 3;

/// The file as the decoder can read it, and the palette if its first page has one of 256 colours.
pub(super) fn without_palette(file: &[u8]) -> (Cow<'_, [u8]>, Option<Palette>) {
    match Page::first(file).and_then(|page| page.palette()) {
        Some((at, value, palette)) => {
            let mut grey = file.to_vec();
            grey[at..at + 2].copy_from_slice(&value);
            (grey.into(), Some(palette))
        }
        None => (file.into(), None),
    }
}

impl Palette {
    pub(super) fn colour(&self, index: u8) -> [u8; 3] {
        self.0[usize::from(index)]
    }
}

/// The first page's directory: entries of 12 bytes.
struct Page<'file> {
    file: &'file [u8],
    little_endian: bool,
    entries: std::ops::Range<usize>,
}

impl<'file> Page<'file> {
    fn first(file: &'file [u8]) -> Option<Self> {
        let mut page = Self {
            file,
            little_endian: file.starts_with(b"II"),
            entries: 0..0,
        };
        let directory = page.long(4)?;
        let start = directory.checked_add(2)?;
        let length = 12 * usize::from(page.short(directory)?);
        page.entries = start..start.checked_add(length)?;
        Some(page)
    }

    /// Where the interpretation's value stands, what it should be, and the palette.
    fn palette(&self) -> Option<(usize, [u8; 2], Palette)> {
        let interpretation = self.entry(INTERPRETATION)? + 8;
        let bits = self.short(self.entry(BITS_PER_SAMPLE)? + 8)?;
        if self.short(interpretation)? != RGB_PALETTE || bits != 8 {
            return None;
        }
        let map = self.entry(COLOUR_MAP)?;
        let (count, map) = (self.long(map + 4)?, self.long(map + 8)?);
        // 16 bits a colour: all reds, all greens, all blues. PIL takes the high bytes.
        let colour = |index: usize| {
            let channel = |channel: usize| {
                let at = map.checked_add(2 * (channel * 256 + index))?;
                Some(self.short(at)?.to_be_bytes()[0])
            };
            Some([channel(0)?, channel(1)?, channel(2)?])
        };
        let colours = (0..256).map(colour).collect::<Option<Vec<_>>>()?;
        let grey = if self.little_endian {
            BLACK_IS_ZERO.to_le_bytes()
        } else {
            BLACK_IS_ZERO.to_be_bytes()
        };
        (count == 3 * 256).then_some((interpretation, grey, Palette(colours)))
    }

    fn entry(&self, tag: u16) -> Option<usize> {
        let mut entries = self.entries.clone().step_by(12);
        entries.find(|&entry| self.short(entry) == Some(tag))
    }

    fn short(&self, at: usize) -> Option<u16> {
        let (bytes, _) = self.file.get(at..)?.split_first_chunk()?;
        Some(if self.little_endian {
            u16::from_le_bytes(*bytes)
        } else {
            u16::from_be_bytes(*bytes)
        })
    }

    fn long(&self, at: usize) -> Option<usize> {
        let (bytes, _) = self.file.get(at..)?.split_first_chunk()?;
        let value = if self.little_endian {
            u32::from_le_bytes(*bytes)
        } else {
            u32::from_be_bytes(*bytes)
        };
        usize::try_from(value).ok()
    }
}
