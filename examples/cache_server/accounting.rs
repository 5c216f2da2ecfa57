//! What the cache counts, and the sums that must come out.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weakly::{Cause, Stats};

/// How a request came by its tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was alive in the map.
    Hit,
    /// This request's own loader made it.
    Load,
    /// It was not there, but the loader of another request was making it: one load served both.
    Coalesced,
}

impl Outcome {
    pub const ALL: [Outcome; 3] = [Outcome::Hit, Outcome::Load, Outcome::Coalesced];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Hit => "hit",
            Outcome::Load => "load",
            Outcome::Coalesced => "coalesced",
        }
    }
}

/// Why an entry left the map, with the name that the figures give it.
pub const CAUSES: [(Cause, &str); 4] =
    [(Cause::Died, "died"), (Cause::Removed, "removed"), (Cause::Replaced, "replaced"), (Cause::Cleared, "cleared")];

/// One count of events. Relaxed: counts are only compared when the threads that made them are done.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Default)]
pub struct Counters {
    /// Tiles handed out, by `Outcome`.
    pub served: [Count; 3],
    /// Requests whose loader failed.
    pub failed: Count,
    pub rendered: Count,
    pub reread: Count,
    /// Loaders that found another one of the same tile at work.
    pub overlaps: Count,
}

/// Removal notices as the map's listener hears them, in the order of `CAUSES`.
#[derive(Default)]
pub struct Notices([Count; 4]);

impl Notices {
    pub fn add(&self, cause: Cause) {
        if let Some(place) = CAUSES.iter().position(|(known, _)| *known == cause) {
            self.0[place].add();
        }
    }
}

/// All counts at one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    served: [u64; 3],
    notices: [u64; 4],
    counted_by_map: [u64; 4],
    pub failed: u64,
    pub rendered: u64,
    pub reread: u64,
    pub overlaps: u64,
    pub live: u64,
    pub pending: u64,
    pub loading: u64,
}

impl Figures {
    pub fn read(counters: &Counters, notices: &Notices, map: &Stats, loading: u64) -> Figures {
        Figures {
            served: counters.served.each_ref().map(Count::get),
            notices: notices.0.each_ref().map(Count::get),
            counted_by_map: [map.died, map.removed, map.replaced, map.cleared],
            failed: counters.failed.get(),
            rendered: counters.rendered.get(),
            reread: counters.reread.get(),
            overlaps: counters.overlaps.get(),
            live: map.len as u64,
            pending: map.pending_removals as u64,
            loading,
        }
    }

    pub fn served(&self, outcome: Outcome) -> u64 {
        self.served[outcome as usize]
    }

    /// Requests for a tile that were answered, with or without one.
    pub fn requests(&self) -> u64 {
        self.served.iter().sum::<u64>() + self.failed
    }

    /// Entries put into the map: only loaders put any, one for each load.
    pub fn inserted(&self) -> u64 {
        self.served(Outcome::Load)
    }

    /// The notices with the names of their causes.
    pub fn notices(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CAUSES.iter().map(|(_, name)| *name).zip(self.notices)
    }

    /// The share of the requests that found their tile alive, from 0 to 1.
    pub fn hit_rate(&self) -> f64 {
        self.served(Outcome::Hit) as f64 / self.requests().max(1) as f64
    }

    /// Whether the books balance. To be asked when no request is under way.
    pub fn check(&self) -> Result<(), String> {
        let gone: u64 = self.notices.iter().sum();
        let rules = [
            (self.overlaps == 0, "a tile had two loaders at once"),
            (self.failed == 0, "a load failed"),
            (self.inserted() == self.live + gone, "inserted is not live + notices"),
            (self.inserted() == self.rendered + self.reread, "a load was lost between loader and map"),
            (self.notices == self.counted_by_map, "the listener and the map count notices differently"),
            (self.pending == 0, "dead entries are pending in an idle map"),
            (self.loading == 0, "a loader is at work with no request under way"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(format!("{broken}: {self:?}")),
            None => Ok(()),
        }
    }
}
