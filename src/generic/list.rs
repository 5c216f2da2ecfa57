//! `WeakList`: objects held weakly, in the order of their insertion.

use super::face::{Face, Own, Pinned, both, own, plain};
use super::list_iter::{ListIntoIter, ListIter, ListWeakIter, PinnedListIter, Steps};
use super::live::after;
use crate::death::hook::Later;
use crate::list::List;
use crate::pointer::Pointer;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// A concurrent list whose elements are held weakly, in the order of their insertion: the `Vec<Weak<T>>` of observers, listeners
/// or subscribers, without the dead ones.
///
/// An element leaves with the last [`Arc`](crate::Arc) of its object, before that drop returns; no maintenance call is ever needed,
/// and memory follows the live elements. One object may be in the list several times. All methods take `&self`; a new list
/// allocates nothing and can be a `static`.
///
/// # Liveness
///
/// An object that has died is absent from that moment on, for every method. Iteration waits for nobody, and an element that
/// is there throughout is seen exactly once, in order, whatever is pushed or removed meanwhile, by your loop's body too. Removals wait
/// for nobody either; pushes wait for one another, by a short lock under which no code of yours runs.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakList, unsize};
///
/// static LISTENERS: WeakList<dyn Fn(&str) + Send + Sync> = WeakList::new();
///
/// let (tx, rx) = std::sync::mpsc::channel();
/// let listener = unsize!(Arc::new(move |event: &str| tx.send(event.len()).unwrap()) => dyn Fn(&str) + Send + Sync);
/// LISTENERS.push(&listener);
/// for listener in &LISTENERS {
///     listener("hello");
/// }
/// assert_eq!(rx.recv(), Ok(5));
/// drop(listener);
/// assert!(LISTENERS.is_empty());
/// ```
pub struct WeakList<A: Pointer> {
    pub(super) list: List<A>,
}

plain!([A: Pointer] [WeakList<A>]);

impl<A: Pointer> WeakList<A> {
    crate::sync::const_fn! {
        /// An empty list. Allocates nothing; `const`, so it can be a static.
        ///
        /// # Examples
        ///
        /// ```
        /// use weakly::WeakList;
        ///
        /// static LIST: WeakList<String> = WeakList::new();
        /// assert!(LIST.is_empty());
        /// ```
        pub const fn new() -> Self {
            WeakList { list: List::new() }
        }
    }

    /// Panics if something is wrong inside. For tests: nobody else is at work on it.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.list.validate();
    }

    /// The list under one guard: for runs of calls, and for the fastest walk.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let list = WeakList::from([&five, &five]);
    /// for n in &list.pin() {
    ///     assert_eq!(*n, 5);
    /// }
    /// ```
    #[inline]
    pub fn pin(&self) -> Pinned<'_, Self> {
        Pinned::new(self)
    }

    /// Iterates over the live elements, in order.
    ///
    /// Pins for up to 16 elements at a time, holds those alive until it comes to them, and pins nothing while your code runs; so one
    /// that is removed, or loses its other owners, just ahead of the iterator may still come. Allocates nothing.
    ///
    /// # Liveness
    ///
    /// An element that is there throughout is seen exactly once, and in order; a dead one never; nor one that is pushed after the
    /// first was asked for, so the walk ends though you push. Waits for nobody and blocks nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let (one, two) = (Arc::new(1), Arc::new(2));
    /// let list = WeakList::from([&one, &two, &one]);
    /// assert_eq!(list.iter().collect::<Vec<_>>(), [one.clone(), two, one]);
    /// ```
    #[inline]
    pub fn iter(&self) -> ListIter<'_, A> {
        ListIter(Steps::new(&self.list))
    }
}

impl<A: Pointer> Pinned<'_, WeakList<A>> {
    /// Iterates over the live elements, in order, under this guard: nothing is held alive ahead of the iterator, and nothing
    /// pinned again.
    ///
    /// # Liveness
    ///
    /// As [`WeakList::iter`]. A removed element is not seen any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let (one, two) = (Arc::new(1), Arc::new(2));
    /// let list = WeakList::from([&one, &two]);
    /// assert_eq!(list.pin().iter().map(|n| *n).sum::<i32>(), 3);
    /// ```
    #[inline]
    pub fn iter(&self) -> PinnedListIter<'_, A> {
        PinnedListIter(self.map.list.core().map(|core| core.walk(&self.guard, 0..u64::MAX)))
    }
}

both!([A: Pointer<Target: 'static>] [WeakList<A>] {
    /// Puts an object behind all others, whether it is in the list already or not. Amortized *O*(1).
    ///
    /// The list holds it weakly: every occurrence leaves with its last owner.
    ///
    /// # Liveness
    ///
    /// Takes the list's short lock; no user code runs under it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let list = WeakList::new();
    /// let five = Arc::new(5);
    /// list.push(&five);
    /// list.push(&five);
    /// assert_eq!(list.len(), 2);
    /// drop(five);
    /// assert_eq!(list.len(), 0);
    /// ```
    #[track_caller]
    pub fn push(&self, object: &A) {
        let location = Location::caller();
        let _later = Later::new(); // a write ends here: what is ripe runs
        let guard = self.hold();
        self.map().list.push(object, location, &guard);
    }
});

both!([A: Pointer] [WeakList<A>] {
    /// Takes out the first occurrence of this very object. Whether there was one. *O*(n).
    ///
    /// # Liveness
    ///
    /// Waits for no lock; goes on behind each push that comes between. Compares addresses, and runs no user code. An object that
    /// is in the list throughout is found.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let (five, other) = (Arc::new(5), Arc::new(5));
    /// let list = WeakList::from([&five, &five]);
    /// assert!(list.remove(&five) && !list.remove(&other));
    /// assert_eq!(list.len(), 1);
    /// ```
    pub fn remove(&self, object: &A) -> bool {
        let _later = Later::new(); // a write ends here: what is ripe runs
        let guard = self.hold();
        self.map().list.remove(object, &guard)
    }

    /// [`remove`](Self::remove) of the object that a weak pointer names: false if that is dead, for then it is out already.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove). Holds the object alive for a moment; if its other owners go meanwhile, it dies in here.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let weak = Arc::downgrade(&five);
    /// let list = WeakList::from([&five]);
    /// assert!(list.remove_exact(&weak) && !list.remove_exact(&weak));
    /// ```
    pub fn remove_exact(&self, weak: &A::Weak) -> bool {
        A::upgrade(weak).is_some_and(|object| self.remove(&object))
    }

    /// Is this very object in the list? *O*(n).
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let list = WeakList::from([&five]);
    /// assert!(list.contains(&five) && !list.contains(&Arc::new(5)));
    /// ```
    pub fn contains(&self, object: &A) -> bool {
        let guard = self.hold();
        self.map().list.contains(object, &guard)
    }

    /// Live elements: exact when quiet. *O*(1).
    ///
    /// # Liveness
    ///
    /// Follows a death before any callback of that death runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let list = WeakList::from([&five]);
    /// assert_eq!(list.len(), 1);
    /// drop(five);
    /// assert_eq!(list.len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.map().list.len()
    }

    /// Is there no live element?
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(weakly::WeakList::<String>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over weak pointers to the live elements, in order. Holds nothing alive, so they may be dead when you look.
    ///
    /// # Liveness
    ///
    /// As [`WeakList::iter`].
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let list = WeakList::from([&five]);
    /// assert_eq!(list.weak_iter().collect::<Vec<_>>(), [Arc::downgrade(&five)]);
    /// ```
    pub fn weak_iter(&self) -> ListWeakIter<'_, A> {
        ListWeakIter(Steps::new(&self.map().list))
    }

    /// Calls `f` for every live element, in order.
    ///
    /// # Liveness
    ///
    /// As `iter`; no lock, and no guard but your own, is held while `f` runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let list = WeakList::from([&five]);
    /// list.for_each(|n| assert_eq!(**n, 5));
    /// ```
    pub fn for_each(&self, mut f: impl FnMut(&A)) {
        self.iter().for_each(|object| f(&object));
    }

    /// Takes out the live elements that `keep` refuses. If it panics, what it has refused before is out.
    ///
    /// # Liveness
    ///
    /// As [`for_each`](Self::for_each). `keep` is asked once of each element.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let all: Vec<_> = (0..10).map(Arc::new).collect();
    /// let list: WeakList<_> = all.iter().collect();
    /// list.retain(|n| **n % 2 == 0);
    /// assert_eq!(list.len(), 5);
    /// ```
    pub fn retain(&self, mut keep: impl FnMut(&A) -> bool) {
        let _later = Later::new(); // a write ends here: what is ripe runs
        let list = &self.map().list;
        let mut steps = Steps::new(list);
        while let Some((seq, object)) = steps.next(|node| Some((node.seq(), A::revive(node.held())?))) {
            if !keep(&object) {
                list.remove_at(seq, &self.hold());
            }
        }
    }

    /// Takes every element out. One that is pushed meanwhile may stay. To a walk at the same time they go one after the other.
    ///
    /// # Liveness
    ///
    /// Takes the list's lock for a moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let list = WeakList::from([&five]);
    /// list.clear();
    /// assert!(list.is_empty());
    /// ```
    pub fn clear(&self) {
        let _later = Later::new(); // a write ends here: what is ripe runs
        let guard = self.hold();
        self.map().list.clear(&guard);
    }

    /// Takes out and returns the newest live element.
    ///
    /// # Liveness
    ///
    /// Takes the list's short lock; no user code runs under it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let (one, two) = (Arc::new(1), Arc::new(2));
    /// let list = WeakList::from([&one, &two]);
    /// drop(two);
    /// assert_eq!((list.pop(), list.pop()), (Some(one), None));
    /// ```
    pub fn pop(&self) -> Option<A> {
        let mut later = Later::new();
        let guard = self.hold();
        self.map().list.pop(&guard, &mut later)
    }

    /// Every live element, in order. They are alive as long as you hold it.
    ///
    /// # Liveness
    ///
    /// As `iter`: not one moment of the whole list, but one of each element.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let five = Arc::new(5);
    /// let list = WeakList::from([&five]);
    /// assert_eq!(list.snapshot(), [five]);
    /// ```
    pub fn snapshot(&self) -> Vec<A> {
        let mut all = Vec::with_capacity(self.len());
        all.extend(self.iter());
        all
    }
});

impl<'a, A: Pointer> IntoIterator for &'a WeakList<A> {
    type Item = A;
    type IntoIter = ListIter<'a, A>;
    #[inline]
    fn into_iter(self) -> ListIter<'a, A> {
        self.iter()
    }
}

impl<'a, A: Pointer> IntoIterator for &'a Pinned<'_, WeakList<A>> {
    type Item = A;
    type IntoIter = PinnedListIter<'a, A>;
    #[inline]
    fn into_iter(self) -> PinnedListIter<'a, A> {
        self.iter()
    }
}

impl<A: Pointer> IntoIterator for WeakList<A> {
    type Item = A;
    type IntoIter = ListIntoIter<A>;

    /// Moves owners of the live elements out, in order.
    fn into_iter(self) -> ListIntoIter<A> {
        let all = self.snapshot();
        ListIntoIter(after(self, all).into_iter())
    }
}

impl<A: Pointer> Default for WeakList<A> {
    /// An empty list. Allocates nothing.
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Pointer<Target: fmt::Debug>> fmt::Debug for WeakList<A> {
    /// The live elements, in order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        self.for_each(|object| {
            list.entry(&&**object);
        });
        list.finish()
    }
}

impl<A: Pointer<Target: 'static>> Clone for WeakList<A> {
    /// An independent list of the live elements, in the same order.
    #[track_caller]
    fn clone(&self) -> Self {
        self.iter().collect()
    }
}

impl<A: Pointer<Target: 'static>> WeakList<A> {
    /// Pushes every item, owned or borrowed: [`Extend`] without `mut`.
    ///
    /// # Panics
    /// If the iterator does; what was pushed stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakList};
    ///
    /// let all: Vec<_> = (0..3).map(Arc::new).collect();
    /// let list = WeakList::new();
    /// list.extend(&all);
    /// assert_eq!(list.len(), 3);
    /// ```
    #[track_caller]
    pub fn extend<'a, X>(&'a self, items: impl IntoIterator<Item = X>)
    where
        &'a Self: Extend<X>,
    {
        let mut list = self;
        Extend::extend(&mut list, items);
    }
}

/// Filling from items of one kind.
macro_rules! fill {
    ([$($lifetime:tt)*] $item:ty, |$object:ident| $borrowed:expr) => {
        impl<$($lifetime)* A: Pointer<Target: 'static>> FromIterator<$item> for WeakList<A> {
            #[track_caller]
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                let list = Self::new();
                list.extend(items);
                list
            }
        }

        impl<$($lifetime)* A: Pointer<Target: 'static>> Extend<$item> for WeakList<A> {
            #[track_caller]
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                Extend::extend(&mut &*self, items);
            }
        }

        impl<$($lifetime)* A: Pointer<Target: 'static>> Extend<$item> for &WeakList<A> {
            #[track_caller]
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                for $object in items {
                    self.push($borrowed);
                }
            }
        }

        impl<$($lifetime)* A: Pointer<Target: 'static>, const N: usize> From<[$item; N]> for WeakList<A> {
            #[track_caller]
            fn from(items: [$item; N]) -> Self {
                items.into_iter().collect()
            }
        }
    };
}

fill!([] A, |object| &object);
fill!(['a,] &'a A, |object| object);

#[cfg(weakly_loom)]
impl<A: Pointer> WeakList<A> {
    /// The list itself, for the models.
    #[doc(hidden)]
    pub fn list(&self) -> &List<A> {
        &self.list
    }
}
