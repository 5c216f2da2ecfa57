//! The table's protocols all at once: threads that each run a script of steps on one entry, and what must hold when all are idle.
//!
//! A scenario is `scripts/flags`: a script a thread, by `|`, the first thread's first. The map has one entry, of object 0.
//!
//! | step | |
//! |---|---|
//! | `0` `1` | drop an owner of the object; each such step of a scenario has its own |
//! | `r` | remove the entry, if it is alive |
//! | `i` | insert an entry of object 1 over whatever is there |
//! | `c` | clear |
//! | `g` | look it up |
//! | `k` | walk |
//! | `w` | write some other key |
//! | `b` | grow |
//! | `m` | drop a handle of the map; the last one drops the map. Each thread with such a step has one |
//!
//! Flag `t`: entries hold two objects, the first one 0 and 1. Flag `s`: the same object twice.

use crate::small::{Handle, Small};
use crate::{Bounds, Drops, Outcome, Witness, explore};
use loom::sync::Arc as Shared;
use loom::thread::spawn;
use weakly::Arc;

/// The scenarios that are run as a matter of course.
#[rustfmt::skip]
pub const SCENARIOS: &[&str] = &[
    // A death against one, against the map's end, and against two.
    "0|r", "0|i", "0|c", "0|m", "0|g", "0|w", "0|k", "0|b", "0|0|r", "0|0|i", "0|0|c", "0|0|m",
    "0|rm|m", "0|im|m", "0|gm|m", "0|cm|m", "0|bm|m", "0|km|m",
    "0|r|i", "0|r|g", "0|r|w", "0|r|k", "0|r|r", "0|i|g", "0|i|w", "0|i|k", "0|c|i", "0|c|r", "0|c|k", "0|b|c", "0|b|k",
    // The successor dies too.
    "0|i1|w", "0|i1|g", "0|i1|c", "0|i1|1", "0|i1|b", "0|i1|k", "0|b|i1", "0|i1m|m", "0|i1m|bm",
    // Entries of two objects, or of one twice.
    "0|1/t", "0|1|r/t", "0|1|i1/t", "0|1|c/t", "0|1|m/t", "0|1|w/t", "0|1|g/t", "0|r/t", "0|c/t", "0|m/t", "0|rm|m/t",
    "0|im|m/t", "0|r/s", "0|i/s", "0|m/s", "0|c|w/s", "0|rm|m/s",
    // Nobody dies.
    "r|i", "r|c", "i|c", "k|r|i",
];

/// What one thread has.
struct Hands<const N: usize> {
    script: String,
    owners: [Vec<Arc<Witness>>; 2],
    map: Option<Handle<N>>,
}

impl<const N: usize> Hands<N> {
    fn new(script: &str, objects: &[Arc<Witness>; 2], map: &Handle<N>) -> Self {
        let owners = [0, 1].map(|o| {
            let name = if o == 0 { '0' } else { '1' };
            script.chars().filter(|&c| c == name).map(|_| Arc::clone(&objects[o])).collect()
        });
        let uses_it = script.chars().any(|c| !c.is_ascii_digit());
        Hands { script: script.to_string(), owners, map: uses_it.then(|| Shared::clone(map)) }
    }

    /// Runs the script; `kept` are the owners that the main thread keeps of objects that no script drops.
    fn run(mut self, kept: &[Option<Arc<Witness>>; 2]) {
        for step in self.script.chars() {
            let map = || self.map.as_ref().expect("a handle, until it is dropped");
            match step {
                '0' => drop(self.owners[0].pop()),
                '1' => drop(self.owners[1].pop()),
                'i' => {
                    let one = self.owners[1].last().or(kept[1].as_ref()).expect("an owner of object 1");
                    map().insert([one; N]);
                }
                'r' => map().remove(),
                'c' => map().clear(),
                'g' => _ = map().get(),
                'k' => assert!(map().walk() <= 1, "no key twice"),
                'w' => map().write_elsewhere(),
                'b' => map().grow(),
                'm' => self.map = None,
                _ => panic!("no such step: {step}"),
            }
        }
    }
}

fn execution<const N: usize>(scripts: &[String], first: [usize; N]) {
    let count = |step| scripts.iter().map(|s| s.matches(step).count()).sum::<usize>();
    let drops = [Drops::new(), Drops::new()];
    let objects = [0, 1].map(|o: usize| Arc::new(Witness::new(&drops[o])));
    let map = Shared::new(Small::<N>::new());
    map.insert(first.map(|o| &objects[o]));
    let hands: Vec<Hands<N>> = scripts.iter().map(|s| Hands::new(s, &objects, &map)).collect();
    let mut dying = ['0', '1'].map(|o| count(o) > 0);
    let objects = objects.map(Some);
    // What a script drops is the scripts' alone; the rest is kept.
    let kept = std::sync::Arc::new({
        let mut at = 0;
        objects.map(|object| {
            at += 1;
            if dying[at - 1] { None } else { object }
        })
    });
    let map = (count('m') == 0).then_some(map);
    let mut hands = hands.into_iter();
    let mine = hands.next().expect("a script");
    let others: Vec<_> = hands
        .map(|hands| {
            let kept = std::sync::Arc::clone(&kept);
            spawn(move || hands.run(&kept))
        })
        .collect();
    mine.run(&kept);
    for other in others {
        other.join().unwrap();
    }
    let check = |map: &Option<Handle<N>>, dying: [bool; 2]| {
        // An entry is live if it was not taken out and its objects live; which one is there depends on the schedule.
        let Some(map) = map else { return };
        let live = usize::from(map.get());
        assert_eq!(map.walk(), live, "get and walk agree when quiet");
        map.idle(live);
        assert!(live == 0 || dying != [true, true], "a dead entry is never seen");
    };
    check(&map, dying);
    let kept = std::sync::Arc::into_inner(kept).expect("the threads are gone");
    for (o, object) in kept.into_iter().enumerate() {
        drop(object);
        dying[o] = true;
        check(&map, dying);
    }
    drop(map);
    assert_eq!(drops.map(|d| d.now()), [1, 1], "each destroyed once");
}

/// A scenario's model.
fn execution_of(scenario: &str) -> impl Fn() + Send + Sync + 'static {
    let (scripts, flags) = scenario.split_once('/').unwrap_or((scenario, ""));
    let scripts: Vec<String> = scripts.split('|').map(String::from).collect();
    let flags = flags.to_string();
    move || match &*flags {
        "" => execution(&scripts, [0]),
        "t" => execution(&scripts, [0, 1]),
        "s" => execution(&scripts, [0, 0]),
        _ => panic!("no such flags: {flags}"),
    }
}

/// Explores one scenario.
pub fn run(scenario: &str, bounds: Bounds) -> Outcome {
    explore(bounds, execution_of(scenario))
}

/// A test of one scenario.
pub fn model(scenario: &str) {
    crate::model(scenario, execution_of(scenario));
}
