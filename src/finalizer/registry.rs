//! The registry: keeps every finalizer that is still to run, by its number, so that an exit finds it.
//!
//! # Parties and states
//!
//! Registrars; claimers, who take what they have ended out again; exits, which look. An entry is in the map from its
//! registration until its claimer is through.
//!
//! # Steps
//!
//! *Register*: draw a number, build the finalizer whole, then insert it. *End*: remove, and drop what was removed outside
//! the map; now and then, give memory back. *Exit*: draw a mark first, then collect the numbers below it; each is looked up again when its turn comes, so
//! nothing is held meanwhile. What comes later has a number at or above the mark.
//!
//! # Races and who wins
//!
//! *register / exit*: a registration that hasn't returned when the exit draws its mark may be missed; one that has is seen,
//! or has ended. *end / exit*: whoever looks up too late finds nothing, which is what "ended" means.
//!
//! # Orderings
//!
//! The shard's lock orders an entry's content. Numbers only have to differ, and grow along any one thread.
//!
//! # What callers must not do
//!
//! Run user code, its destructors included, under a shard's lock: entries are cloned or moved out, never visited at
//! length; so no `retain`, no `clear`.

#[cfg(not(weakly_loom))]
use super::exit;
use super::handle::{Entry, Mark};
use crate::ptr::Arc;
use crate::sync::{AtomicBool, AtomicU64, FINALIZERS_A_SHRINK, Ordering, Sharded};

/// All finalizers of the process.
pub struct Registry {
    entries: Sharded<u64, Arc<dyn Entry>>,
    next: AtomicU64,
    /// The process that first asked for the registry; in a forked child it is not ours to run.
    process: u32,
    /// The process's own exit run has ended: no finalizer starts any more.
    closed: AtomicBool,
}

#[cfg(not(weakly_loom))]
static REGISTRY: std::sync::OnceLock<Registry> = std::sync::OnceLock::new();
#[cfg(weakly_loom)]
loom::lazy_static! {
    static ref REGISTRY: Registry = Registry::new();
}

/// The one registry. The first call, which is the first registration's at the latest, installs the exit handler.
#[cfg(not(weakly_loom))]
pub fn registry() -> &'static Registry {
    REGISTRY.get_or_init(|| {
        exit::install();
        Registry::new()
    })
}

/// The registry, unless it has not been made. Never waits for whoever is making it, which in a forked child is nobody.
#[cfg(not(weakly_loom))]
pub fn made() -> Option<&'static Registry> {
    REGISTRY.get()
}

#[cfg(weakly_loom)]
pub fn registry() -> &'static Registry {
    &REGISTRY
}

#[cfg(weakly_loom)]
pub fn made() -> Option<&'static Registry> {
    Some(&REGISTRY)
}

/// Which process this is, where one can be forked.
fn process() -> u32 {
    if cfg!(unix) { std::process::id() } else { 0 }
}

impl Registry {
    fn new() -> Self {
        Registry {
            entries: Sharded::new(),
            next: AtomicU64::new(0),
            process: process(),
            closed: AtomicBool::new(false),
        }
    }

    /// A number that no other finalizer has; later ones are higher.
    pub fn draw(&self) -> u64 {
        // Relaxed: the addition alone makes numbers differ and grow; see the module's races for what an exit sees.
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Every number below it has been drawn, none at or above it.
    pub fn mark(&self) -> u64 {
        // Relaxed: on one thread it is after that thread's own draws, by coherence.
        self.next.load(Ordering::Relaxed)
    }

    /// Keeps a finalizer that is built whole.
    pub fn insert(&self, entry: Arc<dyn Entry>) {
        let before = self.entries.insert(entry.mark().id, entry);
        debug_assert!(before.is_none(), "numbers are drawn once");
    }

    /// The finalizer of this number, if it has not ended.
    pub fn get(&self, id: u64) -> Option<Arc<dyn Entry>> {
        self.entries.get(&id)
    }

    /// Forgets a finalizer that has ended. Its claimer has taken the user's code out, so nothing of that is dropped here.
    pub fn forget(&self, id: u64) {
        drop(self.entries.remove(&id));
        if id.is_multiple_of(FINALIZERS_A_SHRINK) {
            self.entries.shrink();
        }
    }

    /// The numbers below `mark` that are there, newest last.
    pub fn below(&self, mark: u64) -> Vec<u64> {
        let mut ids = Vec::new();
        self.entries.for_each(|&id, _| {
            if id < mark {
                ids.push(id);
            }
        });
        ids.sort_unstable();
        ids
    }

    /// How many finalizers satisfy `is`, which only looks at the mark.
    pub fn count(&self, is: impl Fn(&Mark) -> bool) -> usize {
        let mut n = 0;
        self.entries.for_each(|_, entry| n += usize::from(is(entry.mark())));
        n
    }

    /// May an exit run anything: is this the process that registered, and has its own exit run not ended?
    pub fn is_open(&self) -> bool {
        self.process == process() && !self.is_closed()
    }

    /// Has the process's own exit run ended?
    pub fn is_closed(&self) -> bool {
        // Relaxed: a hint to threads that race the end of the process; none of them is waited for.
        self.closed.load(Ordering::Relaxed)
    }

    /// From now on no finalizer starts.
    pub fn close(&self) {
        // Relaxed: see `is_closed`.
        self.closed.store(true, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(weakly_loom)))]
mod tests {
    use super::*;
    use crate::{Finalizer, finalize};

    #[test]
    fn what_has_ended_is_forgotten() {
        let object = Arc::new(());
        let ended = |end: fn(&Finalizer<()>)| {
            let finalizer = finalize(&object, || ());
            let id = finalizer.info().unwrap().id;
            assert!(registry().get(id).is_some());
            end(&finalizer);
            assert!(registry().get(id).is_none());
        };
        ended(|finalizer| _ = finalizer.call());
        ended(|finalizer| drop(finalizer.detach()));
        let at_death = finalize(&object, || ()).info().unwrap().id;
        drop(object);
        assert!(registry().get(at_death).is_none());
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes too many objects")]
    fn memory_follows_what_is_registered() {
        const MANY: usize = 50_000;
        let objects: Vec<_> = (0..MANY).map(Arc::new).collect();
        for object in &objects {
            finalize(object, || ());
        }
        assert!(registry().entries.capacity() >= MANY);
        drop(objects);
        for n in 0..FINALIZERS_A_SHRINK {
            finalize(&Arc::new(n), || ());
        }
        assert!(registry().entries.capacity() < MANY / 2);
    }
}
