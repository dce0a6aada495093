//! Whole files that are cut, damaged or dressed up.

use super::{Case, End, seeds};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("empty", End::Error, vec![]),
        Case::new("text", End::Error, b"hello".to_vec()),
        Case::new("zeros", End::Error, vec![0; 4096]),
        Case::new("html", End::Error, b"<html><img src=x></html>".to_vec()),
        Case::new(
            "svg",
            End::Error,
            b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
        ),
    ];
    let magics: [&[u8]; 6] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xFF\xD8\xFF",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBP",
        b"BM",
        b"II*\0",
    ];
    for magic in magics {
        cases.push(Case::new(
            format!("only {magic:?}"),
            End::Error,
            magic.to_vec(),
        ));
        let file = [magic, &[0xFF; 4096]].concat();
        cases.push(Case::new(format!("{magic:?} and ones"), End::Error, file));
        let file = [magic, &[0; 4096]].concat();
        cases.push(Case::new(format!("{magic:?} and zeros"), End::Error, file));
    }
    for (name, whole) in seeds() {
        cases.push(Case::new(name.clone(), End::Image, whole.clone()));
        cut(&name, &whole, &mut cases);
        damaged(&name, &whole, &mut cases);
        // A second format behind the first: the first bytes decide.
        let polyglot = [&whole, &b"PK\x03\x04<script>GIF89a"[..]].concat();
        cases.push(Case::new(format!("{name} polyglot"), End::Image, polyglot));
    }
    cases
}

fn cut(name: &str, whole: &[u8], cases: &mut Vec<Case>) {
    let places = [
        3,
        12,
        30,
        whole.len() / 4,
        whole.len() / 2,
        whole.len() * 9 / 10,
        whole.len() - 1,
    ];
    for place in places.into_iter().filter(|&place| place < whole.len()) {
        // Half a file misses pixels, unless what it misses are other frames; of a JPEG the last
        // byte already counts.
        let more_frames = name.starts_with("animation") && place > 30;
        let certain = !more_frames && place <= whole.len() / 2 || whole.starts_with(&[0xFF, 0xD8]);
        let end = if certain { End::Error } else { End::Either };
        cases.push(Case::new(
            format!("{name} cut at {place}"),
            end,
            whole[..place].to_vec(),
        ));
    }
}

/// Bits flipped at places of a fixed sequence, half of them in the header.
fn damaged(name: &str, whole: &[u8], cases: &mut Vec<Case>) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    for round in 0..8 {
        let mut file = whole.to_vec();
        let within = if round % 2 == 0 {
            whole.len()
        } else {
            whole.len().min(64)
        };
        for _ in 0..=round / 2 {
            file[random(within)] ^= 1 << random(8);
        }
        cases.push(Case::new(
            format!("{name} damaged, {round}"),
            End::Either,
            file,
        ));
    }
}
