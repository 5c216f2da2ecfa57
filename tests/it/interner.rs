//! `Interner` and `Interned`: one object for equal values, as long as anybody uses it.

use crate::common::{
    Constant, Counted, FourBit, Good, Hooked, Tally, flush_until, panics_as_planned, planned, sized, together, watchdog,
};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::hash::{BuildHasher, Hash};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use weakly::{Arc, Interned, Interner};

/// Every way to intern gives the one object.
fn one_object_for_equal_values<S: BuildHasher + Default>() {
    let interner: Interner<str, S> = Interner::with_hasher(S::default());
    let one = interner.intern("one");
    let same = [
        interner.intern(String::from("one")),
        interner.intern(Box::<str>::from("one")),
        interner.intern(Cow::Borrowed("one")),
        interner.intern(Arc::<str>::from("one")),
        interner.intern_ref("one"),
        interner.intern_box("one".into()),
        interner.intern_arc("one".into()),
        interner.intern_with("one", |_| unreachable!("a hit")),
        interner.get("one").unwrap(),
    ];
    assert!(same.iter().all(|other| *other == one && Arc::ptr_eq(Interned::as_arc(other), Interned::as_arc(&one))));
    assert_eq!((interner.len(), interner.get("two")), (1, None));
    let others: Vec<_> = (0..sized(100, 10)).map(|n| interner.intern(n.to_string())).collect();
    assert!(others.iter().all(|other| *other != one) && interner.len() == others.len() + 1);
    assert_eq!(interner.iter().collect::<HashSet<_>>().len(), others.len() + 1);
    drop((one, others));
    assert_eq!((interner.len(), interner.iter().count()), (1, 1), "clones hold it");
    drop(same);
    assert_eq!((interner.len(), interner.is_empty(), interner.get("one")), (0, true, None));
    assert_eq!(interner.stats().died, sized(101, 11) as u64);
}

#[test]
fn equal_values_are_one_object() {
    one_object_for_equal_values::<Good>();
    one_object_for_equal_values::<FourBit>();
    one_object_for_equal_values::<Constant>();
}

#[test]
fn an_object_at_hand_becomes_the_canonical_one() {
    let interner: Interner<String> = Interner::new();
    let arc = Arc::new("a".to_string());
    let a = interner.intern_arc(arc.clone());
    assert!(Arc::ptr_eq(Interned::as_arc(&a), &arc));
    let b = interner.intern(Arc::new("b".to_string()));
    assert!(Arc::ptr_eq(&Interned::into_arc(b.clone()), Interned::as_arc(&b)));
    assert_eq!((Arc::strong_count(&arc), Arc::observer_count(&arc)), (2, 1));
}

/// A miss makes an object of what is at hand; a hit lets it go.
#[test]
fn what_is_at_hand_goes_on_a_hit() {
    let (interner, tally): (Interner<Counted>, _) = (Interner::new(), Tally::new());
    let one = interner.intern(Counted::new(1, &tally));
    assert_eq!(interner.intern(Counted::new(1, &tally)), one);
    assert_eq!(interner.intern_box(Box::new(Counted::new(1, &tally))), one);
    assert_eq!(interner.intern_arc(Arc::new(Counted::new(1, &tally))), one);
    assert_eq!(tally.left(), 1);
    assert_eq!(interner.intern_ref(&*one), one, "and copies nothing");
    assert_eq!(tally.made(), 4);
    let two = interner.intern_ref(&Counted::new(2, &tally));
    assert_eq!((two.id, tally.left()), (2, 2), "a miss does");
}

#[test]
fn borrowed_forms_are_interned() {
    let strings: Interner<String> = Interner::new();
    assert_eq!(&*strings.intern_ref("s"), "s");
    let vecs: Interner<Vec<u8>> = Interner::new();
    assert_eq!(*vecs.intern_ref(&[1, 2][..]), [1, 2]);
    let slices: Interner<[u8]> = Interner::new();
    let slice = slices.intern_ref(&[1, 2][..]);
    assert!(slice == slices.intern(vec![1, 2]) && slice == slices.intern_ref(&[1, 2]));
    let (paths, path_bufs): (Interner<Path>, Interner<PathBuf>) = (Interner::new(), Interner::new());
    assert_eq!(&*paths.intern_ref(Path::new("p")), &**path_bufs.intern_ref(Path::new("p")));
    let (os, os_strings): (Interner<OsStr>, Interner<OsString>) = (Interner::new(), Interner::new());
    assert_eq!(&*os.intern_ref(OsStr::new("p")), &**os_strings.intern_ref(OsStr::new("p")));
    let (c, c_strings): (Interner<CStr>, Interner<CString>) = (Interner::new(), Interner::new());
    assert_eq!(&*c.intern_ref(c"p"), &**c_strings.intern_ref(c"p"));
    let units: Interner<()> = Interner::new();
    assert!(units.intern(()) == units.intern(()) && units.is_empty());
}

#[test]
fn made_in_every_way() {
    let interner: Interner<str> = Interner::with_capacity(100);
    assert_eq!(format!("{interner:?}"), "{}");
    let a = interner.intern("a");
    assert_eq!((format!("{interner:?}"), interner.stats().len), (r#"{"a"}"#.to_string(), 1));
    interner.shrink_to_fit();
    assert_eq!(interner.get("a"), Some(a));
    let built: Interner<str, Constant> = Interner::builder().shards(1).hasher(Constant::default()).build();
    assert_eq!(built.hasher().hash_one("a"), 0);
    let default: Interner<str, Good> = Interner::default();
    let sized: Interner<str, Good> = Interner::with_capacity_and_hasher(10, Good::default());
    assert!(default.is_empty() && sized.is_empty() && sized.stats().capacity >= 10);
}

#[test]
fn interned_values_compare_by_address_and_are_ordered_by_value() {
    let (one, other): (Interner<str>, Interner<str>) = (Interner::new(), Interner::new());
    let [a, b, foreign] = [one.intern("a"), one.intern("b"), other.intern("a")];
    assert!(a == a.clone() && a != b && a != foreign, "another interner's is another");
    let hash = |i: &Interned<str>| Good::default().hash_one(i);
    assert!(hash(&a) == hash(&a.clone()) && hash(&a) != hash(&foreign));
    assert!(a < b && foreign < b && a.cmp(&a.clone()) == Ordering::Equal);
    assert_ne!(a.cmp(&foreign), Ordering::Equal, "as `==` says");
    assert_eq!(a.cmp(&foreign), foreign.cmp(&a).reverse());
    assert_eq!(a.partial_cmp(&foreign), Some(a.cmp(&foreign)));
    let sorted: BTreeSet<_> = [&b, &foreign, &a, &b].into_iter().cloned().collect();
    assert_eq!(sorted.len(), 3);
    assert_eq!((format!("{a} {a:?}"), a.as_ref(), a.len()), (r#"a "a""#.to_string(), "a", 1));
    let nan: Interner<Float> = Interner::new();
    let nan = nan.intern(Float(f64::NAN));
    assert_eq!(nan.partial_cmp(&nan.clone()), Some(Ordering::Equal), "as `==` says");
}

/// A number that is not equal to itself in order, but is to `Eq`.
#[derive(Debug, PartialOrd)]
struct Float(f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Float {}

impl Hash for Float {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

#[test]
fn a_raw_pointer_carries_the_count() {
    let interner: Interner<str> = Interner::new();
    let raw = Interned::into_raw(interner.intern("a"));
    assert_eq!(interner.len(), 1);
    // SAFETY: `into_raw` made it, and its count is still there.
    let back: Interned<str> = unsafe { Interned::from_raw(raw) };
    assert!(back == interner.get("a").unwrap());
    drop(back);
    assert!(interner.is_empty());
}

/// Whoever asks for a value meanwhile, and however often it dies in between: there never are two equal objects alive.
fn one_winner<S: BuildHasher + Default + Sync + Send>() {
    let _dog = watchdog();
    let tally = Tally::new();
    for _ in 0..sized(300, 3) {
        let interner: Interner<Counted, S> = Interner::with_hasher(S::default());
        let got: Mutex<Vec<Interned<Counted>>> = Mutex::default();
        together(sized(4, 3), |i| {
            for n in 0..5 {
                let value = match (i + n as usize) % 4 {
                    0 => interner.intern(Counted::new(n, &tally)),
                    1 => interner.intern_ref(&Counted::new(n, &tally)),
                    2 => interner.intern_with(&Counted::new(n, &tally), |q| Arc::new(q.clone())),
                    _ => interner.intern_arc(Arc::new(Counted::new(n, &tally))),
                };
                drop(interner.intern(Counted::new(100 + n, &tally))); // one that comes and goes
                got.lock().unwrap().push(value);
            }
        });
        let got = got.into_inner().unwrap();
        for a in &got {
            assert!(got.iter().all(|b| (a.id == b.id) == (a == b)));
        }
        assert_eq!((interner.len(), tally.left()), (5, 5));
        drop(got);
        assert_eq!((interner.len(), tally.left(), interner.stats().pending_removals), (0, 0, 0));
    }
}

#[test]
fn threads_that_intern_at_once_get_one_object() {
    one_winner::<Good>();
    one_winner::<FourBit>();
    one_winner::<Constant>();
}

/// Two loaders may run at once, for there is no key before one returns; but one object wins.
#[test]
fn losers_get_the_winners_object() {
    let _dog = watchdog();
    let (interner, inside, made): (Interner<u64>, _, _) = (Interner::new(), AtomicUsize::new(0), AtomicUsize::new(0));
    let got = Mutex::new(Vec::new());
    together(2, |_| {
        let value = interner.intern_with(&7, |&n| {
            made.fetch_add(1, SeqCst);
            inside.fetch_add(1, SeqCst);
            while inside.load(SeqCst) < 2 {
                std::thread::yield_now(); // both are inside
            }
            Arc::new(n)
        });
        got.lock().unwrap().push(value);
    });
    let got = got.into_inner().unwrap();
    assert_eq!((got[0] == got[1], made.load(SeqCst), interner.len()), (true, 2, 1));
}

#[test]
fn user_code_may_panic_and_come_back() {
    let _dog = watchdog();
    let interner: Interner<Hooked, Constant> = Interner::with_hasher(Constant::default());
    let one = interner.intern(Hooked::new(1));
    assert!(panics_as_planned(|| drop(interner.intern_with(&Hooked::new(2), |_| planned()))));
    one.on_eq.set(|| planned());
    assert!(panics_as_planned(|| drop(interner.intern(Hooked::new(2)))));
    one.on_eq.set(|| planned());
    assert!(panics_as_planned(|| drop(interner.get(&Hooked::new(2)))));
    assert_eq!((interner.len(), Arc::strong_count(Interned::as_arc(&one))), (1, 1));
    // A maker that interns the same value: the inner one wins.
    let mut inner = None;
    let outer = interner.intern_with(&Hooked::new(3), |_| {
        inner = Some(interner.intern(Hooked::new(3)));
        Arc::new(Hooked::new(3))
    });
    assert!(Some(outer) == inner && interner.len() == 2);
    // What loses panics as it goes: the winner comes to nobody, and dies.
    let loser = Arc::new(Hooked::new(1));
    loser.on_drop.set(|| planned());
    assert!(panics_as_planned(|| drop(interner.intern_arc(loser))));
    assert_eq!(Arc::strong_count(Interned::as_arc(&one)), 1);
    drop((one, inner));
    assert!(interner.is_empty());
}

#[test]
fn blocks_are_freed() {
    let interner: Interner<str> = Interner::new();
    let a = interner.intern("a");
    let arc = Interned::into_arc(a);
    let weak = Arc::downgrade(&arc);
    drop(arc);
    assert!(weak.upgrade().is_none() && interner.is_empty());
    flush_until("the node lets go of its block", || weak.weak_count() == 0);
}
