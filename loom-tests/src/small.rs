//! A collection for the models, over the crate's table: one key, and an entry that holds as many objects weakly as it is told.

use crate::Witness;
use loom::sync::Arc as Shared;
use std::cell::RefCell;
use std::panic::Location;
use weakly::internals::{Entry, Fresh, Hashed, Head, Held, Hold, Hook, Later, Look, Made, Node, Place, Survey, Table};
use weakly::{Arc, Guard, ObserverKind, pin};

/// What an entry holds: `N` objects, with a hook each, the same object twice perhaps.
#[derive(Debug)]
pub struct Objects<const N: usize>([Held<Witness>; N]);

impl<const N: usize> Entry for Objects<N> {
    type Hooks = [Hook; N];
    type Key = ();
    type Share = ();
    const KINDS: [ObserverKind; 2] = [ObserverKind::KeyEntry, ObserverKind::ValueEntry];
    const DROPS_USER_CODE: bool = false;

    fn hooks(make: impl FnMut(usize) -> Hook) -> [Hook; N] {
        std::array::from_fn(make)
    }
    fn head(&self, i: usize) -> &Head<Hook> {
        <Arc<Witness>>::head(&self.0[i])
    }
    fn with_key(&self, tell: impl FnOnce(&())) {
        tell(&());
    }
    unsafe fn take_share(&self) {}
    fn bytes(&self) -> usize {
        0
    }
}

// SAFETY: a weak count is any thread's.
unsafe impl<const N: usize> Send for Objects<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Objects<N> {}

/// A map of one key to `N` objects, all held weakly: an entry is alive while all are.
#[derive(Debug)]
pub struct Small<const N: usize>(Table<Objects<N>>);

/// A handle to a map; the last one drops it.
pub type Handle<const N: usize> = Shared<Small<N>>;

const KEY: Hashed = Hashed(1);

/// Owners that are dropped where deaths may run: with no guard held.
type Owned = RefCell<Vec<Arc<Witness>>>;

impl<const N: usize> Small<N> {
    /// Nothing in it.
    #[expect(clippy::new_without_default, reason = "loom objects, made inside a model")]
    pub fn new() -> Self {
        Small(Table::new())
    }

    /// Is the entry alive? Its objects' owners go to `owned`.
    fn look(node: &Node<Objects<N>>, owned: &Owned) -> Look<()> {
        let alive =
            node.entry.0.iter().all(|held| <Arc<Witness>>::revive(held).map(|a| owned.borrow_mut().push(a)).is_some());
        if alive { Look::Hit(()) } else { Look::Dead }
    }

    fn survey<'g>(&'g self, guard: &'g Guard, owned: &Owned) -> Survey<'g, Objects<N>, ()> {
        self.0.survey(guard, KEY, |node| Self::look(node, owned))
    }

    fn fresh(&self, objects: [&Arc<Witness>; N]) -> Fresh<Objects<N>> {
        let entry = Objects(objects.map(<Arc<Witness>>::hold));
        Node::fresh(self.0.core_or_new(), KEY.position(), entry, Location::caller())
    }

    /// Is there a live entry?
    pub fn get(&self) -> bool {
        let owned = Owned::default();
        let guard = pin();
        self.0.find(&guard, KEY, |node| Self::look(node, &owned)).is_some()
    }

    /// Puts an entry of these objects there, over whatever is there now.
    pub fn insert(&self, objects: [&Arc<Witness>; N]) {
        let owned = Owned::default();
        let mut later = Later::new();
        let guard = pin();
        let mut node = self.fresh(objects);
        loop {
            let survey = self.survey(&guard, &owned);
            let done = match survey.hit {
                Some(_) => survey.replace(node, &guard, &mut later),
                None => survey.insert(node, &guard),
            };
            match done {
                Ok(()) => return,
                Err(back) => node = back,
            }
        }
    }

    /// Takes the live entry out, if there is one.
    pub fn remove(&self) {
        let owned = Owned::default();
        let mut later = Later::new();
        let guard = pin();
        loop {
            let survey = self.survey(&guard, &owned);
            if survey.hit.is_none() || survey.remove(&guard, &mut later).is_some() {
                return;
            }
        }
    }

    /// Takes out whatever is there.
    pub fn clear(&self) {
        let mut later = Later::new();
        let guard = pin();
        self.0.clear(&guard, &mut later);
    }

    /// How many live entries a walk sees.
    pub fn walk(&self) -> usize {
        let owned = Owned::default();
        let guard = pin();
        let (mut place, mut seen) = (Place::default(), Made::default());
        while !place.is_end() {
            self.0.step(&guard, &mut place, &mut seen, |node| {
                matches!(Self::look(node, &owned), Look::Hit(())).then_some(())
            });
        }
        seen.items.len()
    }

    /// A writer of some other key: takes the shard's lock, and leaves it.
    pub fn write_elsewhere(&self) {
        let guard = pin();
        if let Some(core) = self.0.core() {
            drop(core.shards()[0].lock(core, &guard));
        }
    }

    /// Moves what is there to a larger array.
    pub fn grow(&self) {
        let guard = pin();
        let room = self.0.capacity(&guard);
        self.0.reserve(room + 1, &guard).expect("room");
    }

    /// Nobody is inside: the map keeps `live` entries and no dead one, in no slot and in no queue.
    pub fn idle(&self, live: usize) {
        idle(&self.0, live);
    }
}

/// Nobody is inside: the table keeps `live` entries and no dead one, in no slot and in no queue.
pub fn idle<E: Entry>(table: &Table<E>, live: usize) {
    assert_eq!(table.len(), live, "len is exact when quiet");
    table.validate();
}
