//! `WeakSet` and `PtrWeakSet`: weakly held elements.

use super::base::{Base, Parts};
use super::common::common;
use super::face::{Face, Own, Pinned, both, own, plain};
use super::iter::{All, Extract, IntoIter, KeysOnly, Taken, Walk, Wants, WeakKeysOnly, What};
use super::key_entry::KeyEntry;
use super::live::{Debts, Kept, Old, after};
use super::lookup::{ByEq, ByPointer, Lookup, Matches, Rule, seek, seek_node, seek_own};
use super::map_ops::{extend, fill, loops, walks};
use super::options::{Builder, Collection, Cursor, ScanPage, Stats, TryReserveError};
use crate::death::hook::Later;
use crate::pointer::Pointer;
use crate::queue::Removals;
use crate::table::Hashed;
use crate::table::node::{Fresh, Node};
use crate::table::walk::Place;
use equivalent::Equivalent;
use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// A concurrent set whose elements are held weakly: an element is in it as long as somebody uses it. CPython's `WeakSet`.
///
/// `R` says how elements are told apart: by `Hash` and `Eq` in a [`WeakSet`], by address in a [`PtrWeakSet`]. An element that is
/// there stays when an equal one is inserted; [`replace`](Self::replace) puts the new one in its place.
///
/// # Liveness
///
/// As [`WeakValueMap`](super::WeakValueMap). A look-up by equality holds the elements that it compares alive for a moment; one
/// by a pointer, or by a `&T` that is the object itself, does not.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakSet};
///
/// let online: WeakSet<String> = WeakSet::new();
/// let ann = Arc::new("ann".to_string());
/// assert!(online.insert(&ann) && !online.insert(&ann));
/// assert_eq!(online.get("ann"), Some(ann.clone()));
/// drop(ann);
/// assert!(online.is_empty());
/// ```
pub struct Set<A: Pointer, R, S = RandomState> {
    pub(super) base: Base<KeyEntry<A, (), R>, S>,
}

/// A [`Set`] whose elements are told apart by `Hash` and `Eq`.
pub type WeakSet<A, S = RandomState> = Set<A, ByEq, S>;
/// A [`Set`] whose elements are told apart by address.
pub type PtrWeakSet<A, S = RandomState> = Set<A, ByPointer, S>;

impl<A: Pointer, R> Taken for KeyEntry<A, (), R> {
    type Note = ();
    type Item = A;

    fn note(&self) {}

    fn taken((): (), old: Old<Self>) -> A {
        old.alive.0
    }
}

/// A closure that is shown an element.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "not for users")]
pub struct OfElement<F>(F);

impl<A: Pointer, R, F: FnMut(&A) -> bool> Wants<KeyEntry<A, (), R>> for OfElement<F> {
    fn wants(&mut self, _: &KeyEntry<A, (), R>, (element, ()): &(A, ())) -> bool {
        self.0(element)
    }
}

impl<A: Pointer, R, S> Set<A, R, S> {
    /// A node of this set.
    fn node(&self, hash: Hashed, element: &A, location: &'static Location<'static>) -> Fresh<KeyEntry<A, (), R>> {
        Node::fresh(self.base.table.core_or_new(), hash.position(), KeyEntry::new(element), location)
    }
}

impl<A: Pointer, R: Rule<A::Target>, S: BuildHasher> Set<A, R, S> {
    /// Is an element that is at hand, or an equal one, in the set?
    pub(super) fn contains_own(&self, element: &A) -> bool {
        let hash = Hashed::mix(R::hash(&self.base.hasher, element));
        let mut kept = Kept::new();
        let same = seek_own::<A, _, R>(element);
        self.base.has(&own(), hash, &mut kept, same)
    }

    /// Takes an element that is at hand, or an equal one, out.
    pub(super) fn take_own(&self, element: &A) -> Option<A> {
        let hash = Hashed::mix(R::hash(&self.base.hasher, element));
        self.take_out(hash, element, |_| true)
    }

    /// As [`take_own`](Self::take_own), if `wanted` says so.
    fn take_out(&self, hash: Hashed, element: &A, wanted: impl Fn(&A) -> bool) -> Option<A> {
        let mut debts = Debts::new();
        let same = seek_own::<A, _, R>(element);
        let wanted = |_: &KeyEntry<A, (), R>, (there, ()): &(A, ())| wanted(there).then_some(());
        let removed = self.base.remove_where(&own(), hash, &mut debts, same, wanted);
        after(debts, removed.map(|((), old)| old.alive.0))
    }
}

impl<A: Pointer<Target: 'static>, R: Rule<A::Target>, S: BuildHasher> Set<A, R, S> {
    /// Puts an element in if no equal one is; else returns that.
    fn put_if_absent(&self, hash: u64, element: &A, location: &'static Location<'static>) -> Option<A> {
        let hash = Hashed::mix(hash);
        let mut debts = Debts::new();
        let there = {
            let (same, make) = (seek_own::<A, _, R>(element), || self.node(hash, element, location));
            self.base.put_new(hash, &own(), &mut debts, same, make)
        };
        after(debts, there.map(|(there, ())| there))
    }

    /// The element that is there, or else this one, put there.
    #[track_caller]
    pub(super) fn canonical(&self, element: A) -> A {
        let hash = R::hash(&self.base.hasher, &element);
        match self.put_if_absent(hash, &element, Location::caller()) {
            Some(there) => after(element, there),
            None => element,
        }
    }
}

common! {
    Set [A: Pointer, R] [A, R] of KeyEntry<A, (), R>, told A::Weak,
    with {},
    docs "WeakSet", "String", "set",
        "let owner = weakly::Arc::new(\"five\".to_string());\nlet set = weakly::WeakSet::new();\nset.insert(&owner);"
}

both!([A: Pointer, R, S: BuildHasher] [Set<A, R, S>] {
    /// The element in the set that is, or equals, what is asked for. *O*(1).
    ///
    /// By equality, accepts whatever form of the element implements [`Equivalent`], and pointers to it; by address, what names
    /// the object ([`SameObject`](super::SameObject)).
    ///
    /// # Liveness
    ///
    /// Waits for no lock; looks again after each write to this very element that comes between. An element that has died is
    /// absent. Runs `Hash` and `Eq`.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new("five".to_string());
    /// let set = WeakSet::from([&five]);
    /// assert!(Arc::ptr_eq(&set.get("five").unwrap(), &five));
    /// ```
    #[inline]
    pub fn get<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<A> {
        self.get_hashed(q.hash_by(&self.map().base.hasher), q)
    }

    /// [`get`](Self::get) for callers that have the hash: what the set's [`hasher`](Self::hasher) makes of the element.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new("five".to_string());
    /// let set = WeakSet::from([&five]);
    /// assert_eq!(set.get_hashed(set.hasher().hash_one("five"), "five"), Some(five));
    /// ```
    #[inline]
    pub fn get_hashed<Q: Matches<A::Target, M, R> + ?Sized, M>(&self, hash: u64, q: &Q) -> Option<A> {
        let mut kept = Kept::new();
        let guard = self.hold();
        let same = seek::<A, _, M, R, Q>(q);
        let found = self.map().base.get(&guard, Hashed::mix(hash), &mut kept, same).map(|(element, ())| element);
        after((guard, kept), found)
    }

    /// Is it in the set, alive? Never upgrades it by a pointer. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get). The answer may be out of date when it comes.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new("five".to_string());
    /// let set = WeakSet::from([&five]);
    /// assert!(set.contains("five") && set.contains(&five) && !set.contains("six"));
    /// ```
    pub fn contains<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> bool {
        let hash = Hashed::mix(q.hash_by(&self.map().base.hasher));
        let mut kept = Kept::new();
        let guard = self.hold();
        let same = seek::<A, _, M, R, Q>(q);
        self.map().base.has(&guard, hash, &mut kept, same)
    }

    /// Removes an element. Whether it was there: CPython's `discard`, with an answer.
    ///
    /// # Liveness
    ///
    /// Takes its shard's short lock; no user code runs under it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new("five".to_string());
    /// let set = WeakSet::from([&five]);
    /// assert!(set.remove("five") && !set.remove("five"));
    /// ```
    pub fn remove<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> bool {
        self.take(q).is_some()
    }

    /// Removes an element and returns it.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new("five".to_string());
    /// let set = WeakSet::from([&five]);
    /// assert_eq!(set.take("five"), Some(five));
    /// ```
    pub fn take<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<A> {
        let hash = Hashed::mix(q.hash_by(&self.map().base.hasher));
        let mut debts = Debts::new();
        let guard = self.hold();
        let same = seek::<A, _, M, R, Q>(q);
        let removed = self.map().base.remove_where(&guard, hash, &mut debts, same, |_, _| Some(()));
        after((guard, debts), removed.map(|((), old)| old.alive.0))
    }
});

both!([A: Pointer, R: Rule<A::Target>, S: BuildHasher] [Set<A, R, S>] {
    /// Removes this very object, if it is in the set and alive. Whether it was. An equal element is left alone.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let (five, other) = (Arc::new("five"), Arc::new("five"));
    /// let set = WeakSet::from([&five]);
    /// assert!(!set.remove_exact(&Arc::downgrade(&other)) && set.remove_exact(&Arc::downgrade(&five)));
    /// ```
    pub fn remove_exact(&self, exact: &A::Weak) -> bool {
        let Some(element) = A::upgrade(exact) else { return false }; // dead, it is not there
        let hash = Hashed::mix(R::hash(&self.map().base.hasher, &element));
        self.map().take_out(hash, &element, |there| A::is_named_by(there, exact)).is_some()
    }
});

both!([A: Pointer<Target: 'static>, R: Rule<A::Target>, S: BuildHasher] [Set<A, R, S>] {
    /// Puts an element in, if no equal one is there. Whether it was put in.
    ///
    /// *O*(1) but for growing. The set holds `element` weakly: it leaves with its last owner.
    ///
    /// # Panics
    /// If a shard would outgrow its bounds (some 4·10⁸ elements); nothing has changed then.
    ///
    /// # Liveness
    ///
    /// Takes its shard's short lock; no user code runs under it. A dead element is not in the way.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let set = WeakSet::new();
    /// let five = Arc::new("five");
    /// assert!(set.insert(&five) && !set.insert(&Arc::new("five")));
    /// ```
    #[track_caller]
    pub fn insert(&self, element: &A) -> bool {
        self.insert_hashed(R::hash(&self.map().base.hasher, element), element)
    }

    /// [`insert`](Self::insert) for callers that have the hash: what the set's [`hasher`](Self::hasher) makes of the element.
    /// With another hash it can't be found.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    /// use weakly::{Arc, WeakSet};
    ///
    /// let set = WeakSet::new();
    /// let five = Arc::new("five");
    /// assert!(set.insert_hashed(set.hasher().hash_one("five"), &five));
    /// ```
    #[track_caller]
    pub fn insert_hashed(&self, hash: u64, element: &A) -> bool {
        self.map().put_if_absent(hash, element, Location::caller()).is_none()
    }

    /// Puts an element in, in the place of an equal one; returns that.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// As [`insert`](Self::insert).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let (old, new) = (Arc::new("five"), Arc::new("five"));
    /// let set = WeakSet::from([&old]);
    /// assert!(Arc::ptr_eq(&set.replace(&new).unwrap(), &old));
    /// assert!(Arc::ptr_eq(&set.get("five").unwrap(), &new));
    /// ```
    #[track_caller]
    pub fn replace(&self, element: &A) -> Option<A> {
        let (hash, location) = (Hashed::mix(R::hash(&self.map().base.hasher, element)), Location::caller());
        let mut debts = Debts::new();
        let guard = self.hold();
        let node = self.map().node(hash, element, location);
        let same = seek_node::<A, _, R>(element);
        let old = self.map().base.put(node, hash, &guard, &mut debts, same).map(|old| old.alive.0);
        after((guard, debts), old)
    }
});

impl<A: Pointer<Target: Hash + Eq + 'static>, S: BuildHasher> WeakSet<A, S> {
    /// The element that equals `value`, or else `value` itself, put in: the canonical one.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// A hit takes no lock, and makes no pointer of `value`. One winner for all who ask meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let names: WeakSet<str> = WeakSet::new();
    /// let a = names.get_or_insert("ann");
    /// assert!(Arc::ptr_eq(&a, &names.get_or_insert("ann")));
    /// ```
    #[track_caller]
    pub fn get_or_insert<B: Borrow<A::Target> + Into<A>>(&self, value: B) -> A {
        match self.get_value(value.borrow()) {
            Some(there) => after(value, there),
            None => self.canonical(value.into()),
        }
    }

    /// The element that `q` stands for, or else what `make` makes of it, put in.
    ///
    /// # Panics
    /// As [`insert`](Self::insert), and if `make` does.
    ///
    /// # Liveness
    ///
    /// A hit takes no lock. One winner for all who ask meanwhile; but a loser's `make` may have run too, for there is no element
    /// to wait for before one returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let names: WeakSet<String> = WeakSet::new();
    /// let ann = names.get_or_insert_with("ann", |name| Arc::new(name.to_string()));
    /// assert!(names.contains(&ann));
    /// ```
    #[track_caller]
    pub fn get_or_insert_with<Q: Hash + Equivalent<A::Target> + ?Sized>(&self, q: &Q, make: impl FnOnce(&Q) -> A) -> A {
        let Ok(element) = self.get_or_try_insert_with(q, |q| Ok::<A, Infallible>(make(q)));
        element
    }

    /// [`get_or_insert_with`](Self::get_or_insert_with) for what can fail.
    ///
    /// # Errors
    /// What `make` returned.
    ///
    /// # Panics
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Liveness
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let names: WeakSet<String> = WeakSet::new();
    /// assert_eq!(names.get_or_try_insert_with("ann", |_| Err("not today")), Err("not today"));
    /// ```
    #[track_caller]
    pub fn get_or_try_insert_with<Q: Hash + Equivalent<A::Target> + ?Sized, E>(
        &self,
        q: &Q,
        make: impl FnOnce(&Q) -> Result<A, E>,
    ) -> Result<A, E> {
        match self.get_value(q) {
            Some(there) => Ok(there),
            None => make(q).map(|element| self.canonical(element)),
        }
    }
}

impl<A: Pointer, S: BuildHasher> WeakSet<A, S> {
    /// [`get`](Self::get) by value, whatever else could be meant by `q`.
    pub(super) fn get_value<Q: Hash + Equivalent<A::Target> + ?Sized>(&self, q: &Q) -> Option<A> {
        self.get::<Q, ByEq>(q)
    }
}

impl<A: Pointer, R, S: BuildHasher> Pinned<'_, Set<A, R, S>> {
    /// An element, read under the guard: free of count traffic if it is deferred
    /// ([`Arc::new_deferred`](crate::Arc::new_deferred)) and found by its address, else counted. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new("five".to_string());
    /// let set = WeakSet::from([&five]);
    /// assert_eq!(set.pin().read("five").unwrap().len(), 4);
    /// ```
    #[inline]
    pub fn read<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<A::Snapshot<'_>> {
        let hash = Hashed::mix(q.hash_by(&self.map.base.hasher));
        let same = seek::<A, _, M, R, Q>(q);
        // SAFETY: the node is found under the very guard, and gives its weak count back through the epoch.
        let read = |entry: &KeyEntry<A, (), R>, _: &mut _| unsafe { A::read(&entry.key, &self.guard) };
        let mut kept = Kept::new();
        let found = self.map.base.find(&self.guard, hash, &mut kept, same, read);
        after(kept, found)
    }
}

both!([A: Pointer, R, S] [Set<A, R, S>] {
    /// Removes the live elements that `keep` refuses.
    ///
    /// # Liveness
    ///
    /// `keep` runs with no lock held.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let numbers: Vec<_> = (0..10).map(Arc::new).collect();
    /// let set: WeakSet<i32> = numbers.iter().collect();
    /// set.retain(|n| **n % 2 == 0);
    /// assert_eq!(set.len(), 5);
    /// ```
    pub fn retain(&self, mut keep: impl FnMut(&A) -> bool) {
        let mut place = Place::default();
        while !place.is_end() {
            self.map().base.extract(&mut place, |_, (element, ())| (!keep(element)).then_some(()));
        }
    }

    /// Calls `f` for every live element.
    ///
    /// # Liveness
    ///
    /// What is there throughout is seen once, nothing twice, nothing dead. Holds the elements of one bucket at a time alive; the
    /// plain face pins each bucket anew, so a long walk holds nothing back.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new(5);
    /// let set = WeakSet::from([&five]);
    /// set.for_each(|element| assert_eq!(**element, 5));
    /// ```
    pub fn for_each(&self, mut f: impl FnMut(&A)) {
        self.map().base.for_each(|| self.hold(), |_, (element, ())| f(element));
    }

    /// A page of the live elements, from a cursor on: for long walks in steps, with nothing held between them.
    ///
    /// # Liveness
    ///
    /// Over all pages as [`for_each`](Self::for_each), whatever is resized meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Cursor, WeakSet};
    ///
    /// let numbers: Vec<_> = (0..100).map(Arc::new).collect();
    /// let set: WeakSet<i32> = numbers.iter().collect();
    /// let (mut cursor, mut seen) = (Some(Cursor::default()), 0);
    /// while let Some(from) = cursor {
    ///     let page = set.scan(from, 10);
    ///     seen += page.items.len();
    ///     cursor = page.next;
    /// }
    /// assert_eq!(seen, 100);
    /// ```
    pub fn scan(&self, from: Cursor, n: usize) -> ScanPage<A> {
        self.map().base.scan::<KeysOnly, _>(from, n, || self.hold())
    }

    /// Every live element. They are alive as long as you hold it.
    ///
    /// # Liveness
    ///
    /// As [`for_each`](Self::for_each).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new(5);
    /// assert_eq!(WeakSet::from([&five]).snapshot(), [five]);
    /// ```
    pub fn snapshot(&self) -> Vec<A> {
        self.scan(Cursor::default(), usize::MAX).items
    }

    /// Removes some live element.
    ///
    /// # Liveness
    ///
    /// As [`retain`](Self::retain).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let five = Arc::new(5);
    /// let set = WeakSet::from([&five]);
    /// assert_eq!((set.pop(), set.pop()), (Some(five), None));
    /// ```
    pub fn pop(&self) -> Option<A> {
        self.map().base.pop()
    }

    /// Removes and yields the live elements that `wanted` chooses, as the iterator goes.
    ///
    /// # Liveness
    ///
    /// As [`retain`](Self::retain). Elements that were taken out but not yet yielded when the iterator is dropped are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let numbers: Vec<_> = (0..10).map(Arc::new).collect();
    /// let set: WeakSet<i32> = numbers.iter().collect();
    /// assert_eq!(set.extract_if(|n| **n % 2 == 0).count(), 5);
    /// assert_eq!(set.len(), 5);
    /// ```
    pub fn extract_if<F: FnMut(&A) -> bool>(&self, wanted: F) -> Extract<'_, KeyEntry<A, (), R>, S, OfElement<F>> {
        Extract::new(&self.map().base, OfElement(wanted))
    }

    /// Removes and yields every live element, as the iterator goes; what is left when it is dropped stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let numbers: Vec<_> = (0..10).map(Arc::new).collect();
    /// let set: WeakSet<i32> = numbers.iter().collect();
    /// assert_eq!(set.drain().count(), 10);
    /// assert!(set.is_empty());
    /// ```
    pub fn drain(&self) -> Extract<'_, KeyEntry<A, (), R>, S, All> {
        Extract::new(&self.map().base, All)
    }
});

walks! {
    Set [A: Pointer, R] [A, R] of KeyEntry<A, (), R>,
    docs "set", "let owner = weakly::Arc::new(\"five\");\nlet set = weakly::WeakSet::from([&owner]);";
    /// Iterates over the live elements. Holds those of one bucket at a time alive.
    both iter [] KeysOnly;
    /// Iterates over weak pointers to the live elements.
    both weak_iter [] WeakKeysOnly;
}

loops! {
    Set [A: Pointer, R] [A, R] of KeyEntry<A, (), R>,
    plain [] KeysOnly, pinned Walk<'a, KeyEntry<A, (), R>, KeysOnly>
}

extend! {
    Set [A: Pointer, R] [A, R] [A::Target: 'static, R: Rule<A::Target>]
    docs "set", "let numbers: Vec<_> = (0..3).map(weakly::Arc::new).collect();\nlet items = || numbers.iter();\nlet set = weakly::WeakSet::new();"
}
fill!(Set [] [A: Pointer, R] [A, R] [A::Target: 'static, R: Rule<A::Target>] A, |element| insert(&element));
fill!(Set ['a,] [A: Pointer, R] [A, R] [A::Target: 'static, R: Rule<A::Target>] &'a A, |element| insert(element));

impl<A: Pointer, R, S> IntoIterator for Set<A, R, S> {
    type Item = A;
    type IntoIter = IntoIter<A>;

    /// Moves owners of the live elements out. Listeners are told [`Cause::Cleared`](crate::Cause::Cleared).
    fn into_iter(self) -> IntoIter<A> {
        IntoIter::new(self.base.dismantle().into_iter().map(|(_, old)| old.alive.0))
    }
}

impl<A: Pointer<Target: fmt::Debug>, R, S> fmt::Debug for Set<A, R, S> {
    /// The live elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        self.for_each(|element| {
            set.entry(&&**element);
        });
        set.finish()
    }
}
