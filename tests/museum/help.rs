//! What the museum's rooms share besides the common machinery: rounds in step, and a guest whose destructor is a hook.

use crate::common::{Hook, Over, sized};
use std::hash::{Hash, Hasher};
use std::hint::spin_loop;
use std::sync::Arc as StdArc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use weakly::std_arc::{Anchor, Anchored};
use weakly::{Arc, Weak, WeakList};

/// Runs every part on a thread of its own, round for round: none begins a round before all have ended the one before, so
/// whatever a round holds for them, they come to it at once.
pub fn in_step<const N: usize>(rounds: usize, parts: [&(dyn Fn(usize) + Sync); N]) {
    let (arrived, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for part in parts {
            let (arrived, over) = (&arrived, &over);
            scope.spawn(move || {
                let _over = Over(over); // a panic in one part ends the others' wait
                for round in 0..rounds {
                    arrived.fetch_add(1, SeqCst);
                    let mut spun = 0;
                    while arrived.load(SeqCst) < (round + 1) * N {
                        if over.load(SeqCst) && arrived.load(SeqCst) < (round + 1) * N {
                            return;
                        }
                        spun += 1;
                        // To start at once one must not sleep; but there may be fewer cores than parts.
                        if spun < sized(500, 0) { spin_loop() } else { thread::yield_now() }
                    }
                    part(round);
                }
            });
        }
    });
}

/// Things that a round's parts take, each once.
pub struct Shelf<T>(Vec<Mutex<Option<T>>>);

impl<T> Shelf<T> {
    /// One thing a round.
    pub fn new(things: impl IntoIterator<Item = T>) -> Self {
        Shelf(things.into_iter().map(|thing| Mutex::new(Some(thing))).collect())
    }

    /// This round's.
    pub fn take(&self, round: usize) -> T {
        self.0[round].lock().unwrap().take().expect("taken once")
    }
}

/// Gives an object a long death: its elements in `list` leave before whatever it was put into until now, so that others come
/// to it in between.
pub fn long_death<T: 'static>(object: &Arc<T>, list: &WeakList<T>) {
    (0..sized(200, 10)).for_each(|_| list.push(object));
}

/// Waits for a death, and no moment longer.
pub fn until_dead<T: ?Sized>(weak: &Weak<T>) {
    let mut spun = 0;
    while weak.is_alive() {
        spun += 1;
        if spun < sized(5_000, 0) { spin_loop() } else { thread::yield_now() }
    }
}

/// An object of `std`'s `Arc`: dead before its destructor runs, while its entries leave after it. So the destructor is the very
/// moment between a death and its cleanup.
pub struct Guest {
    /// What it is equal by.
    pub n: u64,
    /// What its destructor does.
    pub on_drop: Hook,
    anchor: Anchor,
}

impl Guest {
    /// A guest whose destructor does nothing yet.
    pub fn new(n: u64) -> StdArc<Self> {
        StdArc::new(Guest { n, on_drop: Hook::default(), anchor: Anchor::new() })
    }
}

impl Anchored for Guest {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.on_drop.run();
    }
}

impl PartialEq for Guest {
    fn eq(&self, other: &Self) -> bool {
        self.n == other.n
    }
}

impl Eq for Guest {}

impl Hash for Guest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.n.hash(state);
    }
}
