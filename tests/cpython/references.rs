//! `ReferencesTestCase`: references, proxies, callbacks. A `ref` is a [`Weak`], one with a callback an [`Observer`], one that
//! compares by value a [`ByValue`].

use crate::common::{Count, Dropping, Log, Object, impls, object, planned, sized};
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::hash::{BuildHasher, RandomState};
use std::ops::{Add, Div, DivAssign};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use weakly::{Arc, ByValue, Dead, Observer, Proxy, Weak, WeakKeyMap, WeakSet, WeakValueMap};

/// The kinds of objects that CPython's `check_basic_*` goes through: an instance, a function, a bound method.
struct C;

impl C {
    fn method(&self) {}
}

fn create_function() -> Arc<fn() -> i32> {
    Arc::new(|| 1)
}

fn create_bound_method() -> Arc<dyn Fn() + Send + Sync> {
    let c = C;
    Arc::from(Box::new(move || c.method()) as Box<dyn Fn() + Send + Sync>)
}

#[test]
fn test_basic_ref() {
    fn check_basic_ref<T: ?Sized>(o: Arc<T>) {
        let r = Arc::downgrade(&o);
        assert!(r.is_alive());
        assert!(Arc::ptr_eq(&r.upgrade().unwrap(), &o));
        assert!(!format!("{r:?}").is_empty());
        drop(o);
        assert!(r.upgrade().is_none());
        assert!(!format!("{r:?}").is_empty());
    }
    check_basic_ref(Arc::new(C));
    check_basic_ref(create_function());
    check_basic_ref(create_bound_method());
}

/// The text has the address and the life; no type, for the type is static.
#[test]
fn test_ref_repr() {
    let obj = object(1);
    let r = Arc::downgrade(&obj);
    let address = Arc::as_ptr(&obj);
    assert_eq!(format!("{r:?}"), format!("(Weak {address:p} alive)"));
    drop(obj);
    assert_eq!(format!("{r:?}"), format!("(Weak {address:p} dead)"));
}

/// CPython looked the name up through the object's own `__getattr__`. Here no `Debug` of the object is asked for, or run.
#[test]
fn test_repr_failure_gh99184() {
    struct MyConfig;
    impl fmt::Debug for MyConfig {
        fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
            panic!("the object's own Debug")
        }
    }
    struct WithoutDebug;

    fn check<T: 'static>(obj: &Arc<T>) {
        let address = format!("{:p}", Arc::as_ptr(obj));
        assert!(format!("{:?}", Arc::downgrade(obj)).contains(&address));
        assert!(format!("{:?}", Arc::observe(obj, |_| ())).contains(&address));
        assert!(format!("{:?}", Proxy::new(obj)).contains(&address));
    }
    check(&Arc::new(MyConfig));
    check(&Arc::new(WithoutDebug));
}

#[test]
fn test_basic_callback() {
    fn check_basic_callback<T: ?Sized + 'static>(o: Arc<T>) {
        let called = Count::default();
        let r = Arc::observe(&o, called.callback());
        assert_eq!(called.get(), 0);
        drop(o);
        assert_eq!(called.get(), 1);
        assert!(r.upgrade().is_none());
        drop(r);
        assert_eq!(called.get(), 1);
    }
    check_basic_callback(Arc::new(C));
    check_basic_callback(create_function());
    check_basic_callback(create_bound_method());
}

#[test]
fn test_multiple_callbacks() {
    let called = Count::default();
    let o = Arc::new(C);
    let ref1 = Arc::observe(&o, called.callback());
    let ref2 = Arc::observe(&o, called.callback());
    drop(o);
    assert!(ref1.upgrade().is_none() && ref2.upgrade().is_none());
    assert_eq!(called.get(), 2);
}

/// Every reference is dead before the first callback runs.
#[test]
fn test_multiple_selfref_callbacks() {
    let c = Arc::new(C);
    let refs: [Weak<C>; 3] = std::array::from_fn(|_| Arc::downgrade(&c));
    let alive = Log::new();
    let observers: Vec<Observer<C>> = (0..3)
        .map(|_| {
            let (refs, alive) = (refs.clone(), alive.clone());
            Arc::observe(&c, move |_| alive.push(refs.map(|r| r.upgrade().is_some())))
        })
        .collect();
    drop(c);
    assert_eq!(alive.take(), [[false; 3]; 3]);
    assert!(observers.iter().all(|o| !o.is_alive()));
}

/// A proxy has no callback of its own: an observer stands beside it.
#[test]
fn test_proxy_ref() {
    let called = Count::default();
    let o = object(1);
    let (ref1, _told1) = (Proxy::new(&o), Arc::observe(&o, called.callback()));
    let (ref2, _told2) = (Proxy::new(&o), Arc::observe(&o, called.callback()));
    assert_eq!(ref1.with(|o| o.0), Ok(1));
    drop(o);
    assert_eq!(ref1.with(|o| o.0), Err(Dead));
    assert_eq!(ref2.with(|o| o.0), Err(Dead));
    let ref3 = Proxy::new(&object(2));
    assert_eq!(ref3.get(), Err(Dead)); // `bool(ref3)` raises too
    assert_eq!(called.get(), 2);
    assert_eq!(Dead.to_string(), "weakly-referenced object no longer exists");
}

#[test]
fn test_proxy_repr() {
    let obj = object(1);
    let proxy = Proxy::new(&obj);
    let address = Arc::as_ptr(&obj);
    assert_eq!(format!("{proxy:?}"), format!("Proxy {{ object: (Weak {address:p} alive) }}"));
    drop(obj);
    assert_eq!(format!("{proxy:?}"), format!("Proxy {{ object: (Weak {address:p} dead) }}"));
}

/// CPython shares one `ref` object among all who ask for one without a callback. A [`Weak`] is a count and no object, so there
/// is nothing to share; all of one object are equal, and `weak_count` counts each.
#[test]
fn test_ref_reuse() {
    let o = Arc::new(C);
    let ref1 = Arc::downgrade(&o);
    let proxy = Proxy::new(&o);
    let ref2 = Arc::downgrade(&o);
    assert!(ref1 == ref2 && ref1.ptr_eq(&ref2));
    assert_eq!(size_of::<Weak<C>>(), size_of::<usize>());

    assert_eq!(Arc::weak_count(&o), 3);
    drop(proxy);
    assert_eq!(Arc::weak_count(&o), 2);
    drop(ref1);
    assert_eq!(Arc::weak_count(&o), 1);
}

/// As [`test_ref_reuse`], for proxies: each is one more handle to one object.
#[test]
fn test_proxy_reuse() {
    let o = Arc::new(C);
    let proxy1 = Proxy::new(&o);
    let r = Arc::downgrade(&o);
    let proxy2 = Proxy::new(&o);
    assert!(Arc::ptr_eq(&proxy1.get().unwrap(), &proxy2.get().unwrap()));
    assert!(Arc::ptr_eq(&Proxy::from(r).get().unwrap(), &o));
}

/// CPython's `check_proxy`: what changes on one side is seen on the other. Its attributes come and go; here it is a field.
fn check_proxy(o: &Arc<Mutex<Option<i32>>>, proxy: &Proxy<Mutex<Option<i32>>>) {
    let through = |proxy: &Proxy<Mutex<Option<i32>>>| proxy.with(|o| *o.lock().unwrap());
    for value in [Some(1), Some(2), None] {
        *o.lock().unwrap() = value;
        assert_eq!(through(proxy), Ok(value));
    }
    for value in [Some(1), Some(2), None] {
        assert_eq!(proxy.with(|o| *o.lock().unwrap() = value), Ok(()));
        assert_eq!(*o.lock().unwrap(), value);
    }
}

#[test]
fn test_basic_proxy() {
    let o = Arc::new(Mutex::new(None));
    check_proxy(&o, &Proxy::new(&o));

    let list = Arc::new(Mutex::new(Vec::new()));
    let p = Proxy::new(&list);
    assert_eq!(p.with(|l| l.lock().unwrap().is_empty()), Ok(true));
    p.with(|l| l.lock().unwrap().push(12)).unwrap();
    assert_eq!(list.lock().unwrap().len(), 1);
    assert_eq!(p.with(|l| l.lock().unwrap().is_empty()), Ok(false));
    p.with(|l| *l.lock().unwrap() = vec![2, 3]).unwrap();
    assert_eq!(list.lock().unwrap().len(), 2);
    assert_eq!(p.with(|l| l.lock().unwrap().len()), Ok(2));
    assert_eq!(p.with(|l| l.lock().unwrap().contains(&3)), Ok(true));
    p.with(|l| l.lock().unwrap()[1] = 5).unwrap();
    assert_eq!(list.lock().unwrap()[1], 5);
    assert_eq!(p.with(|l| l.lock().unwrap()[1]), Ok(5));

    let (list2, list3) = (Arc::new(vec![2, 5]), Arc::new((0..10).collect::<Vec<_>>()));
    let (p2, p3) = (Proxy::new(&list2), Proxy::new(&list3));
    assert_eq!(p.with(|l| p2.with(|l2| *l.lock().unwrap() == *l2)), Ok(Ok(true)));
    assert_eq!(p3.with(|l| l[..] == list3[..]), Ok(true));
    assert_eq!(p3.with(|l| l[5..].to_vec()), Ok(list3[5..].to_vec()));
    assert_eq!(p3.with(|l| l[..5].to_vec()), Ok(list3[..5].to_vec()));
    assert_eq!(p3.with(|l| l[2..5].to_vec()), Ok(list3[2..5].to_vec()));
}

#[test]
fn test_proxy_unicode() {
    struct Text;
    impl Display for Text {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            f.write_str("string")
        }
    }
    impl AsRef<[u8]> for Text {
        fn as_ref(&self) -> &[u8] {
            b"bytes"
        }
    }
    let instance = Arc::new(Text);
    let proxy = Proxy::new(&instance);
    assert_eq!(proxy.with(|c| c.to_string()).as_deref(), Ok("string"));
    assert_eq!(proxy.with(|c| c.as_ref().to_vec()).as_deref(), Ok(&b"bytes"[..]));
}

/// In CPython `p //= 5` rebinds `p` to the result. Here an assigning operator acts on the object, and the proxy stays one.
#[test]
fn test_proxy_div() {
    struct Number(Mutex<i32>);
    impl Div<i32> for &Number {
        type Output = i32;
        fn div(self, _: i32) -> i32 {
            42
        }
    }
    impl DivAssign<i32> for &Number {
        fn div_assign(&mut self, _: i32) {
            *self.0.lock().unwrap() = 21;
        }
    }
    let o = Arc::new(Number(Mutex::new(0)));
    let p = Proxy::new(&o);
    assert_eq!(p.with(|c| c / 5), Ok(42));
    p.with(|mut c| c /= 5).unwrap();
    assert_eq!(*o.0.lock().unwrap(), 21);
}

/// No callback and `None` are the same thing, as there is but one way to say it; see [`test_ref_reuse`] on sharing.
#[test]
fn test_shared_ref_without_callback() {
    let o = object(1);
    let refs = HashSet::from([Arc::downgrade(&o), Arc::downgrade(&o), Arc::downgrade(&o).clone()]);
    assert_eq!(refs.len(), 1);
    drop(refs);
    assert_eq!(Arc::weak_count(&o), 0);
    let (p1, told) = (Arc::downgrade(&o), Arc::observe(&o, |_| ()));
    assert!(p1 == *told); // of one object, with a callback or without
}

/// As [`test_shared_ref_without_callback`], for proxies.
#[test]
fn test_shared_proxy_without_callback() {
    let o = object(1);
    let proxies = [Proxy::new(&o), Proxy::from(Arc::downgrade(&o)), Proxy::new(&o).clone()];
    assert!(proxies.iter().all(|p| Arc::ptr_eq(&p.get().unwrap(), &o)));
    drop(proxies);
    assert_eq!(Arc::weak_count(&o), 0);
}

/// What can be called, and with how many arguments, is static: CPython's `TypeError`s don't compile.
#[test]
fn test_callable_proxy() {
    let o = Arc::new(Mutex::new(None));
    check_proxy(&o, &Proxy::new(&o));

    let bar = Log::new();
    let sink = bar.clone();
    let callable = Arc::new(move |x: &'static str| sink.push(x));
    let ref1 = Proxy::new(&callable);
    assert_eq!(ref1.call(("twinkies!",)), Ok(()));
    assert_eq!(bar.take(), ["twinkies!"]);
    assert_eq!(ref1.call(("Splat.",)), Ok(()));
    assert_eq!(bar.take(), ["Splat."]);
    drop(callable);
    assert_eq!(ref1.call(("gone",)), Err(Dead));
    assert!(bar.take().is_empty());
}

/// The last owner goes while the object is in use through a proxy: it lives until the use ends, and no longer.
#[test]
fn test_proxy_iter() {
    let gone = Count::default();
    let obj = Arc::new(Dropping(gone.clone()));
    let p = Proxy::new(&obj);
    let mut outside = Some(obj);
    let inside = p.with(|o| {
        drop(outside.take());
        o.0.get() // reads the object
    });
    assert_eq!(inside, Ok(0));
    assert_eq!(gone.get(), 1);
    assert!(!p.is_alive());
}

#[test]
fn test_proxy_next() {
    let it = Arc::new(Mutex::new(vec![4, 5, 6].into_iter()));
    let proxy = Proxy::new(&it);
    let weak_it = std::iter::from_fn(|| proxy.with(|it| it.lock().unwrap().next()).unwrap());
    assert_eq!(weak_it.collect::<Vec<_>>(), [4, 5, 6]);
}

#[test]
fn test_proxy_hash() {
    assert!(impls!(Object: std::hash::Hash));
    assert!(!impls!(Proxy<Object>: std::hash::Hash));
}

/// `observer_count` has what CPython calls references with callbacks; those without are `weak_count`'s, which also has two
/// for each observer: its handle's and its hook's.
#[test]
fn test_getweakrefcount() {
    let called = Count::default();
    let o = Arc::new(C);
    let (ref1, proxy1) = (Arc::downgrade(&o), Proxy::new(&o));
    assert_eq!((Arc::weak_count(&o), Arc::observer_count(&o)), (2, 0));
    let (ref2, ref3) = (Arc::observe(&o, called.callback()), Arc::observe(&o, called.callback()));
    assert_eq!((Arc::weak_count(&o), Arc::observer_count(&o)), (2 + 2 * 2, 2));
    drop((ref1, ref2, proxy1, ref3));
    assert_eq!((Arc::weak_count(&o), Arc::observer_count(&o)), (0, 0));
    drop(o);
    assert_eq!(called.get(), 0);
}

/// The handles themselves can't be had back, for they are owned; what is told of each is where it was registered.
#[test]
fn test_getweakrefs() {
    fn lines<T: ?Sized>(o: &Arc<T>) -> Vec<u32> {
        Arc::observers(o).iter().map(|info| info.location.line()).collect()
    }
    let o = Arc::new(C);
    let ref1 = Arc::observe(&o, |_| ());
    let ref2 = Arc::observe(&o, |_| ());
    let all = lines(&o);
    assert_eq!(all[0], all[1] + 1, "newest first");
    drop(ref1);
    assert_eq!(lines(&o), all[..1]);
    drop(ref2);

    let o = Arc::new(C);
    let ref1 = Arc::observe(&o, |_| ());
    let ref2 = Arc::observe(&o, |_| ());
    let all = lines(&o);
    drop(ref2);
    assert_eq!(lines(&o), all[1..]);
    drop(ref1);
    assert!(lines(&o).is_empty());
}

#[test]
fn test_newstyle_number_ops() {
    #[derive(Clone, Copy)]
    struct F(f64);
    impl Add<f64> for F {
        type Output = f64;
        fn add(self, other: f64) -> f64 {
            self.0 + other
        }
    }
    impl Add<F> for f64 {
        type Output = f64;
        fn add(self, other: F) -> f64 {
            self + other.0
        }
    }
    let f = Arc::new(F(2.0));
    let p = Proxy::new(&f);
    assert_eq!(p.with(|f| *f + 1.0), Ok(3.0));
    assert_eq!(p.with(|f| 1.0 + *f), Ok(3.0));
}

/// An object dies by a panic: its callback runs, may panic too, and the first panic goes on unharmed.
#[test]
fn test_callbacks_protected() {
    #[derive(Debug, PartialEq)]
    struct BogusError(i32);

    for round in 0..2 {
        let data = std::sync::Arc::new(Mutex::new(HashMap::new()));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let f = Arc::new(C);
            let (key, removes) = (Arc::downgrade(&f), data.clone());
            let key_of_callback = key.clone();
            let told = Arc::observe(&f, move |_| {
                removes.lock().unwrap().remove(&key_of_callback);
                planned()
            });
            told.detach();
            data.lock().unwrap().insert(key, ());
            std::panic::resume_unwind(Box::new(BogusError(round)));
        }));
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&BogusError(round)));
        assert!(data.lock().unwrap().is_empty());
    }
}

/// What a callback can do to make the crate clean up while an object is being destroyed: CPython's `gc.collect`.
fn collect() {
    let (set, values) = (WeakSet::new(), WeakValueMap::new());
    for n in 0..20 {
        let element = Arc::new(n);
        set.insert(&element);
        values.insert(n, &element);
    }
    assert!(set.is_empty() && values.is_empty());
    for _ in 0..4 {
        weakly::pin().flush();
    }
    values.shrink_to_fit();
}

/// A callback that cleans up while its object's owner is being destroyed: nothing is destroyed twice.
#[test]
fn test_sf_bug_840829() {
    struct Inner(#[expect(dead_code, reason = "dropped")] Dropping);
    struct Outer<T>(T, #[expect(dead_code, reason = "dropped")] Dropping);

    let (dropped, called) = (Count::default(), Count::default());
    let watch = |c: &Arc<Inner>| {
        let called = called.clone();
        Arc::observe(c, move |_| {
            collect();
            called.up();
        })
    };
    let c = Arc::new(Inner(Dropping(dropped.clone())));
    let wr = watch(&c);
    drop(c);
    assert_eq!((called.get(), dropped.get()), (1, 1));
    drop(wr);

    let i = Arc::new(Inner(Dropping(dropped.clone())));
    let _wr = watch(&i);
    let c1 = Arc::new(Outer(i, Dropping(dropped.clone())));
    let c2 = Arc::new(Outer(c1.clone(), Dropping(dropped.clone())));
    drop(c1); // alive: c2 has it
    assert_eq!((called.get(), dropped.get()), (1, 1));
    drop(c2);
    assert_eq!((called.get(), dropped.get()), (2, 4));
}

/// In CPython a destructor sees its object alive still, and may make new references to it. Here the object is dead before the
/// destructor runs: an upgrade fails, and a reference that the destructor leaves behind is a dead one, safe to use.
#[test]
fn test_ref_created_during_del() {
    struct Target {
        me: Weak<Target>,
        upgraded: Log<bool>,
        ref_from_del: Log<Weak<Target>>,
    }
    impl Drop for Target {
        fn drop(&mut self) {
            self.upgraded.push(self.me.upgrade().is_some());
            self.ref_from_del.push(self.me.clone());
        }
    }
    let (upgraded, ref_from_del) = (Log::new(), Log::new());
    let logs = (upgraded.clone(), ref_from_del.clone());
    drop(Arc::new_cyclic(move |me| Target { me: me.clone(), upgraded: logs.0, ref_from_del: logs.1 }));
    assert_eq!(upgraded.take(), [false]);
    let left = ref_from_del.take().pop().unwrap();
    assert!(!left.is_alive() && left.upgrade().is_none() && left == left.clone());
}

/// CPython has `r == r` false where the object's `==` is; a Rust `Eq` must not, and a [`Weak`] goes by identity anyway.
#[test]
fn test_equality() {
    let (x, y, z) = (object(1), object(1), object(2));
    let (a, b, c, d) = (ByValue::new(&x), ByValue::new(&y), ByValue::new(&z), ByValue::new(&x));
    assert!(a == b && !(a != b));
    assert!(!(a == c) && a != c);
    assert!(a == d && !(a != d));
    assert!(a.as_weak() != b.as_weak() && a.as_weak() == d.as_weak());
    drop((x, y, z));
    assert!([&a, &b, &c].iter().all(|r| r.upgrade().is_none()));
    // Dead ones compare by identity of the object.
    assert!(!(a == b) && a != b);
    assert!(!(a == c) && a != c);
    assert!(a == d && !(a != d));
}

#[test]
fn test_ordering() {
    assert!(impls!(Object: PartialOrd));
    assert!(!impls!(Weak<Object>: PartialOrd));
    assert!(!impls!(ByValue<Object>: PartialOrd));
    assert!(!impls!(Observer<Object>: PartialOrd));
}

/// The hash is taken at creation, so it is always there; CPython takes it at the first use, and fails if that is too late.
#[test]
fn test_hashing() {
    let by = RandomState::new();
    let (x, y) = (object(42), object(42));
    let (a, b) = (ByValue::new(&x), ByValue::new(&y));
    let hash = by.hash_one(&a);
    assert_eq!(hash, by.hash_one(&b));
    assert_ne!(hash, by.hash_one(ByValue::new(&object(43))));
    drop((x, y));
    assert_eq!(by.hash_one(&a), hash);
    assert_eq!(by.hash_one(&b), hash);
}

/// A chain of deaths, each of which is watched by the next one to die: no callback sees an object of the chain alive.
#[test]
fn test_trashcan_16602() {
    struct Link {
        number: usize,
        /// Told of the parent's death, by which it asks whether its own owner is alive.
        _parent: Mutex<Option<Observer<Link>>>,
    }
    const LINKS: usize = sized(100, 30);

    let d = weakly::PtrWeakKeyMap::<Link, Arc<Link>>::new();
    let seen = Log::new();
    let root = Arc::new(Link { number: 0, _parent: Mutex::new(None) });
    let mut c = root.clone();
    for number in 1..LINKS {
        let child = Arc::new_cyclic(|wself: &Weak<Link>| {
            let (wself, seen) = (wself.clone(), seen.clone());
            let told = Arc::observe(&c, move |_| seen.push((number, wself.upgrade().map(|o| o.number))));
            Link { number, _parent: Mutex::new(Some(told)) }
        });
        drop(d.insert(&c, child.clone()));
        c = child;
    }
    assert_eq!(d.len(), LINKS - 1);
    let last = c;
    drop(root);
    assert!(d.is_empty());
    // The last of the chain is held from outside, so it is alive, and told of its parent's death as all that are still there.
    let seen = seen.take();
    assert!(seen.contains(&(LINKS - 1, Some(LINKS - 1))));
    assert!(seen.iter().all(|&(number, alive)| alive.is_none() || number == LINKS - 1), "{seen:?}");
    drop(last);
}

/// What can be asked of a callback is whether it still waits. A plain [`Weak`] has none, and no such question.
#[test]
fn test_callback_attribute() {
    let x = object(1);
    let called = Count::default();
    let ref1 = Arc::observe(&x, called.callback());
    assert!(ref1.is_pending());
    assert_eq!(called.get(), 0); // asking doesn't call
    assert!(ref1.cancel());
}

#[test]
fn test_callback_attribute_after_deletion() {
    let x = object(1);
    let r = Arc::observe(&x, |_| ());
    assert!(r.is_pending());
    drop(x);
    assert!(!r.is_pending());
}

/// The callback can't be changed: there is no way to write to an observer, and what runs is what was given.
#[test]
fn test_set_callback_attribute() {
    assert!(impls!(Observer<Object>: std::ops::Deref));
    assert!(!impls!(Observer<Object>: std::ops::DerefMut));
    let called = Count::default();
    let x = object(1);
    let _ref1 = Arc::observe(&x, called.callback());
    let _other = Arc::observe(&x, |_| ());
    drop(x);
    assert_eq!(called.get(), 1);
}

#[test]
fn test_callback_gcs() {
    let (dropped, seen) = (Count::default(), Log::new());
    let x = Arc::new(Dropping(dropped.clone()));
    let map = WeakKeyMap::<Object, i32>::new();
    let log = seen.clone();
    let _ref1 = Arc::observe(&x, move |x| {
        collect();
        drop(map.insert(&object(1), 1));
        log.push((x.0.get(), map.len())); // the value is whole
    });
    drop(x);
    assert_eq!(seen.take(), [(0, 0)]);
    assert_eq!(dropped.get(), 1);
}
