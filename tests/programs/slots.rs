//! A static slot opened on demand and closed with its last user; a configuration that is swapped; a tree with parents; and what
//! is to be done at an object's end.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use weakly::atomic::{AtomicArc, AtomicWeak};
use weakly::{Arc, Finalizer, Weak, finalize};

struct Gpu {
    id: u32,
}

static GPU: AtomicWeak<Gpu> = AtomicWeak::empty();
static CONFIG: AtomicArc<Vec<String>> = AtomicArc::empty();

#[test]
fn a_device_is_open_while_it_is_used() {
    let gpu = GPU.get_or_init_with(|| Arc::new(Gpu { id: 1 }));
    let again = GPU.get_or_init_with(|| Gpu { id: 2 }.into());
    assert!(Arc::ptr_eq(&gpu, &again) && again.id == 1);
    let tried: Result<Arc<Gpu>, String> = GPU.get_or_try_init_with(|| Err("never run".into()));
    assert!(tried.is_ok());
    drop((gpu, again, tried));
    let weak: Weak<Gpu> = GPU.load();
    assert!(weak.upgrade().is_none() && GPU.get_or_try_init_with(|| Err("broken")).is_err());
}

#[test]
fn a_configuration_is_swapped_and_read() {
    let first = || CONFIG.read(&weakly::pin()).and_then(|config| config.first().cloned());
    CONFIG.store(Arc::new_deferred(vec!["a".to_string()]));
    assert_eq!(first().as_deref(), Some("a"));
    CONFIG.store(Some(Arc::new(vec![])));
    let old = CONFIG.load();
    assert!(CONFIG.compare_exchange(old.as_ref(), Arc::new(vec!["b".to_string()])).is_ok());
    let error = CONFIG.compare_exchange(old.as_ref(), Arc::new(vec![])).unwrap_err();
    assert_eq!((error.current.unwrap().len(), error.new.unwrap().len()), (1, 0));
    let _ = CONFIG.fetch_update(|config| Some(Some(Arc::new(config.map(|v| (**v).clone()).unwrap_or_default()))));
    assert_eq!(first().as_deref(), Some("b"));
    CONFIG.store(None);
    assert_eq!(first(), None);
}

struct Node {
    next: AtomicArc<Node>,
    parent: AtomicWeak<Node>,
}

#[test]
fn nodes_with_parents() {
    let node =
        Arc::new_cyclic(|me: &Weak<Node>| Node { next: AtomicArc::empty(), parent: AtomicWeak::from(me.clone()) });
    assert!(Arc::ptr_eq(&node.parent.upgrade().unwrap(), &node));
    node.parent.store(Weak::new());
    assert!(node.parent.upgrade().is_none() && node.next.swap(None).is_none());
    node.parent.store(Arc::downgrade(&node));
    let (slot, other) = (AtomicWeak::new(&node), AtomicWeak::from(Arc::downgrade(&node)));
    assert!(slot.upgrade().is_some() && other.upgrade().is_some());
}

#[test]
fn what_is_to_be_done_at_the_end() {
    static CLOSED: AtomicU32 = AtomicU32::new(0);
    let handle = Arc::new(Gpu { id: 3 });
    let id = handle.id;
    let finalizer: Finalizer<()> = finalize(&handle, move || {
        CLOSED.fetch_add(id, SeqCst);
    });
    finalizer.set_atexit(false);
    assert!(finalizer.is_alive() && finalizer.clone().peek());
    let detached = finalizer.detach().unwrap();
    detached.call();
    let called: Option<std::io::Result<()>> = finalize(&handle, || std::fs::remove_file("no such file")).call();
    assert!(called.unwrap().is_err());
    let text: Arc<str> = "x".into();
    let _ = finalize(&text, || ());
    let observer = Arc::observe(&handle, |handle| {
        CLOSED.fetch_add(handle.id, SeqCst);
    });
    assert!(observer.is_alive() && observer.upgrade().is_some() && observer.is_pending());
    observer.detach();
    assert!(Arc::observers(&handle).iter().all(|info| info.location.file().ends_with("slots.rs")));
    drop(handle);
    assert_eq!(CLOSED.load(SeqCst), 6);
}
