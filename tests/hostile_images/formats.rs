//! Files put together by hand.

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};

pub(crate) fn zeros_compressed(length: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 16];
    let mut left = length;
    while left > 0 {
        let now = left.min(block.len());
        encoder.write_all(&block[..now]).expect("to memory");
        left -= now;
    }
    encoder.finish().expect("to memory")
}

pub(crate) fn png_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(data);
    let length = u32::try_from(data.len()).expect("small");
    [
        &length.to_be_bytes()[..],
        &kind,
        data,
        &crc.sum().to_be_bytes(),
    ]
    .concat()
}

/// 8 bits a channel; `colour` is PNG's number: 0 grey, 2 RGB, 6 RGBA. The chunks stand before the
/// pixels, which are zeros if there are any.
pub(crate) fn png(
    width: u32,
    height: u32,
    colour: u8,
    chunks: &[Vec<u8>],
    pixels: bool,
) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&size[..], &[8, colour, 0, 0, 0]].concat();
    let channels = [1, 0, 3, 0, 0, 0, 4][usize::from(colour)];
    let bytes = if pixels {
        (1 + channels * width as usize) * height as usize
    } else {
        0
    };
    let data = zeros_compressed(bytes);
    let parts = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        png_chunk(*b"IHDR", &header),
        chunks.concat(),
        png_chunk(*b"IDAT", &data),
        png_chunk(*b"IEND", &[]),
    ];
    parts.concat()
}

/// Header and pixels, 24 bits.
pub(crate) fn bmp(width: i32, height: i32, pixels: usize) -> Vec<u8> {
    let mut file = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend([1, 0, 24, 0]);
    file.resize(54 + pixels, 0);
    file
}

/// A JPEG's markers up to its first scan, whose data is missing. `frame` is the frame's marker.
pub(crate) fn jpeg(width: u16, height: u16, frame: u8) -> Vec<u8> {
    let [wide, high] = [width, height].map(u16::to_be_bytes);
    let mut file = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
    file.extend([1; 64]);
    file.extend([
        0xFF, frame, 0, 11, 8, high[0], high[1], wide[0], wide[1], 1, 1, 0x11, 0,
    ]);
    // One code of one bit in each table: DC difference 0, and the end of the block.
    for table in [0x00, 0x10] {
        file.extend([0xFF, 0xC4, 0, 20, table, 1]);
        file.extend([0; 15]);
        file.push(0);
    }
    file.extend(scan(frame));
    file
}

/// One more scan's header.
pub(crate) fn scan(frame: u8) -> Vec<u8> {
    let last = if frame == 0xC2 { 0 } else { 63 };
    vec![0xFF, 0xDA, 0, 8, 1, 1, 0, 0, last, 0]
}

/// Frames of one black pixel on a canvas.
pub(crate) fn gif(width: u16, height: u16, frames: usize) -> Vec<u8> {
    let [wide, high] = [width, height].map(u16::to_le_bytes);
    let mut file = b"GIF89a".to_vec();
    file.extend([
        wide[0], wide[1], high[0], high[1], 0x80, 0, 0, 0, 0, 0, 255, 255, 255,
    ]);
    for _ in 0..frames {
        file.extend(b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
    }
    file.push(b';');
    file
}

pub(crate) fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend(*name);
        body.extend(u32::try_from(data.len()).expect("small").to_le_bytes());
        body.extend(data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    let length = u32::try_from(body.len()).expect("small").to_le_bytes();
    [b"RIFF", &length[..], &body].concat()
}

/// A lossless WebP's header, without its data.
pub(crate) fn webp_lossless(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | ((height - 1) << 14);
    riff(&[(
        b"VP8L",
        [&[0x2F][..], &bits.to_le_bytes(), &[0; 8]].concat(),
    )])
}

/// A lossy WebP's header, without its data.
pub(crate) fn webp_lossy(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let frame = [&[0x10, 0, 0, 0x9D, 0x01, 0x2A][..], &size, &[0; 64]].concat();
    riff(&[(b"VP8 ", frame)])
}

/// Little-endian; each page has these entries of one 32-bit number, and the offset of the next.
pub(crate) fn tiff(pages: &[(Vec<(u16, u32)>, u32)]) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    for (entries, next) in pages {
        file.extend(u16::try_from(entries.len()).expect("few").to_le_bytes());
        for (tag, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend([4, 0, 1, 0, 0, 0]);
            file.extend(value.to_le_bytes());
        }
        file.extend(next.to_le_bytes());
    }
    file
}

/// Grey, 8 bits, uncompressed, in one strip at the file's start.
pub(crate) fn grey_page(width: u32, height: u32) -> Vec<(u16, u32)> {
    vec![
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, width.wrapping_mul(height)),
    ]
}
