//! A lock per key, and a limiter per key, that are there as long as somebody holds or awaits one.
//!
//! First with the standard library's `Mutex`, on threads. Then with tokio's, whose owned guards want `std`'s `Arc`: guest mode.
//!
//! ```text
//! cargo run --example keyed_lock
//! ```

use std::sync::Arc as StdArc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use weakly::std_arc::{self, Anchor, Anchored};
use weakly::{Arc, WeakValueMap};

/// Locks for threads: no two at once do something to one account.
#[derive(Default)]
struct Locks {
    locks: WeakValueMap<u64, Mutex<()>>,
}

impl Locks {
    fn with<R>(&self, key: u64, work: impl FnOnce() -> R) -> R {
        let lock = self.locks.get_or_insert(key, Arc::default());
        let _locked = lock.lock().expect("no panic under the lock");
        work()
    }
}

/// What an async task holds or awaits for one host. tokio's types are not ours and have no anchor, so this has it.
struct Host {
    log: StdArc<tokio::sync::Mutex<Vec<u32>>>,
    limit: StdArc<Semaphore>,
    anchor: Anchor,
}

impl Anchored for Host {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

/// Locks and limiters for tasks.
#[derive(Default)]
struct Hosts {
    hosts: std_arc::WeakValueMap<String, Host>,
}

/// An owned guard, and what keeps its host's entry.
struct Held<G> {
    guard: G,
    _host: StdArc<Host>,
}

impl Hosts {
    const AT_ONCE: usize = 2;

    fn host(&self, name: &str) -> StdArc<Host> {
        self.hosts.get_or_insert_with_ref(name, |_| {
            let limit = StdArc::new(Semaphore::new(Self::AT_ONCE));
            StdArc::new(Host { log: StdArc::default(), limit, anchor: Anchor::new() })
        })
    }

    async fn lock(&self, name: &str) -> Held<OwnedMutexGuard<Vec<u32>>> {
        let host = self.host(name);
        Held { guard: StdArc::clone(&host.log).lock_owned().await, _host: host }
    }

    async fn permit(&self, name: &str) -> Held<OwnedSemaphorePermit> {
        let host = self.host(name);
        let permit = StdArc::clone(&host.limit).acquire_owned().await.expect("it is never closed");
        Held { guard: permit, _host: host }
    }
}

fn on_threads() {
    let (locks, inside) = (Locks::default(), [AtomicU32::new(0), AtomicU32::new(0)]);
    thread::scope(|scope| {
        for n in 0..8 {
            let (locks, inside) = (&locks, &inside[n % 2]);
            scope.spawn(move || {
                for _ in 0..1_000 {
                    locks.with(n as u64 % 2, || {
                        assert_eq!(inside.fetch_add(1, SeqCst), 0, "alone under a key's lock");
                        inside.fetch_sub(1, SeqCst);
                    });
                }
            });
        }
    });
    // One key's lock never waits for another's.
    locks.with(0, || locks.with(1, || assert_eq!(locks.locks.len(), 2)));
    assert!(locks.locks.is_empty());
    println!("std: 8 threads, 2 keys, 8000 times alone; locks left: {}", locks.locks.len());
}

async fn on_tasks() {
    let hosts = StdArc::new(Hosts::default());
    let host = hosts.host("example.org"); // keeps the entry, and the log with it, between the tasks
    let inside = StdArc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (hosts, inside) = (hosts.clone(), inside.clone());
            tokio::spawn(async move {
                let permit = hosts.permit("example.org").await;
                assert!(inside.fetch_add(1, SeqCst) < Hosts::AT_ONCE as u32, "no more than the limit");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, SeqCst);
                drop(permit);
                hosts.lock("example.org").await.guard.push(n);
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic in a task");
    }
    let mut log = hosts.lock("example.org").await.guard.clone();
    log.sort_unstable();
    assert!(log.into_iter().eq(0..20));
    assert_eq!(hosts.hosts.len(), 1);
    drop(host);
    assert!(hosts.hosts.is_empty());
    println!("tokio: 20 tasks, {} at once, each in the log once; hosts left: {}", Hosts::AT_ONCE, hosts.hosts.len());
}

fn main() {
    on_threads();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(on_tasks());
}
