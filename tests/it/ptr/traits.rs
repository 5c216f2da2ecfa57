//! What an `Arc` shows of its value; sizes, auto traits and variance.

use std::borrow::Borrow;
use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use weakly::{Arc, ByValue, Observer, Weak};

#[test]
fn pointers_to_sized_values_are_one_word() {
    assert_eq!(size_of::<Arc<u64>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Arc<u64>>>(), size_of::<usize>());
    assert_eq!(size_of::<Weak<u64>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Weak<u64>>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Arc<dyn Send>>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Option<Weak<[u8]>>>(), 2 * size_of::<usize>());
}

#[test]
fn comparing_and_hashing_are_the_values() {
    let (a, b, c) = (Arc::new(1), Arc::new(1), Arc::new(2));
    assert!(a == b && a != c && a < c && a.max(c.clone()) == c);
    let nan = Arc::new(f64::NAN);
    assert!(nan != nan.clone() && nan.partial_cmp(&nan).is_none());
    let set = HashSet::from([Arc::<str>::from("x")]);
    assert!(set.contains("x"));
    let hasher = RandomState::new();
    assert_eq!(hasher.hash_one(Arc::<str>::from("x")), hasher.hash_one("x"));
    let ordered = BTreeSet::from([c, b]);
    assert_eq!(ordered.first().map(|n| **n), Some(1));
    assert!(ordered.contains(&2));
}

#[test]
fn printing_is_the_values_and_the_pointer_its_address() {
    let text = Arc::<str>::from("x");
    assert_eq!((format!("{text:?}"), format!("{text:>3}")), ("\"x\"".into(), "  x".into()));
    assert_eq!(format!("{text:p}"), format!("{:p}", &*text));
}

#[test]
fn borrowing_gives_the_value() {
    fn borrowed<T: ?Sized>(b: &impl Borrow<T>) -> &T {
        b.borrow()
    }
    let text = Arc::<str>::from("x");
    assert!(std::ptr::eq(borrowed::<str>(&text), AsRef::<str>::as_ref(&text)));
}

#[test]
fn an_error_shows_its_source() {
    #[derive(Debug)]
    struct Outer(fmt::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = Arc::new(Outer(fmt::Error));
    let source = <Arc<Outer> as Error>::source(&error).unwrap();
    assert!(source.is::<fmt::Error>());
}

#[test]
fn weak_pointers_compare_by_address_before_and_after_death() {
    let hasher = RandomState::new();
    let (a, b) = (Arc::new(1), Arc::new(1));
    let (x, y) = (Arc::downgrade(&a), Arc::downgrade(&b));
    let before = hasher.hash_one(&x);
    assert!(x == x.clone() && x != y && x != Weak::new());
    drop((a, b));
    assert!(x == x.clone() && x != y && hasher.hash_one(&x) == before);
    assert_eq!(Weak::<u8>::new(), Weak::new());
    assert_eq!(hasher.hash_one(Weak::<u8>::new()), hasher.hash_one(Weak::<u8>::default()));
    assert!(format!("{x:?}").contains("dead"));
}

/// True iff the bound holds.
macro_rules! holds {
    ($type:ty: $bound:path) => {{
        #[allow(dead_code)]
        trait No {
            const HOLDS: bool = false;
        }
        impl<T: ?Sized> No for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ?Sized + $bound> Probe<T> {
            const HOLDS: bool = true;
        }
        <Probe<$type>>::HOLDS
    }};
}

#[test]
fn auto_traits_are_those_of_std() {
    type Std<T> = std::sync::Arc<T>;
    type StdWeak<T> = std::sync::Weak<T>;
    macro_rules! same {
        ($($value:ty),*; $bound:path) => {$(
            assert_eq!(holds!(Arc<$value>: $bound), holds!(Std<$value>: $bound), stringify!(Arc $value $bound));
            assert_eq!(holds!(Weak<$value>: $bound), holds!(StdWeak<$value>: $bound), stringify!(Weak $value $bound));
        )*};
    }
    same!(u8, str, Rc<u8>, Cell<u8>, dyn Send, dyn Sync, dyn Send + Sync, &'static mut u8; Send);
    same!(u8, str, Rc<u8>, Cell<u8>, dyn Send, dyn Sync, dyn Send + Sync, &'static mut u8; Sync);
    same!(u8, str, Cell<u8>, std::marker::PhantomPinned; Unpin);
    same!(u8, str, Cell<u8>, dyn Send, &'static mut u8; UnwindSafe);
    same!(u8, str, Cell<u8>, dyn Send, &'static mut u8; RefUnwindSafe);
    assert!(holds!(Arc<u8>: Send) && !holds!(Arc<Cell<u8>>: Send), "the probe itself");
    assert!(holds!(Observer<str>: Send) && holds!(Observer<str>: Sync) && !holds!(Observer<Cell<u8>>: Send));
    assert!(holds!(ByValue<str>: Send) && holds!(ByValue<str>: Sync) && !holds!(ByValue<Rc<u8>>: Send));
}

#[test]
fn pointers_are_covariant() {
    fn shorten<'a>(arc: Arc<&'static str>, weak: Weak<&'static str>, _: &'a str) -> (Arc<&'a str>, Weak<&'a str>) {
        (arc, weak)
    }
    let arc = Arc::new("x");
    let weak = Arc::downgrade(&arc);
    let short = String::new();
    let (arc, weak) = shorten(arc, weak, &short);
    assert_eq!(weak.upgrade(), Some(arc));
}

#[test]
fn a_value_need_not_be_static() {
    let text = String::from("x");
    let a = Arc::new(text.as_str());
    let mut b = a.clone();
    *Arc::make_mut(&mut b) = "y";
    assert_eq!((*a, *b), (text.as_str(), "y"));
}
