//! `WeakList`'s iterators: the plain ones pin a step and hold its items, the pinned one goes from element to element.

use crate::list::List;
use crate::list::node::Node;
use crate::list::walk::Walk;
use crate::pointer::Pointer;
use crate::reclaim::pin;
use crate::sync::LIST_STEP;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Range;
use std::vec;

/// A walk over a list in steps, and the items of the last one. Allocates nothing.
pub(super) struct Steps<'a, A: Pointer, R> {
    list: &'a List<A>,
    /// The numbers to be seen yet. Those that the list had when the walk began: so it ends though its user pushes.
    numbers: Range<u64>,
    /// From `at` on, as far as they go.
    items: [Option<R>; LIST_STEP],
    at: usize,
}

impl<'a, A: Pointer, R> Steps<'a, A, R> {
    #[inline]
    pub(super) fn new(list: &'a List<A>) -> Self {
        Steps { list, numbers: 0..u64::MAX, items: [const { None }; LIST_STEP], at: 0 }
    }

    /// The next item, pinning a step if need be.
    #[inline]
    pub(super) fn next(&mut self, resolve: impl Fn(&Node<A>) -> Option<R>) -> Option<R> {
        let item = self.take();
        if item.is_some() || self.numbers.is_empty() {
            return item;
        }
        self.step(resolve);
        self.take()
    }

    #[inline]
    fn take(&mut self) -> Option<R> {
        let item = self.items.get_mut(self.at)?.take();
        self.at += usize::from(item.is_some());
        item
    }

    /// Fills `items`, all of which were taken, as far as the list goes.
    fn step(&mut self, resolve: impl Fn(&Node<A>) -> Option<R>) {
        let numbers = std::mem::take(&mut self.numbers);
        let Some(core) = self.list.core() else { return };
        let guard = pin();
        let mut walk = core.walk(&guard, numbers);
        let found = std::iter::from_fn(|| walk.find_map(|node| resolve(&node)));
        self.items.iter_mut().zip(found).for_each(|(item, found)| *item = Some(found));
        self.numbers = walk.behind()..walk.limit();
        self.at = 0;
    }
}

/// Gives an iterator type its traits, by a `next` of its own.
macro_rules! iterator {
    ($name:ident [$($generics:tt)*] [$($args:tt)*] $item:ty, |$self:ident| $next:expr) => {
        impl<$($generics)*> Iterator for $name<$($args)*> {
            type Item = $item;
            fn next(&mut $self) -> Option<$item> {
                $next
            }
        }
        impl<$($generics)*> FusedIterator for $name<$($args)*> {}
        impl<$($generics)*> fmt::Debug for $name<$($args)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}
/// Iterator over the live elements: what [`WeakList::iter`](super::WeakList::iter) returns.
#[must_use]
pub struct ListIter<'a, A: Pointer>(pub(super) Steps<'a, A, A>);
iterator!(ListIter ['a, A: Pointer] ['a, A] A, |self| self.0.next(|node| A::revive(node.held())));

/// Iterator over weak pointers to the live elements: what [`WeakList::weak_iter`](super::WeakList::weak_iter) returns.
#[must_use]
pub struct ListWeakIter<'a, A: Pointer>(pub(super) Steps<'a, A, A::Weak>);
iterator!(ListWeakIter ['a, A: Pointer] ['a, A] A::Weak, |self| {
    self.0.next(|node| A::is_alive(node.held()).then(|| A::weak(node.held())))
});

/// Iterator over the live elements under a guard: what [`Pinned::iter`](super::Pinned) of a list returns.
#[must_use]
pub struct PinnedListIter<'a, A: Pointer>(pub(super) Option<Walk<'a, A>>);
iterator!(PinnedListIter ['a, A: Pointer] ['a, A] A, |self| {
    self.0.as_mut()?.find_map(|node| A::revive(node.held()))
});

/// Iterator over what was in a list: what its `into_iter` returns.
#[must_use]
pub struct ListIntoIter<A>(pub(super) vec::IntoIter<A>);
iterator!(ListIntoIter [A] [A] A, |self| self.0.next());
