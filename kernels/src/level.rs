//! Which instructions are used.

use std::fmt;

/// A set of vector instructions, each holding those before it.
///
/// Products take the highest that the processor has. A lower one is for tests and comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain Rust: what the compiler makes of it for the target.
    Portable,
    /// AVX2, FMA and F16C (x86-64-v3).
    Avx2,
    /// AVX-512 F, BW, DQ and VL (x86-64-v4).
    Avx512,
    /// AVX-512 VNNI: four products of bytes and their sum at once.
    Avx512Vnni,
    /// AVX-512 BF16: two products of bf16 and their sum at once.
    Avx512Bf16,
}

impl Level {
    const ALL: [Self; 5] = [
        Self::Portable,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Vnni,
        Self::Avx512Bf16,
    ];

    /// The highest level of this processor.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Portable)
    }

    /// All levels of this processor, lowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .take_while(|level| level.is_available())
    }

    /// # Panics
    /// If the processor does not have the level.
    pub(crate) fn check(self) {
        assert!(self.is_available(), "this processor has no {self}");
    }

    /// Whether this processor has the level. The answer is remembered by the standard library.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = || {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            };
            let avx512 = || {
                avx2()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            };
            let vnni = || avx512() && is_x86_feature_detected!("avx512vnni");
            match self {
                Self::Portable => true,
                Self::Avx2 => avx2(),
                Self::Avx512 => avx512(),
                Self::Avx512Vnni => vnni(),
                Self::Avx512Bf16 => vnni() && is_x86_feature_detected!("avx512bf16"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Portable
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512Bf16 => "avx512-bf16",
        })
    }
}
