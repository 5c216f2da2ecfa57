//! `SubclassableWeakrefTestCase`: references that carry something. In Rust they hold a [`Weak`] or an [`Observer`] beside it.

use crate::common::{Count, Log, object};
use std::sync::Mutex;
use weakly::{Arc, Observer, ObserverKind, WeakValueMap};

/// What watches an object is never handed out as a plain reference, nor the other way round. Listed are watchers alone, newest
/// first; CPython lists the plain `ref` too, and before them.
#[test]
fn test_subclass_refs_dont_replace_standard_refs() {
    let o = object(42);
    let map = WeakValueMap::from([(1, &o)]); // its node is CPython's KeyedRef, a reference that carries a key
    let r2 = Arc::downgrade(&o);
    let kinds = |o: &Arc<_>| Arc::observers(o).iter().map(|info| info.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&o), [ObserverKind::ValueEntry]);
    assert_eq!(Arc::observer_count(&o), 1);
    let r3 = Arc::observe(&o, |_| ());
    assert_eq!(kinds(&o), [ObserverKind::Callback, ObserverKind::ValueEntry]);
    assert_eq!(Arc::observer_count(&o), 2);
    drop(r2);
    assert_eq!(kinds(&o).len(), 2);
    assert!(r3.cancel());
    assert_eq!(kinds(&o), [ObserverKind::ValueEntry]);
    drop(map);
    assert!(kinds(&o).is_empty());
}

#[test]
fn test_subclass_refs_dont_conflate_callbacks() {
    let o = object(42);
    let calls = Log::new();
    let refs = ["id", "str"].map(|name| {
        let calls = calls.clone();
        Arc::observe(&o, move |_| calls.push(name))
    });
    assert_eq!(Arc::observers(&o).len(), 2);
    drop(o);
    assert!(refs.iter().all(|r| !r.is_pending()));
    assert_eq!(calls.take(), ["str", "id"]);
}

/// A reference that has the last owner of its own object: as it is dropped, its callback doesn't run.
///
/// In Rust that is a matter of the fields' order: what is declared first goes first.
#[test]
fn test_subclass_refs_with_cycle() {
    struct MyRef<T> {
        _told: Observer<i32>,
        _o: T,
    }
    struct OwnerFirst {
        _o: Arc<i32>,
        _told: Observer<i32>,
    }

    let called = Count::default();
    let o = Arc::new(1);
    drop(MyRef { _told: Arc::observe(&o, called.callback()), _o: o });
    assert_eq!(called.get(), 0);

    // Two references to the same object, the first of which has the second.
    let o = Arc::new(2);
    let (told1, told2) = (Arc::observe(&o, called.callback()), Arc::observe(&o, called.callback()));
    drop(MyRef { _told: told1, _o: MyRef { _told: told2, _o: o } });
    assert_eq!(called.get(), 0);

    // The owner goes first: the observer is armed still, so it is called, once.
    let o = Arc::new(3);
    drop(OwnerFirst { _told: Arc::observe(&o, called.callback()), _o: o });
    assert_eq!(called.get(), 1);

    // The callback itself has the last owner: the object lives until the observer goes, and dies uncalled.
    let o = Arc::new(4);
    let (weak, has) = (Arc::downgrade(&o), Mutex::new(Some(o.clone())));
    let called_too = called.clone();
    let told = Arc::observe(&o, move |_| {
        called_too.up();
        drop(has);
    });
    drop(o);
    assert!(weak.is_alive());
    assert!(told.cancel());
    assert!(!weak.is_alive());
    assert_eq!(called.get(), 1);
}
