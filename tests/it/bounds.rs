//! What the types promise the compiler: auto traits, variance, sizes.

use std::borrow::Borrow;
use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use weakly::atomic::{AtomicArc, AtomicWeak, CompareExchangeError};
use weakly::std_arc::{Anchor, Anchored};
use weakly::*;

macro_rules! is {
    ($($t:ty: $($bound:path),+;)*) => { $({
        fn check<T: ?Sized $(+ $bound)+>() {}
        check::<$t>();
    })* };
}

/// Doesn't compile if the bound holds: then there are two answers.
macro_rules! is_not {
    ($($t:ty: $bound:path;)*) => { $({
        trait Answer<X> { fn check() {} }
        struct Holds;
        impl<T: ?Sized> Answer<()> for T {}
        impl<T: ?Sized + $bound> Answer<Holds> for T {}
        <$t as Answer<_>>::check();
    })* };
}

/// Has a type every auto trait?
macro_rules! has_all {
    ($($t:ty),+ $(,)?) => { is! { $($t: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe;)+ } };
}

type Locked = Cell<u8>; // `Send`, not `Sync`

/// A guest.
#[derive(Default)]
struct Guest {
    anchor: Anchor,
}

impl Anchored for Guest {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

/// A guest that is one thread's.
struct LocalGuest(Guest, #[expect(dead_code, reason = "for its type")] Rc<u8>);

impl Anchored for LocalGuest {
    fn anchor(&self) -> &Anchor {
        &self.0.anchor
    }
}

#[test]
fn of_ordinary_parts_everything_has_every_auto_trait() {
    has_all! {
        Arc<str>, Weak<str>, Observer<str>, ByValue<str>, Proxy<str>, Dead, ObserverInfo, ObserverKind,
        WeakMethod<str, fn(&str)>, BoundMethod<str, fn(&str)>,
        AtomicArc<u8>, AtomicWeak<u8>, CompareExchangeError<Option<Arc<u8>>, Option<Arc<u8>>>,
        WeakValueMap<u8, str>, WeakKeyMap<str, u8>, PtrWeakKeyMap<str, u8>, WeakWeakMap<str, str>, PtrWeakWeakMap<str, str>,
        WeakSet<str>, PtrWeakSet<str>, WeakList<str>, Interner<str>, Interned<str>,
        Removed<u8>, Removals<u8>, generic::TryIter<'static, u8>, Cause, Compute<Arc<u8>>, Computed<Arc<u8>>, Cursor,
        ScanPage<u8>, Stats, TryReserveError,
        generic::InternerIter<'static, Arc<u8>>, generic::ListIter<'static, Arc<u8>>, generic::ListWeakIter<'static, Arc<u8>>,
        generic::ListIntoIter<Arc<u8>>, generic::IntoIter<Arc<u8>>,
        Finalizer<u8>, FinalizerInfo, exit::ExitReport, exit::ExitGuard,
        Anchor, std_arc::Observer, std_arc::WeakValueMap<u8, Guest>, std_arc::WeakKeyMap<Guest, u8>,
        std_arc::PtrWeakKeyMap<Guest, u8>, std_arc::WeakWeakMap<Guest, Guest>, std_arc::PtrWeakWeakMap<Guest, Guest>,
        std_arc::WeakSet<Guest>, std_arc::PtrWeakSet<Guest>, std_arc::WeakList<Guest>, std_arc::Interner<Guest>,
        std_arc::Interned<Guest>,
    }
}

#[test]
fn collections_cross_threads_where_their_parts_may() {
    is! {
        WeakValueMap<u8, str>: Send, Sync; WeakKeyMap<str, u8>: Send, Sync; PtrWeakKeyMap<dyn Send + Sync, u8>: Send, Sync;
        WeakWeakMap<str, [u8]>: Send, Sync; PtrWeakWeakMap<str, str>: Send, Sync; WeakSet<str>: Send, Sync;
        PtrWeakSet<dyn Send + Sync>: Send, Sync; Interner<str>: Send, Sync; Interned<str>: Send, Sync, Clone;
        WeakKeyMap<str, Locked>: Send; Removed<u8>: Send, Sync; Removals<Weak<str>>: Send, Sync; Stats: Send, Sync;
        Builder<WeakKeyMap<str, u8>>: Send;
        AtomicArc<u8>: Send, Sync; AtomicWeak<u8>: Send, Sync; Observer<str>: Send, Sync;
        Finalizer<u8>: Send, Sync; Finalizer<Rc<u8>>: Send; Detached<u8>: Send; exit::ExitGuard: Send;
    }
    is_not! {
        WeakValueMap<Rc<u8>, u8>: Send; WeakValueMap<u8, Rc<u8>>: Send; WeakValueMap<u8, Locked>: Sync;
        WeakKeyMap<Rc<u8>, u8>: Send; WeakKeyMap<Locked, u8>: Send; WeakKeyMap<str, Rc<u8>>: Send; WeakKeyMap<str, Locked>: Sync;
        PtrWeakKeyMap<str, Locked>: Sync; PtrWeakKeyMap<str, Rc<u8>>: Send; PtrWeakKeyMap<Locked, u8>: Sync;
        WeakWeakMap<Rc<u8>, u8>: Send; WeakWeakMap<u8, Rc<u8>>: Send; WeakWeakMap<u8, Locked>: Send; PtrWeakWeakMap<Locked, u8>: Sync;
        WeakSet<Rc<u8>>: Send; WeakSet<Locked>: Send; PtrWeakSet<Locked>: Sync; Interner<Rc<u8>>: Send; Interned<Rc<u8>>: Send;
        Interned<Locked>: Send; Removed<Rc<u8>>: Send; Removed<Locked>: Send; AtomicArc<Locked>: Sync;
        WeakSet<str, Rc<u8>>: Send; WeakKeyMap<str, u8, Cell<u8>>: Sync;
        Arc<Locked>: Send; Arc<Rc<u8>>: Send; Weak<Locked>: Sync; ByValue<Locked>: Send; Observer<Locked>: Send; Proxy<Locked>: Send;
        WeakMethod<Locked, fn()>: Send; WeakMethod<u8, Rc<u8>>: Send; BoundMethod<u8, Locked>: Sync; WeakList<Locked>: Send;
        WeakList<Rc<u8>>: Send; generic::ListIter<'static, Arc<Rc<u8>>>: Send; generic::ListIntoIter<Arc<Locked>>: Send;
        generic::InternerIter<'static, Arc<Locked>>: Send; generic::IntoIter<Rc<u8>>: Send; Removals<Rc<u8>>: Send;
        Detached<u8>: Sync; Compute<Rc<u8>>: Send; ScanPage<Rc<u8>>: Send;
        std_arc::WeakValueMap<u8, LocalGuest>: Send; std_arc::WeakSet<LocalGuest>: Sync; std_arc::WeakList<LocalGuest>: Send;
    }
}

#[test]
fn what_lives_under_a_guard_stays_on_its_thread() {
    is_not! {
        Guard: Send; Snapshot<'static, u8>: Send; ValueRef<'static, u8>: Send; ValueRef<'static, u8>: Sync;
        Pinned<'static, WeakValueMap<u8, u8>>: Send; Pinned<'static, WeakKeyMap<u8, u8>>: Send;
        Pinned<'static, WeakSet<u8>>: Send; Pinned<'static, WeakWeakMap<u8, u8>>: Send; Snapshot<'static, u8>: Sync; Guard: Sync;
        Pinned<'static, WeakList<u8>>: Send; Pinned<'static, Interner<u8>>: Send; generic::PinnedListIter<'static, Arc<u8>>: Send;
        std_arc::Snapshot<'static, Guest>: Send; Pinned<'static, std_arc::WeakSet<Guest>>: Send;
    }
}

#[test]
fn all_survive_an_unwinding() {
    is! {
        WeakValueMap<u8, Locked>: UnwindSafe, RefUnwindSafe; WeakKeyMap<Locked, Locked>: UnwindSafe, RefUnwindSafe;
        PtrWeakKeyMap<Locked, Locked>: UnwindSafe, RefUnwindSafe; WeakWeakMap<Locked, Locked>: UnwindSafe, RefUnwindSafe;
        PtrWeakWeakMap<str, str>: UnwindSafe, RefUnwindSafe; WeakSet<str>: UnwindSafe, RefUnwindSafe;
        PtrWeakSet<Locked>: UnwindSafe, RefUnwindSafe; Interner<str>: UnwindSafe, RefUnwindSafe;
        Arc<str>: UnwindSafe, Unpin; Weak<str>: UnwindSafe, RefUnwindSafe; Interned<str>: UnwindSafe; Removed<u8>: UnwindSafe;
    }
}

#[test]
fn an_interned_value_borrows_as_nothing() {
    // Its hash is its address's, not the value's.
    is_not! { Interned<str>: Borrow<str>; Interned<String>: Borrow<String>; }
}

/// Values may be seen as shorter lived ones.
#[allow(clippy::type_complexity, reason = "a list of types")]
fn covariant<'a>(
    all: (
        Arc<&'static str>,
        Weak<&'static str>,
        Snapshot<'static, &'static str>,
        Interned<&'static str>,
        Removed<&'static str>,
        ValueRef<'static, &'static str>,
        Proxy<&'static str>,
    ),
) -> (
    Arc<&'a str>,
    Weak<&'a str>,
    Snapshot<'a, &'a str>,
    Interned<&'a str>,
    Removed<&'a str>,
    ValueRef<'a, &'a str>,
    Proxy<&'a str>,
) {
    all
}

#[test]
fn death_is_an_error_and_a_proxy_no_key() {
    is! { Dead: std::error::Error, Copy; }
    is_not! { Proxy<u8>: std::hash::Hash; } // as in CPython: what it would hash by may be gone
}

#[test]
fn pointers_and_what_maps_hand_out_are_covariant() {
    let _ = covariant as fn(_) -> _;
}

#[test]
fn sizes() {
    let word = size_of::<usize>();
    assert_eq!(
        [size_of::<Interned<u64>>(), size_of::<Option<Interned<u64>>>(), size_of::<Option<Weak<u64>>>()],
        [word; 3]
    );
    assert_eq!([size_of::<Interned<str>>(), size_of::<Removed<[u8; 100]>>()], [2 * word, word]);
}

#[test]
#[allow(clippy::type_complexity, reason = "names are what is tested")]
fn iterators_can_be_named() {
    use generic::*;
    type Odd<T> = fn(&T, &T) -> bool;
    let key = Arc::new(5);
    let values = weakly::WeakValueMap::from([(5, &key)]);
    let of_values: (Iter<'_, i32, Arc<i32>>, Keys<'_, _, _>, Values<'_, _, _>, WeakValues<'_, _, _>, Drain<'_, _, _>) =
        (values.iter(), values.keys(), values.values(), values.weak_values(), values.drain());
    let pinned = values.pin();
    let of_pinned: (PinnedIter<'_, i32, Arc<i32>>, PinnedKeys<'_, _, Arc<i32>>) = (pinned.iter(), pinned.keys());
    let extract: ExtractIf<'_, i32, Arc<i32>, _> = values.extract_if(|_, _| true);
    drop((of_values, of_pinned, extract));

    let keys = weakly::WeakKeyMap::from([(&key, 5)]);
    let of_keys: (
        KeyIter<'_, Arc<i32>, i32>,
        KeyKeys<'_, _, _>,
        KeyWeakKeys<'_, _, _>,
        KeyValues<'_, _, _>,
        KeyDrain<'_, _, _>,
    ) = (keys.iter(), keys.keys(), keys.weak_keys(), keys.values(), keys.drain());
    let pinned = keys.pin();
    let of_pinned: (PinnedKeyIter<'_, Arc<i32>, i32>, PinnedKeyValues<'_, Arc<i32>, i32>) =
        (pinned.iter(), pinned.values());
    let extract: KeyExtractIf<'_, Arc<i32>, i32, _> = keys.extract_if(|_, _| true);
    drop((of_keys, of_pinned, extract));
    let _: KeyIntoIter<Arc<i32>, i32> = keys.into_iter();

    let pairs = weakly::PtrWeakWeakMap::from([(&key, &key)]);
    let _: (PairIter<'_, Arc<i32>, Arc<i32>, ByPointer>, PairKeys<'_, _, Arc<i32>, _>) = (pairs.iter(), pairs.keys());
    let _: (PairValues<'_, Arc<i32>, _, _>, PairDrain<'_, _, _, _>) = (pairs.values(), pairs.drain());
    let _: (PairWeakKeys<'_, _, Arc<i32>, _>, PairWeakValues<'_, Arc<i32>, _, _>) =
        (pairs.weak_keys(), pairs.weak_values());
    let never: fn(&Arc<i32>, &Arc<i32>) -> bool = |_, _| false;
    let _: PairExtractIf<'_, _, _, Odd<Arc<i32>>, ByPointer> = pairs.extract_if(never);
    let (_, _): (IntoKeys<Arc<i32>>, IntoValues<Arc<i32>>) = (pairs.clone().into_keys(), pairs.into_values());

    let set = weakly::WeakSet::from([&key]);
    let _: (SetIter<'_, Arc<i32>>, SetWeakIter<'_, Arc<i32>>, SetDrain<'_, _>) =
        (set.iter(), set.weak_iter(), set.drain());
    let _: SetExtractIf<'_, Arc<i32>, _> = set.extract_if(|_| true);
}

#[test]
fn iterators_go_where_their_collections_may() {
    fn send<T: Send + Sync + Unpin + UnwindSafe>(_: &T) {}
    let key = Arc::new(5);
    let (keys, pairs, set) = (WeakKeyMap::from([(&key, 5)]), WeakWeakMap::from([(&key, &key)]), WeakSet::from([&key]));
    let (values, list) = (WeakValueMap::from([(5, &key)]), WeakList::from([&key]));
    send(&(
        values.iter(),
        values.keys(),
        values.values(),
        values.weak_values(),
        values.drain(),
        values.extract_if(|_, _| true),
    ));
    send(&(list.iter(), list.weak_iter()));
    send(&(keys.iter(), keys.keys(), keys.weak_keys(), keys.values(), keys.drain()));
    send(&(pairs.iter(), pairs.keys(), pairs.values(), pairs.weak_values(), pairs.drain()));
    send(&(set.iter(), set.weak_iter(), set.drain()));
    let interner: Interner<u8> = Interner::new();
    send(&interner.iter());
    send(&keys.into_iter());
}
