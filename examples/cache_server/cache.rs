//! The cache: a weak map from a tile's address to the tile, with one loader a tile at a time.
//!
//! The map keeps nothing alive. A tile lives while a response that carries it is in flight or while
//! it is among the recent ones; when the last of these lets go, its entry is out of the map.

use crate::Error;
use crate::accounting::{Counters, Figures, Notices, Outcome};
use crate::spill::Spill;
use crate::tile::{self, Tile, TileId};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use weakly::atomic::AtomicArc;
use weakly::{Arc, WeakValueMap};

pub struct TileCache {
    alive: WeakValueMap<TileId, Tile>,
    recent: Recent,
    spill: Arc<Spill>,
    loading: Loading,
    counters: Counters,
    notices: std::sync::Arc<Notices>,
}

impl TileCache {
    pub fn new(keep: usize, spill: Arc<Spill>) -> TileCache {
        let notices = std::sync::Arc::new(Notices::default());
        let heard = notices.clone();
        TileCache {
            alive: WeakValueMap::builder().on_removal(move |_, cause| heard.add(cause)).build(),
            recent: Recent::new(keep),
            spill,
            loading: Loading::default(),
            counters: Counters::default(),
            notices,
        }
    }

    /// The tile if it is alive. Waits for nothing, so it may run on the runtime's own threads.
    pub fn get(&self, id: TileId) -> Option<Arc<Tile>> {
        let tile = self.alive.get(&id)?;
        self.hand_out(&tile, Outcome::Hit);
        Some(tile)
    }

    /// The tile, loaded by this call or by one that is under way. Blocks for as long as that takes.
    pub fn load(&self, id: TileId) -> Result<(Arc<Tile>, Outcome), Error> {
        let mut outcome = Outcome::Coalesced;
        let loaded = self.alive.get_or_try_insert_with(id, |&id| {
            outcome = Outcome::Load;
            self.run_loader(id)
        });
        let tile = loaded.inspect_err(|_| self.counters.failed.add())?;
        self.hand_out(&tile, outcome);
        Ok((tile, outcome))
    }

    fn hand_out(&self, tile: &Arc<Tile>, outcome: Outcome) {
        self.counters.served[outcome as usize].add();
        self.recent.keep(tile);
    }

    /// From the spill directory if the tile was rendered before, else rendered and spilled.
    fn run_loader(&self, id: TileId) -> Result<Arc<Tile>, Error> {
        let _loading = self.loading.enter(id).inspect_err(|_| self.counters.overlaps.add())?;
        if let Some(png) = self.spill.read(id)? {
            self.counters.reread.add();
            return Ok(Arc::new(Tile { png }));
        }
        let tile = tile::render(id)?;
        self.spill.write(id, &tile.png)?;
        self.counters.rendered.add();
        Ok(Arc::new(tile))
    }

    /// Takes the tile out of the map and off the disk. Whoever holds it may go on using it.
    pub fn forget(&self, id: TileId) -> Result<bool, Error> {
        let was_alive = self.alive.remove(&id).is_some();
        self.spill.forget(id)?;
        Ok(was_alive)
    }

    /// Lets go of the recent tiles: each that no response carries dies here.
    pub fn release_recent(&self) {
        self.recent.clear();
    }

    /// The addresses of the live tiles. Asking keeps none of them alive.
    pub fn alive(&self) -> Vec<TileId> {
        self.alive.keys().collect()
    }

    /// All figures at once. They add up while nothing is under way, else they are off by what is.
    pub fn figures(&self) -> Figures {
        let loading = self.loading.set().len() as u64;
        Figures::read(&self.counters, &self.notices, &self.alive.stats(), loading)
    }
}

/// The tiles of the last responses, held strongly.
struct Recent {
    slots: Box<[AtomicArc<Tile>]>,
    next: AtomicUsize,
}

impl Recent {
    fn new(keep: usize) -> Recent {
        Recent { slots: (0..keep).map(|_| AtomicArc::empty()).collect(), next: AtomicUsize::new(0) }
    }

    /// Takes the place of the oldest one; if nobody else holds that, it dies before this returns.
    fn keep(&self, tile: &Arc<Tile>) {
        // Relaxed: only hands out places; the slot itself publishes the tile.
        let place = self.next.fetch_add(1, Relaxed) % self.slots.len();
        self.slots[place].store(tile.clone());
    }

    fn clear(&self) {
        for slot in &self.slots {
            slot.take();
        }
    }
}

/// The tiles whose loader runs now: the cache's own proof that none ever has two.
#[derive(Default)]
struct Loading(Mutex<HashSet<TileId>>);

impl Loading {
    fn enter(&self, id: TileId) -> Result<Entered<'_>, Error> {
        match self.set().insert(id) {
            true => Ok(Entered(self, id)),
            false => Err(format!("tile {id} has two loaders at once").into()),
        }
    }

    fn set(&self) -> MutexGuard<'_, HashSet<TileId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the set when the loader ends, by a panic too.
struct Entered<'a>(&'a Loading, TileId);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.set().remove(&self.1);
    }
}
