//! Data about objects that their type knows nothing of, and that goes when they do.
//!
//! By object ([`PtrWeakKeyMap`](weakly::PtrWeakKeyMap)): what a session has done. By value
//! ([`WeakKeyMap`](weakly::WeakKeyMap)): what a name has been allowed, however many objects spell it.
//!
//! ```text
//! cargo run --example side_data
//! ```

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use weakly::{Arc, PtrWeakKeyMap, WeakKeyMap};

/// From some library: no room for our figures.
struct Session {
    user: Arc<str>,
}

/// What we note of a session.
#[derive(Default)]
struct Figures {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Drop for Figures {
    fn drop(&mut self) {
        CLOSED.fetch_add(1, SeqCst);
    }
}

static FIGURES: LazyLock<PtrWeakKeyMap<Session, Figures>> = LazyLock::new(PtrWeakKeyMap::new);
static CLOSED: AtomicU64 = AtomicU64::new(0);

/// Called at each request. The first makes the figures, whichever thread it is on.
fn note(session: &Arc<Session>, bytes: u64) {
    FIGURES.with_or_insert_with(
        session,
        |_| Figures::default(),
        |figures| {
            figures.requests.fetch_add(1, SeqCst);
            figures.bytes.fetch_add(bytes, SeqCst);
        },
    );
}

impl Session {
    /// A `&self` is enough to find the object's own.
    fn requests(&self) -> u64 {
        FIGURES.with(self, |figures| figures.requests.load(SeqCst)).unwrap_or(0)
    }
}

fn main() {
    // Two sessions of one user: two objects, two entries.
    let user: Arc<str> = Arc::from("ann");
    let (home, work) = (Arc::new(Session { user: user.clone() }), Arc::new(Session { user: user.clone() }));
    thread::scope(|scope| {
        for n in 0..4 {
            let session = if n == 0 { &work } else { &home };
            scope.spawn(move || (0..100).for_each(|_| note(session, 10)));
        }
    });
    assert_eq!((home.requests(), work.requests(), FIGURES.len()), (300, 100, 2));
    for (session, figures) in &FIGURES.pin() {
        let (requests, bytes) = (figures.requests.load(SeqCst), figures.bytes.load(SeqCst));
        assert_eq!(bytes, requests * 10);
        println!("{}: {requests} requests, {bytes} bytes", session.user);
    }
    drop(home);
    assert_eq!((FIGURES.len(), CLOSED.load(SeqCst)), (1, 1)); // its figures went with it
    println!("after one has closed: {} entry", FIGURES.len());

    // By value: the name counts, not the object. Values are replaced, not locked.
    let budget: WeakKeyMap<str, u32> = WeakKeyMap::new();
    budget.insert(&user, 3);
    while budget.get("ann").is_some_and(|left| left > 0) {
        budget.update("ann", |left| left.saturating_sub(1));
    }
    assert_eq!(budget.get(&user), Some(0));

    // An insert over an equal key keeps the new object, so the entry lives as long as that.
    let renewed: Arc<str> = Arc::from("ann");
    let old = budget.insert(&renewed, 5);
    assert_eq!(old.as_deref(), Some(&0));
    drop((work, user));
    assert_eq!((budget.get("ann"), FIGURES.len()), (Some(5), 0));
    println!("ann may do {} more", budget.get("ann").unwrap_or(0));
    drop(renewed);
    assert!(budget.is_empty());
}
