//! A connection pool that shares one connection per host as long as it is used, and salvages it when its last user goes.
//!
//! The salvage is a callback at the object's death: it may still look at the dying value, and take out what is worth keeping.
//!
//! ```text
//! cargo run --example pool
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, MutexGuard, PoisonError};
use std::thread;
use weakly::{Arc, WeakValueMap};

/// A connection: dear to make.
#[derive(Debug)]
struct Connection {
    requests: u32,
    broken: bool,
}

/// A connection in use. `None` once it is salvaged.
struct Lease(Mutex<Option<Connection>>);

impl Lease {
    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, works: bool) {
        if let Some(connection) = &mut *self.connection() {
            connection.requests += 1;
            connection.broken |= !works;
        }
    }
}

/// Connections that nobody uses now.
type Idle = StdArc<Mutex<HashMap<String, Connection>>>;

#[derive(Default)]
struct Pool {
    used: WeakValueMap<String, Lease>,
    idle: Idle,
    dialed: AtomicU32,
}

impl Pool {
    /// The host's connection: the one in use, else the idle one, else a new one.
    fn get(&self, host: &str) -> Arc<Lease> {
        self.used.get_or_insert_with_ref(host, |host| {
            let idle = lock(&self.idle).remove(host);
            let connection = idle.unwrap_or_else(|| {
                self.dialed.fetch_add(1, SeqCst);
                Connection { requests: 0, broken: false }
            });
            let lease = Arc::new(Lease(Mutex::new(Some(connection))));
            let (host, idle) = (host.clone(), StdArc::downgrade(&self.idle)); // an owner would keep the pool's map
            Arc::observe(&lease, move |dying: &Lease| {
                if let (Some(idle), Some(connection)) = (idle.upgrade(), dying.connection().take())
                    && !connection.broken
                {
                    lock(&idle).insert(host, connection);
                }
            })
            .detach();
            lease
        })
    }
}

fn lock(idle: &Idle) -> MutexGuard<'_, HashMap<String, Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() {
    let pool = Pool::default();

    // Eight threads share one connection.
    let all = pool.get("example.org");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pool.get("example.org").request(true));
        }
    });
    assert_eq!((pool.dialed.load(SeqCst), pool.used.len()), (1, 1));
    println!("in use by 8 threads: {} connection", pool.used.len());

    // The last user goes: it is idle before that drop returns, and comes back with all its past.
    drop(all);
    assert_eq!((pool.used.len(), lock(&pool.idle)["example.org"].requests), (0, 8));
    println!("idle: {:?}", lock(&pool.idle));
    let again = pool.get("example.org");
    again.request(true);
    assert_eq!((pool.dialed.load(SeqCst), again.connection().as_ref().map(|c| c.requests)), (1, Some(9)));

    // A broken one is not salvaged.
    again.request(false);
    drop(again);
    assert!(lock(&pool.idle).is_empty());
    let new = pool.get("example.org");
    assert_eq!(pool.dialed.load(SeqCst), 2);
    println!("after it broke: dialed {} times", pool.dialed.load(SeqCst));

    // A lease may outlast its pool: then nothing is kept.
    drop(pool);
    new.request(true);
    drop(new);
}
