//! Data beside an object of somebody else's type, that goes when the object does.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc as StdArc, LazyLock, Mutex};
use weakly::{Arc, Compute, PtrWeakKeyMap, WeakKeyMap};

struct Session;

#[derive(Default)]
struct Figures {
    hits: AtomicU64,
    last: Mutex<Option<String>>,
}

static FIGURES: LazyLock<PtrWeakKeyMap<Session, Figures>> = LazyLock::new(PtrWeakKeyMap::new);

impl Session {
    fn name(&self, names: &PtrWeakKeyMap<Session, String>) -> Option<String> {
        names.get(self)
    }
}

fn hits(session: &Arc<Session>) -> u64 {
    FIGURES.pin().read(session).map_or(0, |figures| figures.hits.load(Relaxed))
}

#[test]
fn figures_of_a_session_go_with_it() {
    let session = Arc::new(Session);
    FIGURES.with_or_insert_with(&session, |_| Figures::default(), |figures| figures.hits.fetch_add(1, Relaxed));
    assert!(FIGURES.try_insert(&session, Figures::default()).is_err());
    FIGURES.with(&session, |figures| figures.hits.fetch_add(1, Relaxed));
    {
        let pinned = FIGURES.pin();
        let figures = pinned.read(&session).unwrap();
        figures.hits.fetch_add(1, Relaxed);
        *figures.last.lock().unwrap() = Some("x".into());
    }
    assert_eq!((hits(&session), hits(&Arc::new(Session)), FIGURES.len()), (3, 0, 1));
    drop(session);
    assert!(FIGURES.is_empty());
}

#[test]
fn shared_values_and_counters() {
    let session = Arc::new(Session);
    let shared: PtrWeakKeyMap<Session, StdArc<Figures>> = PtrWeakKeyMap::new();
    shared.get_or_insert_with(&session, |_| Default::default()).hits.fetch_add(1, Relaxed);
    assert_eq!(shared.get(&session).unwrap().hits.load(Relaxed), 1);
    let counters: PtrWeakKeyMap<Session, u64> = PtrWeakKeyMap::new();
    assert!(!counters.update(&session, |n| n + 1));
    counters.compute(&session, |n| Compute::Insert(n.copied().unwrap_or(0) + 1));
    counters.update(&session, |n| n + 1);
    assert_eq!(counters.get(&session), Some(2));
    let names = PtrWeakKeyMap::from([(&session, "ann".to_string())]);
    assert_eq!(session.name(&names).as_deref(), Some("ann"));
}

#[test]
fn a_key_is_asked_for_in_every_form() {
    let key = Arc::new("ann".to_string());
    let ages: WeakKeyMap<String, u32> = WeakKeyMap::from([(&key, 30)]);
    assert_eq!(
        [ages.get(&key), ages.get(&*key), ages.get(key.as_str()), ages.get("bob")],
        [Some(30), Some(30), Some(30), None]
    );
}
