//! Small files that ask for much.

use super::formats::{
    bmp, gif, grey_page, jpeg, png, png_chunk, riff, scan, tiff, webp_lossless, webp_lossy,
    zeros_compressed,
};
use super::{Case, End};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = sizes();
    cases.extend(strips());
    cases.extend(metadata());
    cases.extend(counts());
    cases
}

/// Sizes claimed by a header.
fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, end, file| cases.push(Case::new(name, end, file));
    for (width, height) in [
        (30_000, 20_000),
        (65_535, 65_535),
        (65_536, 1),
        (1, 0x7FFF_FFFF),
    ] {
        let file = png(width, height, 2, &[], false);
        add(&format!("PNG {width} x {height}"), End::TooLarge, file);
        let file = tiff(&[(grey_page(width, height), 0)]);
        add(&format!("TIFF {width} x {height}"), End::TooLarge, file);
    }
    add("PNG 0 x 0", End::Error, png(0, 0, 2, &[], false));
    add(
        "PNG at the most, RGBA, all there",
        End::Image,
        png(8000, 8000, 6, &[], true),
    );
    add(
        "PNG beyond the most, all there",
        End::TooLarge,
        png(14_000, 14_000, 2, &[], true),
    );
    for (width, height) in [(30_000, 20_000), (30_000, -20_000)] {
        add(
            &format!("BMP {width} x {height}"),
            End::TooLarge,
            bmp(width, height, 0),
        );
    }
    for (width, height) in [
        (-4, 4),
        (0, 0),
        (65_536, 1),
        (4, i32::MIN),
        (i32::MAX, i32::MAX),
    ] {
        add(
            &format!("BMP {width} x {height}"),
            End::Either,
            bmp(width, height, 64),
        );
    }
    for frame in [0xC0, 0xC2] {
        let file = jpeg(65_500, 65_500, frame);
        add(
            &format!("JPEG {frame:X} 65500 x 65500"),
            End::TooLarge,
            file,
        );
        add(
            &format!("JPEG {frame:X} 0 x 0"),
            End::Error,
            jpeg(0, 0, frame),
        );
    }
    add(
        "JPEG, pixels missing",
        End::Error,
        jpeg(10_000, 10_000, 0xC0),
    );
    // Three bytes a pixel would be allowed, not with two more of coefficients.
    add(
        "JPEG, coefficients",
        End::TooLarge,
        jpeg(12_000, 12_000, 0xC2),
    );
    add("GIF 65535 x 65535", End::TooLarge, gif(65_535, 65_535, 1));
    add(
        "GIF, a small frame on 10000 x 10000",
        End::Image,
        gif(10_000, 10_000, 1),
    );
    add(
        "WebP lossless 16384 x 16384",
        End::Error,
        webp_lossless(16_384, 16_384),
    );
    add(
        "WebP lossless, pixels missing",
        End::Either,
        webp_lossless(6900, 6900),
    );
    add(
        "WebP lossy 16383 x 16383",
        End::TooLarge,
        webp_lossy(16_383, 16_383),
    );
    add(
        "WebP lossy, pixels missing",
        End::Either,
        webp_lossy(8000, 8000),
    );
    cases
}

/// Thin ones: with a margin they are squares of 4 billion pixels.
fn strips() -> Vec<Case> {
    let mut cases = Vec::new();
    for (width, height) in [(1_u16, 1_u16), (1, 65_535), (65_535, 1), (10_000, 10)] {
        let (w, h) = (u32::from(width), u32::from(height));
        let mut add = |format: &str, file| {
            cases.push(Case::new(
                format!("{format} {width} x {height}"),
                End::Image,
                file,
            ));
        };
        add("PNG", png(w, h, 2, &[], true));
        let line = (3 * w as usize).next_multiple_of(4);
        let bitmap = bmp(
            i32::from_ne_bytes(w.to_ne_bytes()),
            i32::from_ne_bytes(h.to_ne_bytes()),
            line * h as usize,
        );
        add("BMP", bitmap);
        add("GIF", gif(width, height, 1));
        let mut page = tiff(&[(grey_page(w, h), 0)]);
        page.resize(page.len() + (w * h) as usize, 0);
        add("TIFF", page);
        let mut file = jpeg(width, height, 0xC0);
        if width.min(height) < 65_500 && width.max(height) <= 65_500 {
            // Two bits a block, and the end.
            let blocks = w.div_ceil(8) as usize * h.div_ceil(8) as usize;
            file.resize(file.len() + blocks / 4 + 1, 0);
            file.extend([0xFF, 0xD9]);
            add("JPEG", file);
        }
    }
    cases
}

/// Megabytes that nobody asked for.
fn metadata() -> Vec<Case> {
    let unpacked = zeros_compressed(256 << 20);
    let text = png_chunk(*b"zTXt", &[b"Comment\0\0", &unpacked[..]].concat());
    let international = png_chunk(*b"iTXt", &[b"Comment\0\x01\0\0\0", &unpacked[..]].concat());
    let profile = png_chunk(*b"iCCP", &[b"profile\0\0", &unpacked[..]].concat());
    let plain = png_chunk(
        *b"tEXt",
        &[&b"Comment\0"[..], &vec![b' '; 4 << 20]].concat(),
    );
    let many: Vec<u8> = png_chunk(*b"tEXt", b"Comment\0x").repeat(50_000);
    let mut cases: Vec<Case> = [
        ("zTXt", text),
        ("iTXt", international),
        ("iCCP", profile),
        ("tEXt", plain),
        ("50,000 tEXt", many),
    ]
    .into_iter()
    .map(|(name, chunk)| {
        Case::new(
            format!("PNG {name}"),
            End::Image,
            png(4, 4, 2, &[chunk], true),
        )
    })
    .collect();

    let mut lying = png(4, 4, 2, &[], true);
    lying.splice(
        33..33,
        [&0x7FFF_FFFF_u32.to_be_bytes()[..], b"tEXt"].concat(),
    );
    cases.push(Case::new("PNG, a chunk of 2 GB claimed", End::Error, lying));

    let whole = [jpeg(8, 8, 0xC0), vec![0, 0xFF, 0xD9]].concat();
    for (name, marker) in [
        ("APP1", 0xE1),
        ("APP2", 0xE2),
        ("APP14", 0xEE),
        ("COM", 0xFE),
    ] {
        let segment = [&[0xFF, marker, 0xFF, 0xFF][..], &vec![b'x'; 65_533]].concat();
        let file = [&whole[..2], &segment.repeat(64), &whole[2..]].concat();
        cases.push(Case::new(
            format!("JPEG, 64 segments {name}"),
            End::Image,
            file,
        ));
    }
    let exif = [
        &[0xFF, 0xE1, 0, 40][..],
        b"Exif\0\0II*\0\x08\0\0\0\xFF\xFF",
        &[0xFF; 22],
    ]
    .concat();
    let file = [&whole[..2], &exif, &whole[2..]].concat();
    cases.push(Case::new("JPEG, a lying EXIF", End::Image, file));
    cases
}

/// Frames, pages and scans.
fn counts() -> Vec<Case> {
    let mut cases = vec![
        Case::new("GIF of 100,000 frames", End::Image, gif(1, 1, 100_000)),
        Case::new("GIF of no frame", End::Error, gif(1, 1, 0)),
    ];
    let canvas = vec![0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let frame = [
        &[0; 16][..],
        b"VP8L",
        &5_u32.to_le_bytes(),
        &[0x2F, 0, 0, 0, 0],
    ]
    .concat();
    let mut chunks = vec![(b"VP8X", canvas), (b"ANIM", vec![0; 6])];
    chunks.extend(std::iter::repeat_n((b"ANMF", frame), 10_000));
    cases.push(Case::new(
        "WebP of 10,000 frames",
        End::Either,
        riff(&chunks),
    ));

    let mut pages: Vec<(Vec<(u16, u32)>, u32)> = (1..=65_000)
        .map(|page| (vec![(256, 1)], 8 + 18 + 18 * page))
        .collect();
    pages[0].1 = 8;
    let one = grey_page(1, 1);
    cases.push(Case::new(
        "TIFF, a page that follows itself",
        End::Error,
        tiff(&[(one.clone(), 8)]),
    ));
    cases.push(Case::new("TIFF of 65,000 pages", End::Either, tiff(&pages)));
    let entries: Vec<(u16, u32)> = one
        .into_iter()
        .chain((400..60_000).map(|tag| (tag, 1)))
        .collect();
    cases.push(Case::new(
        "TIFF of 60,000 entries",
        End::Either,
        tiff(&[(entries, 0)]),
    ));

    for frame in [0xC0, 0xC2] {
        let mut file = jpeg(3000, 3000, frame);
        file.extend([&[0][..], &scan(frame)].concat().repeat(20_000));
        file.extend([0xFF, 0xD9]);
        cases.push(Case::new(
            format!("JPEG {frame:X} of 20,000 scans"),
            End::Error,
            file,
        ));
    }
    cases
}
