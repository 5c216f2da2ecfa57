//! Maps that load what they do not hold.
//!
//! Hits: everything is there, and a call is a look-up that could have loaded. The stampede: many threads ask for the
//! same keys in the same order, none of which is there. A load sleeps, as one that asks a disk does, so that the others
//! come while it is under way; the remark says how many there were. More than one a key in ours ends the run. DashMap,
//! which loads nothing itself, shows what looking first and entering afterwards comes to.

use super::stage::Stage;
use super::{Goal, Row, Section, Shape, asking, short, thread_count};
use crate::harness::{Entrant, Side, Worker};
use crate::keys::{Choice, Stream, key};
use crate::subjects::{DashMap, Loader, Moka, Payload, QuickCache, WeakValueMap, payload};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const OURS: &str = "get_or_insert_with";
const MOKA: &str = "moka";
const QUICK_CACHE: &str = "quick_cache";
const LOOKS_FIRST: &str = "DashMap, looks first";

/// Cold keys in a slice of the stampede.
const COLD: u64 = 100;

/// How long a load of a cold key sleeps.
const DISK: Duration = Duration::from_micros(50);

pub fn section() -> Section {
    let shape = Shape { base: QUICK_CACHE, columns: &[MOKA, LOOKS_FIRST, OURS] };
    Section { title: "Loads", shape, rows: vec![hits(10_000, 1), hits(10_000, 2), stampede(64)] }
}

fn hits(keys: usize, threads: usize) -> Row {
    use Side::{Ours, Peer};
    let id = format!("loads/hit-{}/{threads}t", short(keys)).to_lowercase().replace(' ', "");
    let title = format!("hit, uniform {} keys, {}", short(keys), thread_count(threads));
    let goals = vec![Goal { face: OURS, peers: &[MOKA, QUICK_CACHE], ratio: 3.0 }];
    Row::new(id, title, goals, move || {
        let streams: Vec<_> = (0..threads).map(|thread| Stream::draw(Choice::Uniform, 0..keys, thread)).collect();
        vec![
            hitting::<WeakValueMap<Payload>>(OURS, Ours, keys, &streams),
            hitting::<Moka>(MOKA, Peer, keys, &streams),
            hitting::<QuickCache>(QUICK_CACHE, Peer, keys, &streams),
            hitting::<DashMap<Payload>>(LOOKS_FIRST, Peer, keys, &streams),
        ]
    })
}

fn hitting<L: Loader>(name: &'static str, side: Side, keys: usize, streams: &[Stream]) -> Entrant {
    let map = L::with_room(keys);
    let kept: Vec<_> = (0..keys as u64).map(key).map(|key| map.get_or_load(key, || payload(key))).collect();
    asking(name, side, streams, &Arc::new((map, kept)), usize::MAX, move |(map, _), keys| {
        for &key in keys {
            black_box(map.get_or_load(key, || panic!("{name} has lost a key"))[0]);
        }
    })
}

fn stampede(threads: usize) -> Row {
    use Side::{Ours, Peer};
    let id = format!("loads/stampede-{COLD}/{threads}t");
    let title = format!("stampede on {COLD} keys, {}", thread_count(threads));
    Row::new(id, title, Vec::new(), move || {
        vec![
            stampeding::<WeakValueMap<Payload>>(OURS, Ours, threads),
            stampeding::<Moka>(MOKA, Peer, threads),
            stampeding::<QuickCache>(QUICK_CACHE, Peer, threads),
            stampeding::<DashMap<Payload>>(LOOKS_FIRST, Peer, threads),
        ]
    })
}

/// What a stampede of one entrant has come to, over all slices.
#[derive(Default)]
struct Tally {
    keys: AtomicU64,
    loads: AtomicU64,
}

fn stampeding<L: Loader>(name: &'static str, side: Side, threads: usize) -> Entrant {
    let stage = Stage::new(L::with_room(COLD as usize));
    let tally = Arc::new(Tally::default());
    let entrant = Entrant::of_size(COLD, name, side, threads, |thread| Beast {
        stage: Arc::clone(&stage),
        tally: Arc::clone(&tally),
        leads: thread == 0,
        values: Vec::with_capacity(COLD as usize),
    });
    let remark = move || {
        let [keys, loads] = [&tally.keys, &tally.loads].map(|count| count.load(Ordering::Relaxed));
        assert!(side == Side::Peer || loads == keys, "{name}: {loads} loads of {keys} keys");
        format!("{loads} loads of {keys} keys")
    };
    Entrant { remark: Some(Box::new(remark)), ..entrant }
}

/// One of many threads that ask for the same keys.
struct Beast<L: Loader> {
    stage: Arc<Stage<L>>,
    tally: Arc<Tally>,
    /// Is it the one that makes the map, and counts the keys?
    leads: bool,
    /// What it was given: alive until the next slice.
    values: Vec<L::Strong>,
}

impl<L: Loader> Worker for Beast<L> {
    fn prepare(&mut self) {
        self.values.clear();
        if self.leads {
            self.stage.renew(L::with_room(COLD as usize));
        }
    }

    fn work(&mut self, ops: u64) {
        let map = self.stage.now();
        for key in (0..ops).map(key) {
            self.values.push(map.get_or_load(key, || {
                self.tally.loads.fetch_add(1, Ordering::Relaxed);
                thread::sleep(DISK);
                payload(key)
            }));
        }
        if self.leads {
            self.tally.keys.fetch_add(ops, Ordering::Relaxed);
        }
    }
}
