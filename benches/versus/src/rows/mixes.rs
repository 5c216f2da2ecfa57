//! The mixes of conc-map-bench: insertions, removals, replacements and look-ups of one's own keys.
//!
//! The values live in pools beside the maps, one for each thread, and outlast the row: an insertion enters the pool's next
//! value, a removal takes out the thread's oldest entry, and no value dies. So the maps' own work is compared; deaths are
//! other rows'. Each call pins on its own. Keys of look-ups are drawn on the clock, in two nanoseconds, by all alike.
//!
//! Unlike conc-map-bench, whose look-ups miss more often than not, these find; and growth starts with an empty map
//! that knows nothing of its future, not with room for all. The map before it, and what it leaves, go off the clock.

use super::stage::Stage;
use super::{Goal, Row, Section, Shape, thread_count};
use crate::harness::{Entrant, Side, Worker};
use crate::keys::{Rng, key};
use crate::subjects::{DashMap, Papaya, Payload, SccIndex, SccMap, WeakValueMap, Written, payload};
use std::hint::black_box;
use std::sync::Arc;

const OURS: &str = "weakly";
const DASHMAP: &str = "DashMap";
const PAPAYA: &str = "papaya";
const SCC_MAP: &str = "scc HashMap";
const SCC_INDEX: &str = "scc HashIndex";

/// What a hundred operations are.
#[derive(Clone, Copy)]
struct Mix {
    /// How conc-map-bench calls it.
    name: &'static str,
    get: usize,
    insert: usize,
    remove: usize,
    replace: usize,
    /// Entries that a map starts with.
    live: usize,
    /// Operations after which it starts afresh, if it does.
    size: Option<usize>,
}

const MIXES: [Mix; 3] = [
    Mix { name: "ReadHeavy", get: 98, insert: 1, remove: 1, replace: 0, live: 100_000, size: None },
    Mix { name: "Exchange", get: 10, insert: 40, remove: 40, replace: 10, live: 100_000, size: None },
    Mix { name: "RapidGrow", get: 5, insert: 80, remove: 5, replace: 10, live: 0, size: Some(200_000) },
];

pub fn section() -> Section {
    let rows = MIXES.iter().flat_map(|&mix| [1, 2, 8].map(|threads| row(mix, threads))).collect();
    let shape = Shape { base: DASHMAP, columns: &[PAPAYA, SCC_MAP, SCC_INDEX, OURS] };
    Section { title: "Mixes", shape, rows }
}

fn row(mix: Mix, threads: usize) -> Row {
    let id = format!("mixes/{}/{threads}t", mix.name.to_lowercase());
    let title = format!("{}, {}", mix.name, thread_count(threads));
    let goals = vec![
        Goal { face: OURS, peers: &[DASHMAP, PAPAYA, SCC_MAP, SCC_INDEX], ratio: 1.1 },
        Goal { face: OURS, peers: &[DASHMAP], ratio: 1.5 },
    ];
    Row::new(id, title, goals, move || entrants(mix, threads))
}

fn entrants(mix: Mix, threads: usize) -> Vec<Entrant> {
    use Side::{Ours, Peer};
    let ours = pools(mix, threads, weakly::Arc::new);
    let std = pools(mix, threads, Arc::new);
    vec![
        entrant::<WeakValueMap<Payload>>(OURS, Ours, mix, &ours),
        entrant::<DashMap<Payload>>(DASHMAP, Peer, mix, &std),
        entrant::<Papaya<Payload>>(PAPAYA, Peer, mix, &std),
        entrant::<SccMap<Payload>>(SCC_MAP, Peer, mix, &std),
        entrant::<SccIndex<Payload>>(SCC_INDEX, Peer, mix, &std),
    ]
}

/// The values of one thread.
type Pool<A> = Arc<[A]>;

/// Twice as many as are entered at a time, so that none is in a map twice.
fn pools<A>(mix: Mix, threads: usize, strong: impl Fn(Payload) -> A) -> Vec<Pool<A>> {
    let values = 2 * (mix.live + mix.size.unwrap_or(0)) / threads;
    (0..threads).map(|_| (0..values as u64).map(|number| strong(payload(number))).collect()).collect()
}

fn entrant<M: Written<Payload>>(name: &'static str, side: Side, mix: Mix, pools: &[Pool<M::Strong>]) -> Entrant {
    let threads = pools.len();
    let hand = |thread: usize| Hand::new(mix, thread, &pools[thread]);
    match mix.size {
        None => {
            let map = Arc::new(M::empty());
            Entrant::new(name, side, threads, |thread| {
                let (map, mut hand) = (Arc::clone(&map), hand(thread));
                (0..mix.live / threads).for_each(|_| hand.insert(&*map));
                move |ops| hand.work(&*map, ops)
            })
        }
        Some(size) => {
            let stage = Stage::new(M::empty());
            Entrant::of_size((size / threads) as u64, name, side, threads, |thread| Growth {
                stage: Arc::clone(&stage),
                renews: thread == 0,
                hand: hand(thread),
            })
        }
    }
}

/// A thread that works on a map: its keys are numbered, and those in the map are a range of the numbers.
struct Hand<M: Written<Payload>> {
    script: Vec<Step>,
    step: usize,
    rng: Rng,
    pool: Pool<M::Strong>,
    value: usize,
    thread: u64,
    oldest: u64,
    next: u64,
}

#[derive(Clone, Copy)]
enum Step {
    Get,
    Insert,
    Remove,
    Replace,
}

impl<M: Written<Payload>> Hand<M> {
    fn new(mix: Mix, thread: usize, pool: &Pool<M::Strong>) -> Self {
        let parts = [
            (Step::Get, mix.get),
            (Step::Insert, mix.insert),
            (Step::Remove, mix.remove),
            (Step::Replace, mix.replace),
        ];
        let mut script: Vec<Step> = parts.into_iter().flat_map(|(step, times)| vec![step; times]).collect();
        let mut rng = Rng::new(thread as u64);
        rng.shuffle(&mut script);
        Hand { script, step: 0, rng, pool: Arc::clone(pool), value: 0, thread: thread as u64, oldest: 0, next: 0 }
    }

    /// Turns to a map that has none of its keys.
    fn start_over(&mut self) {
        (self.step, self.value, self.oldest, self.next) = (0, 0, 0, 0);
    }

    fn work(&mut self, map: &M, ops: u64) {
        for _ in 0..ops {
            // Nothing else can be done to a map that is empty.
            let step = if self.oldest == self.next { Step::Insert } else { self.script[self.step] };
            match step {
                Step::Get => assert!(map.get(self.any_key()).map(|value| black_box(value[0])).is_some()),
                Step::Insert => self.insert(map),
                Step::Remove => {
                    assert!(map.remove(self.key(self.oldest)));
                    self.oldest += 1;
                }
                Step::Replace => {
                    let key = self.any_key();
                    assert!(map.replace(key, self.next_value()));
                }
            }
            self.step += 1;
            if self.step == self.script.len() {
                self.step = 0;
            }
        }
    }

    fn insert(&mut self, map: &M) {
        let key = self.key(self.next);
        map.insert(key, self.next_value());
        self.next += 1;
    }

    fn key(&self, number: u64) -> u64 {
        key(self.thread << 40 | number)
    }

    /// Of those in the map, any.
    fn any_key(&mut self) -> u64 {
        let entries = (self.next - self.oldest) as usize;
        let number = self.oldest + self.rng.below(entries) as u64;
        self.key(number)
    }

    fn next_value(&mut self) -> &M::Strong {
        let value = self.value;
        self.value = if value + 1 == self.pool.len() { 0 } else { value + 1 };
        &self.pool[value]
    }
}

/// A thread that works on a map from its beginnings.
struct Growth<M: Written<Payload>> {
    stage: Arc<Stage<M>>,
    /// Is it the one that makes the map?
    renews: bool,
    hand: Hand<M>,
}

impl<M: Written<Payload>> Worker for Growth<M> {
    fn prepare(&mut self) {
        if self.renews {
            self.stage.renew(M::empty());
            M::settle();
        }
        self.hand.start_over();
    }

    fn work(&mut self, ops: u64) {
        let map = self.stage.now();
        self.hand.work(&*map, ops);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::WeakMap;

    #[test]
    fn a_hand_keeps_to_its_mix() {
        for mix in MIXES {
            assert_eq!(mix.get + mix.insert + mix.remove + mix.replace, 100);
            let map = DashMap::<Payload>::empty();
            let mut hand = Hand::new(mix, 0, &pools(Mix { live: 1_000, ..mix }, 1, Arc::new)[0]);
            (0..100).for_each(|_| hand.insert(&map));
            hand.work(&map, 200);
            assert_eq!(map.len(), 100 + 2 * (mix.insert - mix.remove));
        }
    }
}
