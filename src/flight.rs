//! Loads in flight: one loader a key at a time, and everybody who asks meanwhile waits for it.
//!
//! # Parties and states
//!
//! A *leader* runs the loader; *waiters* wait for its flight, which is `Loading`, then `Loaded` or `Failed`. Flights are listed
//! by the full hash; their keys lie in the nodes that the leaders are going to insert, and nodes go through the epoch.
//!
//! # Steps
//!
//! - *Join*: under a guard, clone the hash's list out; compare keys, outside any lock; a match: wait for it. None: add a flight
//!   of one's own, unless the list has grown by one that was not compared; then join again.
//! - *Lead*: look the map up once more; run the loader; put what it made into the map, or take what another insert has put
//!   there meanwhile; take the flight off the list; publish the outcome, if it is of one's own making; wake. For the moment
//!   between the last look at the map and the flight's end the flight is *sealed*: its key is hidden, and whoever joins that
//!   hash turns round until it is off the list. No user code runs in that moment.
//! - *Wait*: note in the table of waits whom one waits for; if that chain leads back, panic; sleep; take the note out. No
//!   outcome: look the map up, and if nothing is there, join again.
//!
//! # Races and who wins
//!
//! *compare / publish, remove and retire*: once the node is in the map, anybody may retire it while its flight is still listed;
//! so the key is hidden first, and whoever read it before is under a guard older than the retirement. *two loaders*: the list,
//! by `add_if`. *load / landing of an earlier one*: the second look at the map comes after the flight
//! is listed, and a leader fills the map before it takes its flight off. *insert / removal / a waiter that comes later*: what a
//! leader found in the map may be gone again before a waiter joins, who must not get it; so that is no outcome. What a leader
//! published is one: it was sealed before, so its waiters have joined before. *loader panics*: its guard takes the flight off and
//! wakes the waiters, one of which leads next. *ring of loaders*: the table of waits is changed and walked under one lock, so
//! the last of the ring sees it whole; a wait whose flight has landed does not count.
//!
//! # Orderings
//!
//! The locks' and the condition variable's. `landed` alone is read without the lock it is written under: a reader that is
//! late sees a wait that is over as one that is not, so the leader sets it before it goes on to anything else, and the table's
//! lock brings that to whoever finds the leader's own next wait in it.
//!
//! # What callers must not do
//!
//! Hold a guard while they wait; look at a flight's key without the guard it was found under.

use crate::sync::{Arc, AtomicBool, AtomicPtr, ByHash, Condvar, Mutex, Ordering, ThreadId, this_thread, waits};
use std::fmt;
use std::ptr::{NonNull, null_mut};

/// A map's loads in flight, of entries `K` that load values `A`.
pub struct Flights<K, A>(ByHash<Arc<Flight<K, A>>>);

// SAFETY: flights are reached by way of their map alone, under a borrow of it: by other threads only if the map is `Sync`, and
// then so are its entries' keys, at which others look, and its values can be sent. A map that is moved has none.
unsafe impl<K, A> Send for Flights<K, A> {}
// SAFETY: as above.
unsafe impl<K, A> Sync for Flights<K, A> {}

/// One load.
pub struct Flight<K, A> {
    /// In the leader's node, which goes through the epoch; null while sealed.
    key: AtomicPtr<K>,
    ticket: Arc<Ticket>,
    outcome: Mutex<Outcome<A>>,
    landed: Condvar,
}

enum Outcome<A> {
    Loading,
    Loaded(A),
    Failed,
}

/// Who leads a flight, and whether it has landed: what the table of waits knows of it.
#[derive(Debug)]
pub struct Ticket {
    leader: ThreadId,
    landed: AtomicBool,
}

/// What came of joining.
pub enum Joined<K, A> {
    /// Run the loader.
    Lead(Arc<Flight<K, A>>),
    /// Wait for it.
    Wait(Arc<Flight<K, A>>),
    /// Join again: a flight of this hash is sealed, or was listed meanwhile.
    Again,
}

impl<K, A> Flights<K, A> {
    /// No load in flight.
    pub fn new() -> Self {
        Flights(ByHash::new())
    }

    /// Finds the flight of `key`, or adds one. The caller holds a guard, and `key` is in a node that goes through the epoch.
    ///
    /// The flights that it looked at are left in `listed`: one that has landed owns a value, perhaps as the last, so they are
    /// dropped when the guard has gone.
    pub fn join(
        &self,
        hash: u64,
        key: NonNull<K>,
        mut same: impl FnMut(&K) -> bool,
        listed: &mut Vec<Arc<Flight<K, A>>>,
    ) -> Joined<K, A> {
        *listed = self.0.get(hash);
        for flight in &*listed {
            // Acquire: pairs with the Release of `seal` and with the list's lock.
            // SAFETY: not hidden when we looked, so its node was not retired before the caller's guard was taken.
            match unsafe { flight.key.load(Ordering::Acquire).as_ref() } {
                None => return Joined::Again, // about to land
                Some(key) if same(key) => return Joined::Wait(Arc::clone(flight)),
                Some(_) => {}
            }
        }
        let mine = Arc::new(Flight {
            key: AtomicPtr::new(key.as_ptr()),
            ticket: Arc::new(Ticket { leader: this_thread(), landed: AtomicBool::new(false) }),
            outcome: Mutex::new(Outcome::Loading),
            landed: Condvar::new(),
        });
        let is_known = |there: &Arc<Flight<K, A>>| listed.iter().any(|known| Arc::ptr_eq(known, there));
        if self.0.add_if(hash, Arc::clone(&mine), is_known) { Joined::Lead(mine) } else { Joined::Again }
    }

    /// The leader is done: takes the flight off the list, and wakes who waits.
    pub fn land(&self, hash: u64, flight: &Arc<Flight<K, A>>, loaded: Option<A>) {
        drop(self.0.take(hash, |there| Arc::ptr_eq(there, flight)));
        let mut outcome = flight.outcome.lock();
        *outcome = loaded.map_or(Outcome::Failed, Outcome::Loaded);
        // Release: pairs with the Acquire in `wait`: a thread that counts this wait as over may find the leader elsewhere.
        flight.ticket.landed.store(true, Ordering::Release);
        drop(outcome);
        flight.landed.notify_all();
    }
}

impl<K, A: Clone> Flight<K, A> {
    /// Hides the key: the node is about to be published, and no user code runs before it is or is not.
    pub fn seal(&self) {
        // Release: pairs with the Acquire in `join`: hidden before the node can be retired.
        self.key.store(null_mut(), Ordering::Release);
    }

    /// Shows the key again: the node was not published.
    pub fn unseal(&self, key: NonNull<K>) {
        // Release: pairs with the Acquire in `join`.
        self.key.store(key.as_ptr(), Ordering::Release);
    }

    /// Waits for the outcome; `None`: the loader failed, so join again. No guard is held.
    ///
    /// # Panics
    /// If the wait would never end: the loader of this very flight, or a ring of loaders, waits for itself.
    pub fn wait(&self) -> Option<A> {
        let _noted = Noted::wait_for(&self.ticket);
        let mut outcome = self.outcome.lock();
        loop {
            match &*outcome {
                Outcome::Loading => self.landed.wait(&mut outcome),
                Outcome::Loaded(a) => return Some(a.clone()),
                Outcome::Failed => return None,
            }
        }
    }
}

impl<K, A> fmt::Debug for Flights<K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

/// A note in the table of waits, taken out when dropped.
struct Noted(ThreadId);

impl Noted {
    fn wait_for(ticket: &Arc<Ticket>) -> Self {
        let me = this_thread();
        let mut table = waits().lock();
        let mut next = Some(ticket);
        while let Some(on) = next {
            // Acquire: pairs with the Release in `land`.
            if on.landed.load(Ordering::Acquire) {
                break;
            }
            if on.leader == me {
                drop(table);
                panic!("deadlock: a loader waits for itself, alone or in a ring with loaders of other threads");
            }
            next = table.get(&on.leader);
        }
        table.insert(me, Arc::clone(ticket));
        Noted(me)
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let taken = waits().lock().remove(&self.0);
        drop(taken);
    }
}
