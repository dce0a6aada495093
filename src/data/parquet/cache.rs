//! The pages of images that were read last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::pages::Page;

/// Bytes of unpacked pages that a data set holds. Samples in the order of the data come from the
/// same page one after the other; shuffled ones hardly ever do.
const LIMIT: usize = 128 << 20;

/// Bytes from which a page that is read again is kept in the temporary file: reading all of it for
/// each of its images would take longer than decoding that image. Files written in another way than
/// `datasets` does may have a page, or a dictionary, for a whole row group.
const LARGE: usize = 16 << 20;

/// File, row group, page.
type Key = (usize, usize, usize);

/// Pages in memory, each read by one thread however many ask for it. The one that was asked for
/// longest ago goes first.
#[derive(Debug)]
pub(in crate::data) struct PageCache {
    slots: Mutex<Slots>,
    limit: usize,
    /// Bytes of a page from which it is large.
    pub(super) large: usize,
}

impl Default for PageCache {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
            limit: LIMIT,
            large: LARGE,
        }
    }
}

#[derive(Debug, Default)]
struct Slots {
    all: HashMap<Key, Slot>,
    clock: u64,
}

#[derive(Debug, Default)]
struct Slot {
    page: Arc<Mutex<Option<Arc<Page>>>>,
    bytes: usize,
    used: u64,
}

impl PageCache {
    /// The page `key`, which `read` reads if it is not here.
    pub(super) fn get<E>(
        &self,
        key: Key,
        read: impl FnOnce() -> Result<Page, E>,
    ) -> Result<Arc<Page>, E> {
        let slot = self.slots().touch(key);
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = &*held {
            return Ok(Arc::clone(page));
        }
        let page = Arc::new(read()?);
        *held = Some(Arc::clone(&page));
        drop(held);
        self.slots().weigh(key, page.bytes, self.limit);
        Ok(page)
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn touch(&mut self, key: Key) -> Arc<Mutex<Option<Arc<Page>>>> {
        self.clock += 1;
        let slot = self.all.entry(key).or_default();
        slot.used = self.clock;
        Arc::clone(&slot.page)
    }

    /// Notes what a page weighs, and lets go of others until all are within the limit.
    fn weigh(&mut self, key: Key, bytes: usize, limit: usize) {
        if let Some(slot) = self.all.get_mut(&key) {
            slot.bytes = bytes;
        }
        let mut total: usize = self.all.values().map(|slot| slot.bytes).sum();
        while total > limit {
            let others = self.all.iter().filter(|(other, _)| **other != key);
            let Some(oldest) = others
                .min_by_key(|(_, slot)| slot.used)
                .map(|(key, _)| *key)
            else {
                return;
            };
            total -= self.all.remove(&oldest).map_or(0, |slot| slot.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use menagerie_core::recipe::DataSource;

    use crate::data::Dataset;

    fn open(name: &str) -> Dataset {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let dataset = Dataset::open(&DataSource {
            paths: vec![fixtures.join("parquet").join(name)],
            images: Some(fixtures.join("images")),
            ..DataSource::default()
        });
        dataset.expect("good data")
    }

    #[test]
    fn pages_that_find_no_room_are_read_again_and_large_ones_from_the_temporary_file() {
        for name in ["many.parquet", "messages-zstd.parquet", "lists-lz4.parquet"] {
            let whole = open(name);
            let mut narrow = open(name);
            narrow.cache.limit = 1;
            let mut unpacking = open(name);
            (unpacking.cache.limit, unpacking.cache.large) = (1, 1);
            for round in 0..3 {
                for index in 0..whole.len() {
                    let expected = whole.images(index).expect("read");
                    for dataset in [&narrow, &unpacking] {
                        let found = dataset.images(index).expect("read");
                        assert!(found == expected, "{name}, sample {index}, round {round}");
                    }
                }
            }
            assert!(
                narrow.unpacked.read(0, 1).is_err(),
                "{name}: nothing is large"
            );
            unpacking.unpacked.read(0, 1).expect("what was read again");
        }
    }
}
