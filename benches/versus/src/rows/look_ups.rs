//! Looking keys up, every value alive: what rows of hits and rows of misses share.
//!
//! A look-up that finds ends with an owned strong pointer, which is then read and dropped; ours `read`, and only it, ends
//! with a borrow under the guard. Guards are renewed after [`BATCH`] look-ups on every side. The caches hold their values
//! themselves, and so need no upgrade.

use super::{Goal, Row, Shape, asking, short, thread_count};
use crate::harness::{Entrant, Side};
use crate::keys::{Choice, Rng, Stream, key};
use crate::subjects::{
    Cache, DashMap, Guarded, LockedTable, Moka, Papaya, Payload, QuickCache, SccIndex, SccMap, SharedTable, Strong,
    WeakMap, WeakValueMap, payload,
};
use std::cell::LazyCell;
use std::hint::black_box;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Look-ups under one guard.
const BATCH: usize = 1_000;

/// Ours, each call on its own.
pub const GET: &str = "get (pins each call)";
/// Ours, many calls under one guard.
pub const GET_HELD: &str = "get, guard held";
/// Ours of deferred values, many calls under one guard.
pub const READ_HELD: &str = "read, guard held";
/// What most programs have.
pub const DASHMAP: &str = "DashMap";
const PAPAYA: &str = "papaya";
const PAPAYA_HELD: &str = "papaya, guard held";
const SCC_MAP: &str = "scc HashMap";
const SCC_INDEX: &str = "scc HashIndex";
const SCC_INDEX_HELD: &str = "scc HashIndex, guard held";
const LOCKED_TABLE: &str = "Mutex<weak_table>";
const SHARED_TABLE: &str = "RwLock<weak_table>";
const QUICK_CACHE: &str = "quick_cache";
const MOKA: &str = "moka";
const FLOOR: &str = "hashbrown, borrowed";

/// Whom [`GET`] is to beat.
pub const PEERS: &[&str] = &[DASHMAP, PAPAYA, SCC_MAP, SCC_INDEX, SHARED_TABLE, QUICK_CACHE, MOKA];
/// Whom [`GET_HELD`] and [`READ_HELD`] are to beat.
pub const PEERS_HELD: &[&str] = &[DASHMAP, PAPAYA_HELD];

/// The columns of a section of look-ups.
pub const SHAPE: Shape = Shape { base: DASHMAP, columns: &[PAPAYA_HELD, GET, GET_HELD, READ_HELD] };

/// Which keys are looked up.
#[derive(Clone, Copy)]
pub enum Sought {
    /// Those of the map.
    Present,
    /// As many others.
    Absent,
}

impl Sought {
    fn ranks(self, keys: usize) -> Range<usize> {
        match self {
            Sought::Present => 0..keys,
            Sought::Absent => keys..2 * keys,
        }
    }

    fn found(self, asked: usize) -> usize {
        match self {
            Sought::Present => asked,
            Sought::Absent => 0,
        }
    }
}

/// Look-ups of `choice` keys, which the title calls `name`, by so many threads.
pub fn row(
    section: &str,
    sought: Sought,
    (name, choice, subjects): (&str, Choice, &Shared),
    threads: usize,
    goals: Vec<Goal>,
) -> Row {
    let (keys, subjects) = (subjects.keys, Rc::clone(&subjects.subjects));
    let title = format!("{name} {} keys, {}", short(keys), thread_count(threads));
    let id = format!("{section}/{choice:?}-{}/{threads}t", short(keys)).to_lowercase().replace(' ', "");
    Row::new(id, title, goals, move || {
        let streams: Vec<_> = (0..threads).map(|thread| Stream::draw(choice, sought.ranks(keys), thread)).collect();
        entrants(&subjects, sought, &streams)
    })
}

/// The maps of one size, filled when the first row needs them and freed after the last.
pub struct Shared {
    /// How many entries each has.
    pub keys: usize,
    subjects: Rc<LazyCell<Subjects, Box<dyn FnOnce() -> Subjects>>>,
}

/// The maps of this size.
pub fn shared(keys: usize) -> Shared {
    let fill: Box<dyn FnOnce() -> Subjects> = Box::new(move || Subjects::fill(keys));
    Shared { keys, subjects: Rc::new(LazyCell::new(fill)) }
}

struct Subjects {
    ours: Arc<Filled<WeakValueMap<Payload>>>,
    deferred: Arc<Filled<WeakValueMap<Payload>>>,
    dashmap: Arc<Filled<DashMap<Payload>>>,
    papaya: Arc<Filled<Papaya<Payload>>>,
    scc_map: Arc<Filled<SccMap<Payload>>>,
    scc_index: Arc<Filled<SccIndex<Payload>>>,
    locked_table: Arc<Filled<LockedTable<Payload>>>,
    shared_table: Arc<Filled<SharedTable<Payload>>>,
    quick_cache: Arc<QuickCache>,
    moka: Arc<Moka>,
    floor: Arc<Strong>,
}

impl Subjects {
    fn fill(keys: usize) -> Self {
        let mut keys: Vec<u64> = (0..keys as u64).map(key).collect();
        // So that keys of neighbouring ranks, equally popular, are not neighbours in memory.
        Rng::new(0).shuffle(&mut keys);
        Subjects {
            ours: Filled::of(&keys, weakly::Arc::new),
            deferred: Filled::of(&keys, weakly::Arc::new_deferred),
            dashmap: Filled::of(&keys, Arc::new),
            papaya: Filled::of(&keys, Arc::new),
            scc_map: Filled::of(&keys, Arc::new),
            scc_index: Filled::of(&keys, Arc::new),
            locked_table: Filled::of(&keys, Arc::new),
            shared_table: Filled::of(&keys, Arc::new),
            quick_cache: cached(&keys),
            moka: cached(&keys),
            floor: Arc::new(Strong::of(&keys)),
        }
    }
}

/// A map and what keeps its entries alive.
pub struct Filled<M: WeakMap<Payload>> {
    /// The map.
    pub map: M,
    _values: Vec<M::Strong>,
}

impl<M: WeakMap<Payload>> Filled<M> {
    /// The map of these keys.
    pub fn of(keys: &[u64], strong: impl Fn(Payload) -> M::Strong) -> Arc<Self> {
        let map = M::empty();
        let enter = |&key: &u64| {
            let value = strong(payload(key));
            map.insert(key, &value);
            value
        };
        let values = keys.iter().map(enter).collect();
        assert_eq!(map.len(), keys.len());
        Arc::new(Filled { map, _values: values })
    }
}

/// A cache of these keys.
fn cached<C: Cache>(keys: &[u64]) -> Arc<C> {
    let cache = C::with_room(keys.len());
    for &key in keys {
        cache.get_or_load(key, || payload(key));
    }
    Arc::new(cache)
}

fn entrants(subjects: &Subjects, sought: Sought, streams: &[Stream]) -> Vec<Entrant> {
    use Side::{Floor, Ours, Peer};
    let (s, asked) = (subjects, (sought, streams));
    vec![
        entrant(GET, Ours, asked, &s.ours, per_call),
        entrant(GET_HELD, Ours, asked, &s.ours, held),
        entrant(READ_HELD, Ours, asked, &s.deferred, read_held),
        entrant(DASHMAP, Peer, asked, &s.dashmap, per_call),
        entrant(PAPAYA, Peer, asked, &s.papaya, per_call),
        entrant(PAPAYA_HELD, Peer, asked, &s.papaya, held),
        entrant(SCC_MAP, Peer, asked, &s.scc_map, per_call),
        entrant(SCC_INDEX, Peer, asked, &s.scc_index, per_call),
        entrant(SCC_INDEX_HELD, Peer, asked, &s.scc_index, held),
        entrant(LOCKED_TABLE, Peer, asked, &s.locked_table, per_call),
        entrant(SHARED_TABLE, Peer, asked, &s.shared_table, per_call),
        entrant(QUICK_CACHE, Peer, asked, &s.quick_cache, from_cache),
        entrant(MOKA, Peer, asked, &s.moka, from_cache),
        entrant(FLOOR, Floor, asked, &s.floor, floor),
    ]
}

/// An entrant whose threads each look their own stream up, a batch at a time.
fn entrant<S: Send + Sync + 'static>(
    name: &'static str,
    side: Side,
    (sought, streams): (Sought, &[Stream]),
    subject: &Arc<S>,
    look_up: fn(&S, &[u64]) -> Found,
) -> Entrant {
    asking(name, side, streams, subject, BATCH, move |subject, keys| {
        let found = look_up(subject, keys);
        assert_eq!(found.count, sought.found(keys.len()), "{name} has found other keys than are there");
        black_box(found.sum);
    })
}

/// What a batch found: every value was reached, and one word of it read.
#[derive(Default)]
struct Found {
    count: usize,
    sum: u64,
}

impl FromIterator<u64> for Found {
    fn from_iter<I: IntoIterator<Item = u64>>(words: I) -> Self {
        words
            .into_iter()
            .fold(Found::default(), |found, word| Found { count: found.count + 1, sum: found.sum.wrapping_add(word) })
    }
}

fn per_call<M: WeakMap<Payload>>(filled: &Filled<M>, keys: &[u64]) -> Found {
    keys.iter().filter_map(|&key| filled.map.get(key)).map(|value| value[0]).collect()
}

fn held<M: Guarded<Payload>>(filled: &Filled<M>, keys: &[u64]) -> Found {
    let guard = filled.map.guard();
    keys.iter().filter_map(|&key| filled.map.get_under(&guard, key)).map(|value| value[0]).collect()
}

fn read_held(filled: &Filled<WeakValueMap<Payload>>, keys: &[u64]) -> Found {
    let pinned = filled.map.pin();
    keys.iter().filter_map(|key| pinned.read(key)).map(|value| value[0]).collect()
}

fn from_cache<C: Cache>(cache: &C, keys: &[u64]) -> Found {
    keys.iter().filter_map(|&key| cache.get(key)).map(|value| value[0]).collect()
}

fn floor(map: &Strong, keys: &[u64]) -> Found {
    keys.iter().filter_map(|&key| map.read(key)).map(|value| value[0]).collect()
}
