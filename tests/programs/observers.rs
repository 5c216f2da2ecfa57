//! Observers in a list, behind a trait and as closures; proxies and methods of what may be gone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use weakly::{Arc, ByValue, Dead, Interned, Interner, Proxy, PtrWeakSet, WeakList, WeakMethod, unsize};

trait Listener: Send + Sync {
    fn on_event(&self, event: &str);
}

#[derive(Default)]
struct Log(AtomicUsize);

impl Listener for Log {
    fn on_event(&self, event: &str) {
        self.0.fetch_add(event.len(), SeqCst);
    }
}

#[derive(Default)]
struct Bus {
    list: WeakList<dyn Listener>,
}

impl Bus {
    fn subscribe(&self, listener: &Arc<dyn Listener>) {
        self.list.push(listener);
    }

    fn emit(&self, event: &str) {
        for listener in &self.list {
            listener.on_event(event);
        }
    }

    fn emit_pinned(&self, event: &str) {
        for listener in &self.list.pin() {
            listener.on_event(event);
        }
    }

    fn unsubscribe(&self, listener: &Arc<dyn Listener>) {
        self.list.retain(|there| !Arc::ptr_eq(there, listener));
    }
}

#[test]
fn listeners_behind_a_trait() {
    static GLOBAL: WeakList<dyn Listener> = WeakList::new();
    let (bus, log) = (Bus::default(), Arc::new(Log::default()));
    bus.subscribe(&unsize!(log.clone() => dyn Listener));
    let listener: Arc<dyn Listener> = unsize!(log.clone() => dyn Listener);
    let _inferred: Arc<dyn Listener> = unsize!(log.clone());
    bus.subscribe(&unsize!(log.clone()));
    bus.list.push(&unsize!(log.clone()));
    let weak = unsize!(Arc::downgrade(&log) => dyn Listener);
    assert!(weak.upgrade().is_some_and(|there| Arc::ptr_eq(&there, &listener)));
    let boxed: Arc<dyn Listener> = Arc::from(Box::new(Log::default()) as Box<dyn Listener>);
    GLOBAL.push(&boxed);
    GLOBAL.push(&listener);
    drop(boxed);
    assert_eq!(GLOBAL.len(), 1);

    bus.emit("x"); // thrice the same one
    bus.emit_pinned("yy");
    assert_eq!(log.0.load(SeqCst), 9);
    bus.unsubscribe(&listener);
    bus.emit("nobody");
    assert_eq!((log.0.load(SeqCst), bus.list.len()), (9, 0));

    let set: PtrWeakSet<dyn Listener> = PtrWeakSet::new();
    set.insert(&listener);
    assert!(set.contains(&listener));
}

#[test]
fn closures_in_a_list() {
    static SUM: AtomicUsize = AtomicUsize::new(0);
    let callbacks: WeakList<dyn Fn(usize) + Send + Sync> = WeakList::new();
    let n = 5;
    let add = unsize!(Arc::new(move |x| _ = SUM.fetch_add(x + n, SeqCst)) => dyn Fn(usize) + Send + Sync);
    callbacks.push(&add);
    for callback in &callbacks {
        callback(3);
    }
    drop(add);
    for callback in &callbacks {
        callback(100);
    }
    assert_eq!(SUM.load(SeqCst), 8);
}

#[test]
fn proxies_and_methods() {
    let len = Arc::new(|s: &str| s.len());
    let proxy = Proxy::new(&len);
    assert_eq!(proxy.call(("abc",)), Ok(3));
    drop(len);
    assert_eq!(proxy.call(("abc",)), Err(Dead));
    let up: Arc<dyn Fn(u8) -> u8 + Send + Sync> = unsize!(Arc::new(|x| x + 1));
    assert_eq!(Proxy::new(&up).call((1,)), Ok(2));
    assert_eq!(Proxy::new(&Arc::new(|| 5)).call(()), Ok(5), "its object lives to the end of the statement");

    let text = Arc::new(String::from("ab"));
    assert_eq!(WeakMethod::new(&text, String::len).call(()), Ok(2));
    assert_eq!(WeakMethod::new(&text, |s: &String| s.len()).call(()), Ok(2));
    let method = WeakMethod::new(&text, |s: &String, n: usize, more: &str| s.len() + n + more.len());
    assert_eq!((method.call((1, "x")), method.bind().unwrap().call((1, "x"))), (Ok(4), 4));
    assert_eq!(ByValue::new(&text), ByValue::new(&Arc::new(String::from("ab"))));

    let interner: Interner<str> = Interner::new();
    let x = interner.intern("x");
    let ordered: BTreeSet<Interned<str>> = [x.clone(), interner.intern("x")].into();
    assert_eq!(ordered.len(), 1);
}
