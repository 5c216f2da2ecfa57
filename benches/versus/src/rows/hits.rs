//! Looking up keys that are there, every value alive.
//!
//! A look-up ends with an owned strong pointer, which is then read and dropped; ours `read`, and only it, ends with a
//! borrow under the guard. Guards are renewed after [`BATCH`] look-ups on every side.

use super::{Goal, Row, Section, Shape, short, thread_count};
use crate::harness::{Entrant, Side};
use crate::keys::{Choice, Rng, Stream, key};
use crate::subjects::{
    DashMap, Guarded, LockedTable, Papaya, Payload, SccIndex, SccMap, Strong, WeakMap, WeakValueMap, payload,
};
use std::cell::LazyCell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

/// Look-ups under one guard.
const BATCH: usize = 1_000;

const GET: &str = "get (pins each call)";
const GET_HELD: &str = "get, guard held";
const READ_HELD: &str = "read, guard held";
const DASHMAP: &str = "DashMap";
const PAPAYA: &str = "papaya";
const PAPAYA_HELD: &str = "papaya, guard held";
const SCC_MAP: &str = "scc HashMap";
const SCC_INDEX: &str = "scc HashIndex";
const SCC_INDEX_HELD: &str = "scc HashIndex, guard held";
const LOCKED_TABLE: &str = "Mutex<weak_table>";
const FLOOR: &str = "hashbrown, borrowed";

pub fn section() -> Section {
    let small = shared(10_000);
    let large = shared(1_000_000);
    let workloads = [
        ("uniform", Choice::Uniform, &small),
        ("uniform", Choice::Uniform, &large),
        ("Zipf", Choice::Zipf, &large),
        ("one hot key of", Choice::Hot, &small),
    ];
    let row = |(name, choice, subjects)| [1, 2].map(|threads| row(name, choice, subjects, threads));
    let rows = workloads.into_iter().flat_map(row).collect();
    let shape = Shape { base: DASHMAP, columns: &[PAPAYA_HELD, GET, GET_HELD, READ_HELD] };
    Section { title: "Hits", shape, rows }
}

/// The ratios to DashMap's time that a sketch of the table reached, and the crate is not to fall below.
fn goals(choice: Choice, keys: usize, threads: usize) -> Vec<Goal> {
    let [get, held, read] = match (choice, keys, threads) {
        (Choice::Uniform, 10_000, 1) => [0.91, 1.77, 2.30],
        (Choice::Uniform, 10_000, 2) => [1.95, 2.86, 4.31],
        (Choice::Uniform, 1_000_000, 2) => [1.29, 1.57, 2.03],
        (Choice::Zipf, 1_000_000, 2) => [1.52, 1.83, 2.37],
        (Choice::Hot, 10_000, 2) => [2.36, 3.81, 22.1],
        _ => return Vec::new(),
    };
    let goal = |face, ratio| Goal { face, peers: &[DASHMAP], ratio };
    vec![goal(GET, get), goal(GET_HELD, held), goal(READ_HELD, read)]
}

fn row(name: &str, choice: Choice, subjects: &Shared, threads: usize) -> Row {
    let (keys, subjects) = (subjects.keys, Rc::clone(&subjects.subjects));
    let title = format!("{name} {} keys, {}", short(keys), thread_count(threads));
    let id = format!("hits/{choice:?}-{}/{threads}t", short(keys)).to_lowercase().replace(' ', "");
    Row::new(id, title, goals(choice, keys, threads), move || {
        let streams: Vec<_> = (0..threads).map(|thread| Stream::draw(choice, 0..keys, thread)).collect();
        entrants(&subjects, &streams)
    })
}

/// The maps of one size, filled when the first row needs them and freed after the last.
struct Shared {
    keys: usize,
    subjects: Rc<LazyCell<Subjects, Box<dyn FnOnce() -> Subjects>>>,
}

fn shared(keys: usize) -> Shared {
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
            floor: Arc::new(Strong::of(&keys)),
        }
    }
}

/// A map and what keeps its entries alive.
struct Filled<M: WeakMap<Payload>> {
    map: M,
    _values: Vec<M::Strong>,
}

impl<M: WeakMap<Payload>> Filled<M> {
    fn of(keys: &[u64], strong: impl Fn(Payload) -> M::Strong) -> Arc<Self> {
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

fn entrants(subjects: &Subjects, streams: &[Stream]) -> Vec<Entrant> {
    use Side::{Floor, Ours, Peer};
    let s = subjects;
    vec![
        entrant(GET, Ours, streams, &s.ours, per_call),
        entrant(GET_HELD, Ours, streams, &s.ours, held),
        entrant(READ_HELD, Ours, streams, &s.deferred, read_held),
        entrant(DASHMAP, Peer, streams, &s.dashmap, per_call),
        entrant(PAPAYA, Peer, streams, &s.papaya, per_call),
        entrant(PAPAYA_HELD, Peer, streams, &s.papaya, held),
        entrant(SCC_MAP, Peer, streams, &s.scc_map, per_call),
        entrant(SCC_INDEX, Peer, streams, &s.scc_index, per_call),
        entrant(SCC_INDEX_HELD, Peer, streams, &s.scc_index, held),
        entrant(LOCKED_TABLE, Peer, streams, &s.locked_table, per_call),
        entrant(FLOOR, Floor, streams, &s.floor, floor),
    ]
}

/// An entrant whose threads each look their own stream up, a batch at a time.
fn entrant<S: Send + Sync + 'static>(
    name: &'static str,
    side: Side,
    streams: &[Stream],
    subject: &Arc<S>,
    look_up: fn(&S, &[u64]) -> Found,
) -> Entrant {
    Entrant::new(name, side, streams.len(), |thread| {
        let (subject, mut stream) = (Arc::clone(subject), streams[thread].clone());
        move |ops| {
            let mut left = ops as usize;
            while left > 0 {
                let keys = stream.batch(left.min(BATCH));
                let found = look_up(&subject, keys);
                assert_eq!(found.count, keys.len(), "{name} has missed a key that is there");
                black_box(found.sum);
                left -= keys.len();
            }
        }
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

fn floor(map: &Strong, keys: &[u64]) -> Found {
    keys.iter().filter_map(|&key| map.read(key)).map(|value| value[0]).collect()
}
