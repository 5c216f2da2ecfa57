//! The feature `rayon`: walks over live entries on many threads at once, and filling from many.
//!
//! A walk goes in the order of the hashes, which no resize changes, so it can be split at any position, and nothing is
//! collected first. What the parts promise of concurrent deaths, writes and resizes is what one walk does.

use crate::generic::{Interner, KeyMap, Live, Rule, Set, Split, Walk, WeakMap, WeakValueMap, What};
use crate::pointer::Pointer;
use ::rayon::iter::plumbing::{Folder, UnindexedConsumer, UnindexedProducer, bridge_unindexed};
use ::rayon::iter::{FromParallelIterator, IntoParallelIterator, ParallelExtend, ParallelIterator};
use std::hash::{BuildHasher, Hash};

/// Parallel iterator over the live entries of a map, set or interner: what `par_iter` of rayon's `IntoParallelRefIterator`
/// returns. Needs the feature `rayon`.
///
/// Yields what `iter` does, in no order.
///
/// # Liveness
///
/// As the plain `iter`, whose way it splits among rayon's threads: what is there throughout is seen once, no key twice, nothing
/// dead.
///
/// # Examples
///
/// ```
/// use rayon::prelude::*;
/// use weakly::{Arc, WeakValueMap};
///
/// let numbers: Vec<_> = (0..100u64).map(Arc::new).collect();
/// let map: WeakValueMap<_, _> = numbers.iter().map(|n| (**n, n)).collect();
/// assert_eq!(map.par_iter().map(|(_, n)| *n).sum::<u64>(), 4950);
/// ```
#[derive(Debug)]
#[must_use]
pub struct ParIter<I>(I);

impl<I: Split + Send> ParallelIterator for ParIter<I>
where
    I::Item: Send,
{
    type Item = I::Item;

    fn drive_unindexed<C: UnindexedConsumer<I::Item>>(self, consumer: C) -> C::Result {
        bridge_unindexed(Part(self.0), consumer)
    }
}

/// A part of a walk, for one thread.
struct Part<I>(I);

impl<I: Split + Send> UnindexedProducer for Part<I> {
    type Item = I::Item;

    fn split(mut self) -> (Self, Option<Self>) {
        let rest = self.0.split().map(Part);
        (self, rest)
    }

    fn fold_with<F: Folder<I::Item>>(self, folder: F) -> F {
        folder.consume_iter(self.0)
    }
}

/// What is left of a walk, on many threads: so `keys()`, `values()` and the like can be walked in parallel too, by
/// `into_par_iter`. Needs the feature `rayon`.
impl<E: Live, W: What<E>> IntoParallelIterator for Walk<'_, E, W>
where
    Self: Send,
    W::Item: Send,
{
    type Item = W::Item;
    type Iter = ParIter<Self>;

    fn into_par_iter(self) -> ParIter<Self> {
        ParIter(self)
    }
}

/// `par_iter` of what has an `iter`.
macro_rules! par_iter {
    ($($Name:ident [$($generics:tt)*] [$($args:tt)*];)*) => { $(
        impl<'a, $($generics)*, S> IntoParallelIterator for &'a $Name<$($args)*, S> {
            type Item = <Self as IntoIterator>::Item;
            type Iter = ParIter<<Self as IntoIterator>::IntoIter>;

            /// Iterates over the live entries on many threads. Needs the feature `rayon`.
            fn into_par_iter(self) -> Self::Iter {
                ParIter(self.iter())
            }
        }
    )* };
}

par_iter! {
    WeakValueMap [K: Clone + Send + Sync, A: Pointer + Send + Sync] [K, A];
    KeyMap [A: Pointer + Send + Sync, V: Clone + Send + Sync, R] [A, V, R];
    WeakMap [K: Pointer + Send + Sync, A: Pointer + Send + Sync, R] [K, A, R];
    Set [A: Pointer + Send + Sync, R] [A, R];
    Interner [A: Pointer + Send + Sync] [A];
}

/// Filling from items of one kind.
macro_rules! fill {
    ($(
        $Name:ident [$($lifetime:tt)*] [$($generics:tt)*] [$($args:tt)*] [$($bounds:tt)*]
            $item:ty, |$pattern:pat_param| ($($inserted:expr),*);
    )*) => { $(
        impl<$($lifetime)* $($generics)*, S> FromParallelIterator<$item> for $Name<$($args)*, S>
        where
            S: BuildHasher + Default + Send + Sync,
            $($bounds)*
        {
            /// A collection of all items. Of equal keys, any one wins. Needs the feature `rayon`.
            fn from_par_iter<I: IntoParallelIterator<Item = $item>>(items: I) -> Self {
                let mut new = Self::default();
                new.par_extend(items);
                new
            }
        }

        impl<$($lifetime)* $($generics)*, S> ParallelExtend<$item> for $Name<$($args)*, S>
        where
            S: BuildHasher + Send + Sync,
            $($bounds)*
        {
            /// Inserts every item. Of equal keys, any one wins. Needs the feature `rayon`.
            fn par_extend<I: IntoParallelIterator<Item = $item>>(&mut self, items: I) {
                let this = &*self;
                items.into_par_iter().for_each(|$pattern| {
                    this.insert($($inserted),*);
                });
            }
        }
    )* };
}

fill! {
    WeakValueMap [] [K: Send + Sync, A: Pointer + Send + Sync] [K, A] [K: Hash + Eq + 'static, A::Target: 'static]
        (K, A), |(key, value)| (key, &value);
    WeakValueMap ['a,] [K: Send + Sync, A: Pointer + Send + Sync] [K, A] [K: Hash + Eq + 'static, A::Target: 'static]
        (K, &'a A), |(key, value)| (key, value);
    KeyMap [] [A: Pointer + Send + Sync, V: Send + Sync, R] [A, V, R] [A::Target: 'static, V: 'static, R: Rule<A::Target>]
        (A, V), |(key, value)| (&key, value);
    KeyMap ['a,] [A: Pointer + Send + Sync, V: Send + Sync, R] [A, V, R] [A::Target: 'static, V: 'static, R: Rule<A::Target>]
        (&'a A, V), |(key, value)| (key, value);
    WeakMap [] [K: Pointer + Send + Sync, A: Pointer + Send + Sync, R] [K, A, R]
        [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>]
        (K, A), |(key, value)| (&key, &value);
    WeakMap ['a,] [K: Pointer + Send + Sync, A: Pointer + Send + Sync, R] [K, A, R]
        [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>]
        (&'a K, &'a A), |(key, value)| (key, value);
    Set [] [A: Pointer + Send + Sync, R] [A, R] [A::Target: 'static, R: Rule<A::Target>]
        A, |element| (&element);
    Set ['a,] [A: Pointer + Send + Sync, R] [A, R] [A::Target: 'static, R: Rule<A::Target>]
        &'a A, |element| (element);
}
