//! Sets as wholes: copying, comparing, and the algebra. What comes out holds the left side's objects where both have one.

use super::face::Pinned;
use super::lookup::Rule;
use super::set::Set;
use crate::pointer::Pointer;
use std::hash::BuildHasher;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Sub, SubAssign};

impl<A: Pointer<Target: 'static>, R: Rule<A::Target>, S: BuildHasher + Clone> Clone for Set<A, R, S> {
    /// An independent set of the live elements. Listeners and subscriptions are not copied.
    #[track_caller]
    fn clone(&self) -> Self {
        let set = self.alike();
        set.extend(self.iter());
        set
    }
}

impl<A: Pointer, R: Rule<A::Target>, S: BuildHasher> Set<A, R, S> {
    /// Is every live element here in `other` too?
    ///
    /// # Liveness
    ///
    /// Of sets that change meanwhile it says what it saw, element by element.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let numbers: Vec<_> = (0..3).map(Arc::new).collect();
    /// let (all, some): (WeakSet<_>, WeakSet<_>) = (numbers.iter().collect(), numbers[1..].iter().collect());
    /// assert!(some.is_subset(&all) && !all.is_subset(&some));
    /// ```
    pub fn is_subset<S2: BuildHasher>(&self, other: &Set<A, R, S2>) -> bool {
        self.iter().all(|element| other.contains_own(&element))
    }

    /// Is every live element of `other` here too?
    ///
    /// # Liveness
    ///
    /// As [`is_subset`](Self::is_subset).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let numbers: Vec<_> = (0..3).map(Arc::new).collect();
    /// let (all, some): (WeakSet<_>, WeakSet<_>) = (numbers.iter().collect(), numbers[1..].iter().collect());
    /// assert!(all.is_superset(&some) && !some.is_superset(&all));
    /// ```
    pub fn is_superset<S2: BuildHasher>(&self, other: &Set<A, R, S2>) -> bool {
        other.is_subset(self)
    }

    /// Is no live element here in `other`?
    ///
    /// # Liveness
    ///
    /// As [`is_subset`](Self::is_subset).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakSet};
    ///
    /// let numbers: Vec<_> = (0..3).map(Arc::new).collect();
    /// let (one, rest): (WeakSet<_>, WeakSet<_>) = (numbers[..1].iter().collect(), numbers[1..].iter().collect());
    /// assert!(one.is_disjoint(&rest) && !one.is_disjoint(&one));
    /// ```
    pub fn is_disjoint<S2: BuildHasher>(&self, other: &Set<A, R, S2>) -> bool {
        self.iter().all(|element| !other.contains_own(&element))
    }
}

impl<A: Pointer, R: Rule<A::Target>, S: BuildHasher> PartialEq for Set<A, R, S> {
    /// The same live elements.
    fn eq(&self, other: &Self) -> bool {
        self.is_subset(other) && other.is_subset(self)
    }
}

impl<A: Pointer, R: Rule<A::Target>, S: BuildHasher> Eq for Set<A, R, S> {}

impl<A: Pointer, R: Rule<A::Target>, S: BuildHasher> PartialEq for Pinned<'_, Set<A, R, S>> {
    /// As the sets.
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

/// An operation: a method that makes a set, an operator, and its assigning form, on a set and on a shared one.
macro_rules! operation {
    (
        $(#[$doc:meta])* $method:ident [$Op:ident $op:ident $OpAssign:ident $op_assign:ident], $count:literal,
        |$left:ident, $right:ident, $made:ident| $make:expr, $change:expr
    ) => {
        impl<A: Pointer<Target: 'static>, R: Rule<A::Target>, S: BuildHasher + Clone> Set<A, R, S> {
            $(#[$doc])*
            ///
            /// A set of its own, of objects that are alive when it is made; each of them is watched. Where both sides have an
            /// equal element, it is the left side's.
            ///
            /// # Liveness
            ///
            /// As [`is_subset`](Self::is_subset).
            ///
            /// # Examples
            ///
            /// ```
            /// use weakly::{Arc, WeakSet};
            ///
            /// let numbers: Vec<_> = (0..4).map(Arc::new).collect();
            /// let (low, high): (WeakSet<_>, WeakSet<_>) = (numbers[..3].iter().collect(), numbers[1..].iter().collect());
            #[doc = concat!("assert_eq!(low.", stringify!($method), "(&high).len(), ", $count, ");")]
            /// ```
            #[must_use]
            #[track_caller]
            pub fn $method<S2: BuildHasher>(&self, other: &Set<A, R, S2>) -> Self {
                let ($left, $right, $made) = (self, other, self.alike());
                $make;
                $made
            }
        }

        impl<A: Pointer<Target: 'static>, R: Rule<A::Target>, S: BuildHasher + Clone> $Op<&Set<A, R, S>> for &Set<A, R, S> {
            type Output = Set<A, R, S>;
            #[track_caller]
            fn $op(self, right: &Set<A, R, S>) -> Set<A, R, S> {
                self.$method(right)
            }
        }

        impl<A: Pointer<Target: 'static>, R: Rule<A::Target>, S: BuildHasher> $OpAssign<&Set<A, R, S>> for &Set<A, R, S> {
            #[track_caller]
            fn $op_assign(&mut self, right: &Set<A, R, S>) {
                let ($left, $right) = (*self, right);
                $change;
            }
        }

        impl<A: Pointer<Target: 'static>, R: Rule<A::Target>, S: BuildHasher> $OpAssign<&Set<A, R, S>> for Set<A, R, S> {
            #[track_caller]
            fn $op_assign(&mut self, right: &Set<A, R, S>) {
                let ($left, $right) = (&*self, right);
                $change;
            }
        }
    };
}

operation! {
    /// The live elements of either.
    union [BitOr bitor BitOrAssign bitor_assign], "4",
    |left, right, made| {
        made.extend(left.iter());
        made.extend(right.iter());
    },
    left.extend(right.iter())
}

operation! {
    /// The live elements of both.
    intersection [BitAnd bitand BitAndAssign bitand_assign], "2",
    |left, right, made| made.extend(left.iter().filter(|element| right.contains_own(element))),
    left.retain(|element| right.contains_own(element))
}

operation! {
    /// The live elements of the left side that are not in the right one.
    difference [Sub sub SubAssign sub_assign], "1",
    |left, right, made| made.extend(left.iter().filter(|element| !right.contains_own(element))),
    left.retain(|element| !right.contains_own(element))
}

operation! {
    /// The live elements of one side that are not in the other.
    symmetric_difference [BitXor bitxor BitXorAssign bitxor_assign], "2",
    |left, right, made| {
        made.extend(left.iter().filter(|element| !right.contains_own(element)));
        made.extend(right.iter().filter(|element| !left.contains_own(element)));
    },
    // Of a snapshot, for both sides may be the same set.
    for element in right.snapshot() {
        if left.take_own(&element).is_none() {
            left.insert(&element);
        }
    }
}
