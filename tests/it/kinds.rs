//! One body, many tests: of the kinds of a collection, with each hasher, on both faces.

use weakly::Arc;

/// The same body as twelve tests: keys told apart by equality and by address, each with three hashers, on the plain face and on
/// the pinned one. `$map` is a new collection, or its pinned face; `This` the collection's type. Of one kind, six tests.
macro_rules! kinds {
    ($ByEq:ident, $ByAddress:ident; $($(#[$doc:meta])* $name:ident: |$map:ident| $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;
            kinds!(@kind by_eq $ByEq $map $body);
            kinds!(@kind by_address $ByAddress $map $body);
        }
    )*};
    ($Map:ident; $($(#[$doc:meta])* $name:ident: |$map:ident| $body:block)*) => {$(
        mod $name {
            use super::*;
            kinds!(@hasher good Good $Map $map $body);
            // Slow under Miri, and there with the other collections, which have the same table.
            #[cfg(not(miri))]
            kinds!(@hasher four_bits FourBit $Map $map $body);
            #[cfg(not(miri))]
            kinds!(@hasher constant Constant $Map $map $body);
        }
    )*};
    (@kind $kind:ident $Map:ident $map:ident $body:block) => {
        mod $kind {
            use super::*;
            kinds!(@hasher good Good $Map $map $body);
            #[cfg(not(miri))] // slow there, and between the other two
            kinds!(@hasher four_bits FourBit $Map $map $body);
            kinds!(@hasher constant Constant $Map $map $body);
        }
    };
    (@hasher $hasher:ident $Hasher:ident $Map:ident $map:ident $body:block) => {
        mod $hasher {
            use super::*;
            #[allow(dead_code, reason = "for bodies that make more")]
            type This = $Map<crate::common::$Hasher>;
            #[test]
            fn plain() {
                let _dog = crate::common::watchdog();
                let $map = <$Map<crate::common::$Hasher>>::default();
                $body
            }
            #[test]
            fn pinned() {
                let _dog = crate::common::watchdog();
                let owned = <$Map<crate::common::$Hasher>>::default();
                let $map = owned.pin();
                $body
            }
        }
    };
}
pub(crate) use kinds;

/// The same body as two tests: `Map` is told apart by equality, and by address. For the plain face, and what takes the
/// collection itself.
macro_rules! whole {
    ($ByEq:ident, $ByAddress:ident; $($(#[$doc:meta])* $name:ident: $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[test]
            fn by_eq() {
                use super::{$ByEq as Map, *};
                let _dog = crate::common::watchdog();
                $body
            }
            #[test]
            fn by_address() {
                use super::{$ByAddress as Map, *};
                let _dog = crate::common::watchdog();
                $body
            }
        }
    )*};
}
pub(crate) use whole;

/// An object, equal to every other of this number.
pub fn text(n: usize) -> Arc<String> {
    Arc::new(n.to_string())
}

/// `n` objects, no two of them equal.
pub fn texts(n: usize) -> Vec<Arc<String>> {
    (0..n).map(text).collect()
}

/// In order.
pub fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}
