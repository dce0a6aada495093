//! The pages of images that were read last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::pages::Page;

/// Bytes of unpacked pages that a data set holds. Samples in the order of the data come from the
/// same page one after the other; shuffled ones hardly ever do.
const LIMIT: usize = 256 << 20;

/// File, row group, page.
type Key = (usize, usize, usize);

/// Pages in memory, each read by one thread however many ask for it. The one that was asked for
/// longest ago goes first.
#[derive(Debug, Default)]
pub(in crate::data) struct PageCache {
    slots: Mutex<Slots>,
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
        self.slots().weigh(key, page.bytes);
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
    fn weigh(&mut self, key: Key, bytes: usize) {
        if let Some(slot) = self.all.get_mut(&key) {
            slot.bytes = bytes;
        }
        let mut total: usize = self.all.values().map(|slot| slot.bytes).sum();
        while total > LIMIT {
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
