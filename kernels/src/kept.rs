//! Memory that holds a weight for as long as the model lives.

use std::alloc::{Layout, handle_alloc_error};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::line::Plain;

/// Values of a weight, in pages asked of the system, huge ones where it has them.
///
/// A token of an answer reads every weight once: with pages of 4 KiB it looks up five hundred times as many
/// addresses. And an allocator sets a few bytes of its own before a block, so that a weight of two huge pages takes
/// three; mappings lie side by side.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pages: MmapMut,
    values: PhantomData<T>,
}

impl<T: Plain> Kept<T> {
    /// So many zeros. The system hands pages out as such: they are not written here.
    pub(crate) fn zeros(count: usize) -> Self {
        let layout = Layout::array::<T>(count).expect("a weight that fits in memory");
        let Ok(pages) = MmapMut::map_anon(layout.size()) else {
            handle_alloc_error(layout);
        };
        #[cfg(target_os = "linux")]
        {
            // Where the system has no huge pages, small ones do.
            let _ = pages.advise(memmap2::Advice::HugePage);
        }
        Self {
            pages,
            values: PhantomData,
        }
    }
}

impl<T: Plain> Deref for Kept<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let count = self.pages.len() / size_of::<T>();
        // SAFETY: a page's alignment is enough, all its bytes are initialised, and any bytes are a `T`.
        unsafe { std::slice::from_raw_parts(self.pages.as_ptr().cast(), count) }
    }
}

impl<T: Plain> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let count = self.pages.len() / size_of::<T>();
        // SAFETY: as above; a `T` has no padding, so that the bytes stay initialised.
        unsafe { std::slice::from_raw_parts_mut(self.pages.as_mut_ptr().cast(), count) }
    }
}

impl<T: Plain> Clone for Kept<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn what_is_written_is_kept_and_cloned() {
        for count in [0, 1, 1000, 1 << 19, (1 << 19) + 1] {
            let mut kept = Kept::<u32>::zeros(count);
            assert_eq!(kept.len(), count);
            assert!(kept.iter().all(|&number| number == 0));
            for (number, place) in (7..).zip(&mut *kept) {
                *place = number;
            }
            assert!(kept.clone().iter().copied().eq((7..).take(count)));
        }
    }
}
