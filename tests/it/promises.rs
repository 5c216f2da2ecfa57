//! The promises of the design, one test each, under its number.

use crate::common::{sized, watchdog};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use weakly::{Arc, Cause, WeakValueMap};

#[test]
fn p01_notices_can_be_read_when_the_last_drop_has_returned() {
    let _dog = watchdog();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                map.reserve(2_000); // holds the one shard's lock most of the time
                map.shrink_to_fit();
            }
        });
        let mine = map.removals();
        for i in 0..sized(20_000, 50) as u64 {
            map.insert(i, &Arc::new(i)); // dies at once
            let told = mine.try_next();
            if told != Some((i, Cause::Died)) {
                done.store(true, SeqCst);
            }
            assert_eq!(told, Some((i, Cause::Died)), "told when the drop returned");
        }
        done.store(true, SeqCst);
    });
}

#[test]
fn p03_a_new_subscription_is_told_of_a_death_that_a_busy_shard_was_posted() {
    let _dog = watchdog();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let steady: Vec<_> = (0..20_000).map(Arc::new).collect();
    map.extend(steady.iter().map(|v| (**v, v)));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                map.reserve(100_000); // a rebuild under the lock takes a while
                map.shrink_to_fit();
            }
        });
        let mut lost = 0;
        let mut posted = 0;
        for i in 0..sized(200_000, 50) as u64 {
            let dying = Arc::new(i);
            map.insert(1_000_000 + i, &dying);
            let removals = map.removals();
            drop(dying);
            if map.pending_removals() > 0 {
                posted += 1;
            }
            for _ in 0..1000 {
                if map.pending_removals() == 0 {
                    break;
                };
                thread::yield_now();
            }
            map.insert(1, &steady[1]); // whoever had the lock has left
            let told = removals.try_iter().any(|n| n == (1_000_000 + i, Cause::Died));
            if !told {
                lost += 1;
            }
        }
        done.store(true, SeqCst);
        eprintln!("posted {posted}");
        assert_eq!(lost, 0);
    });
}
