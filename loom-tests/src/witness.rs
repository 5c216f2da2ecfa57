//! Values whose lives loom watches.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::atomic::AtomicUsize as Ghost;
use weakly::{Arc, Weak};

/// How many [`Witness`]es have been destroyed. A loom atomic, so that loom explores both orders of a destructor and a look.
#[derive(Clone, Debug)]
pub struct Drops(std::sync::Arc<AtomicUsize>);

impl Drops {
    /// None yet.
    #[expect(clippy::new_without_default, reason = "a loom object, made inside a model")]
    pub fn new() -> Self {
        Drops(std::sync::Arc::new(AtomicUsize::new(0)))
    }

    /// How many by now. By a read-modify-write, which reads the newest; relaxed, so that it orders nothing.
    pub fn now(&self) -> usize {
        self.0.fetch_add(0, Relaxed)
    }
}

/// So many writes has a destroyed [`Witness`].
const GONE: u32 = u32::MAX;

/// A value that tells loom of every use of it, and [`Drops`] of its end.
#[derive(Debug)]
pub struct Witness {
    cell: UnsafeCell<u32>,
    drops: Drops,
}

// SAFETY: loom checks every access to the cell for races, which is what a witness is for.
unsafe impl Sync for Witness {}

impl Witness {
    /// A value that `drops` counts.
    pub fn new(drops: &Drops) -> Self {
        Witness { cell: UnsafeCell::new(0), drops: drops.clone() }
    }

    /// What a shared owner does: loom reports a write that isn't ordered against it.
    pub fn read(&self) -> u32 {
        // SAFETY: loom reports a race.
        let writes = self.cell.with(|p| unsafe { *p });
        assert_ne!(writes, GONE, "a look at a destroyed value");
        writes
    }

    /// A write by a shared reference, for a value whose users keep apart by other means.
    pub fn touch(&self) {
        // SAFETY: loom reports a race.
        self.cell.with_mut(|p| unsafe { *p += 1 });
    }

    /// What a unique owner does: loom reports any use that isn't ordered against it.
    pub fn write(&mut self) {
        // SAFETY: loom reports a race.
        self.cell.with_mut(|p| unsafe { *p += 1 });
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // a failed model is unwound
        }
        // SAFETY: loom reports a race.
        let writes = self.cell.with_mut(|p| unsafe { p.replace(GONE) });
        assert_ne!(writes, GONE, "destroyed twice");
        self.drops.0.fetch_add(1, Relaxed);
    }
}

/// The owners of one object, counted outside of loom, those included that are just being made or dropped.
///
/// Checks promise P7 in its strict form: when the last of overlapping drops has returned, the value is gone. A count outside
/// of loom is exact: loom changes threads only at its own operations, so this changes together with the one before it.
#[derive(Clone, Debug)]
pub struct Owners {
    handles: std::sync::Arc<Ghost>,
    drops: Drops,
}

impl Owners {
    /// An object with one owner.
    pub fn one() -> (Owners, Arc<Witness>) {
        let drops = Drops::new();
        let arc = Arc::new(Witness::new(&drops));
        (Owners { handles: std::sync::Arc::new(Ghost::new(1)), drops }, arc)
    }

    /// One owner more.
    pub fn more(&self, arc: &Arc<Witness>) -> Arc<Witness> {
        self.handles.fetch_add(1, Relaxed);
        Arc::clone(arc)
    }

    /// One owner more, unless the object is dead. Reads the value.
    pub fn upgrade(&self, weak: &Weak<Witness>) -> Option<Arc<Witness>> {
        self.handles.fetch_add(1, Relaxed);
        let arc = weak.upgrade();
        match &arc {
            Some(arc) => _ = arc.read(),
            None => self.less(),
        }
        arc
    }

    /// Reads the value, and drops.
    pub fn drop(&self, arc: Arc<Witness>) {
        arc.read();
        drop(arc);
        self.less();
    }

    /// An owner has gone by another way than [`drop`](Self::drop), and with it perhaps the value.
    pub fn less(&self) {
        if self.handles.fetch_sub(1, Relaxed) == 1 {
            assert_eq!(self.drops.now(), 1, "P7: all owners' drops have returned, and the value is not destroyed");
        }
    }

    /// All have gone: the value was destroyed once.
    pub fn all_gone(&self) {
        assert_eq!(self.handles.load(Relaxed), 0, "the model forgot an owner");
        assert_eq!(self.drops.now(), 1, "destroyed once");
    }
}
