//! Insert a fresh value, then drop the oldest, which takes its entry with it: churn at a constant size.
//!
//! Each thread keeps its share of the live values in a ring. Our map notices the deaths itself; a peer's value removes
//! itself in its `Drop`, from a map it keeps alive or from a static. The locked table does neither: its dead entries
//! stay until an insertion needs their room.

use super::{Goal, Row, Section, Shape, short, thread_count};
use crate::harness::{Entrant, Side};
use crate::keys::key;
use crate::subjects::{
    DashMaps, Family, InStatic, LockedTable, Papayas, Payload, Registered, SccIndexes, SccMaps, WeakMap, WeakValueMap,
    payload,
};
use std::sync::Arc;

const OURS: &str = "insert, drop";
const DASHMAP: &str = "DashMap in an Arc";
const DASHMAP_STATIC: &str = "DashMap in a static";
const PAPAYA: &str = "papaya";
const SCC_MAP: &str = "scc HashMap";
const SCC_INDEX: &str = "scc HashIndex";
const LOCKED_TABLE: &str = "Mutex<weak_table>";

pub fn section() -> Section {
    let sizes = [100, 10_000, 1_000_000];
    let rows = sizes.iter().flat_map(|&live| [1, 2].map(|threads| row(live, threads))).collect();
    Section {
        title: "Insert, then die",
        shape: Shape { base: DASHMAP, columns: &[DASHMAP_STATIC, PAPAYA, OURS] },
        rows,
    }
}

/// Where a sketch of the table stood; the crate is not to fall below.
fn goals(live: usize, threads: usize) -> Vec<Goal> {
    let [shared, in_static] = match (live, threads) {
        (10_000, 1) => [0.75, 0.57],
        (10_000, 2) => [0.90, 0.50],
        _ => return Vec::new(),
    };
    vec![
        Goal { face: OURS, peers: &[DASHMAP], ratio: shared },
        Goal { face: OURS, peers: &[DASHMAP_STATIC], ratio: in_static },
    ]
}

fn row(live: usize, threads: usize) -> Row {
    let id = format!("insert-then-die/{}/{threads}t", short(live)).to_lowercase().replace(' ', "");
    let title = format!("{} live, {}", short(live), thread_count(threads));
    Row::new(id, title, goals(live, threads), move || entrants(live, threads))
}

fn entrants(live: usize, threads: usize) -> Vec<Entrant> {
    use Side::{Ours, Peer};
    let ours = Arc::new(WeakValueMap::<Payload>::empty());
    let locked_table = Arc::new(LockedTable::<Payload>::empty());
    InStatic::tidy();
    vec![
        entrant(OURS, Ours, live, threads, || {
            let map = Arc::clone(&ours);
            move |key| enter(&*map, key, weakly::Arc::new)
        }),
        registered::<DashMaps>(DASHMAP, live, threads),
        entrant(DASHMAP_STATIC, Peer, live, threads, || InStatic::enter),
        registered::<Papayas>(PAPAYA, live, threads),
        registered::<SccMaps>(SCC_MAP, live, threads),
        registered::<SccIndexes>(SCC_INDEX, live, threads),
        entrant(LOCKED_TABLE, Peer, live, threads, || {
            let map = Arc::clone(&locked_table);
            move |key| enter(&*map, key, Arc::new)
        }),
    ]
}

/// Makes a value and enters it into a map that copes with its death.
pub fn enter<M: WeakMap<Payload>>(map: &M, key: u64, strong: impl Fn(Payload) -> M::Strong) -> M::Strong {
    let value = strong(payload(key));
    map.insert(key, &value);
    value
}

/// A peer whose values remove themselves from a map that they keep alive.
fn registered<F: Family>(name: &'static str, live: usize, threads: usize) -> Entrant {
    let map = Arc::new(F::Map::<Registered<F>>::empty());
    entrant(name, Side::Peer, live, threads, || {
        let map = Arc::clone(&map);
        move |key| Registered::<F>::enter(&map, key)
    })
}

/// An entrant whose threads each enter values under keys of their own, and keep the newest of them alive.
fn entrant<V: Send + 'static, E: FnMut(u64) -> V + Send + 'static>(
    name: &'static str,
    side: Side,
    live: usize,
    threads: usize,
    mut entering: impl FnMut() -> E,
) -> Entrant {
    Entrant::new(name, side, threads, |thread| {
        let mut enter = entering();
        let mut fresh = ((thread as u64) << 40..).map(key);
        let mut next = move || enter(fresh.next().expect("more keys than anybody enters"));
        let mut ring: Vec<V> = (0..live / threads).map(|_| next()).collect();
        let mut oldest = 0;
        move |ops| {
            for _ in 0..ops {
                ring[oldest] = next();
                oldest += 1;
                if oldest == ring.len() {
                    oldest = 0;
                }
            }
        }
    })
}
