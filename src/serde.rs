//! The feature `serde`: what is alive is written; what is read has to be somebody's, so only pointers are.
//!
//! A collection is gathered before it is written, for many formats want the length first, and no lock or guard is held while
//! the serializer runs; so its live entries stay alive until it is done.

use crate::atomic::{AtomicArc, AtomicWeak};
use crate::generic::{Interned, Interner, KeyMap, Set, WeakList, WeakMap, WeakValueMap};
use crate::pointer::Pointer;
use crate::ptr::{Arc, Weak};
use ::serde::de::DeserializeSeed;
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::hash::{BuildHasher, Hash};

impl<T: ?Sized + Serialize> Serialize for Arc<T> {
    /// As the value: whether two pointers are of one object is not written. Needs the feature `serde`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(to)
    }
}

impl<'de, T: ?Sized> Deserialize<'de> for Arc<T>
where
    Box<T>: Deserialize<'de>,
{
    /// A new object. Needs the feature `serde`.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Box::deserialize(from).map(Arc::from)
    }
}

impl<T: ?Sized + Serialize> Serialize for Weak<T> {
    /// As an `Option` of the value: `None` if it is dead. Needs the feature `serde`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.upgrade().serialize(to)
    }
}

impl<'de, T> Deserialize<'de> for Weak<T>
where
    T: Deserialize<'de>,
{
    /// Reads an `Option` of a value, which nobody would own, and gives `Weak::new()`. Needs the feature `serde`.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(from).map(|_| Weak::new())
    }
}

impl<T: Serialize> Serialize for AtomicArc<T> {
    /// As an `Option` of the value that is there now. Needs the feature `serde`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.load().serialize(to)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AtomicArc<T> {
    /// Of an `Option` of a value. Needs the feature `serde`.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<Arc<T>>::deserialize(from).map(AtomicArc::from)
    }
}

impl<T: Serialize> Serialize for AtomicWeak<T> {
    /// As an `Option` of the value that is there now: `None` if it is dead. Needs the feature `serde`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.upgrade().serialize(to)
    }
}

impl<A: Pointer<Target: Serialize>> Serialize for Interned<A> {
    /// As the value. Needs the feature `serde`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(to)
    }
}

/// Reads values, and makes one object of equal ones.
///
/// # Examples
///
/// ```
/// use serde::de::{DeserializeSeed, Deserializer};
/// use std::sync::LazyLock;
/// use weakly::{Interned, Interner};
///
/// static NAMES: LazyLock<Interner<str>> = LazyLock::new(Interner::new);
///
/// /// For a field: `#[serde(deserialize_with = "name")]`.
/// fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Interned<str>, D::Error> {
///     (&*NAMES).deserialize(from)
/// }
///
/// let ann = NAMES.intern("ann");
/// assert_eq!(name(&mut serde_json::Deserializer::from_str("\"ann\"")).unwrap(), ann);
/// ```
impl<'de, A, S> DeserializeSeed<'de> for &Interner<A, S>
where
    A: Pointer<Target: Hash + Eq + 'static> + From<Box<A::Target>>,
    Box<A::Target>: Deserialize<'de>,
    S: BuildHasher,
{
    type Value = Interned<A>;

    /// Reads a value and interns it. Needs the feature `serde`.
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Interned<A>, D::Error> {
        Box::deserialize(from).map(|value| self.intern_box(value))
    }
}

/// Maps, written as maps: of what iterator, and what is written of its items.
macro_rules! maps {
    ($($Name:ident [$($generics:tt)*] [$($args:tt)*] $walk:ident, |$key:ident, $value:ident| $k:expr, $v:expr;)*) => { $(
        impl<$($generics)*, H> Serialize for $Name<$($args)*, H> {
            /// The live entries, as a map. Needs the feature `serde`.
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let entries: Vec<_> = self.$walk().collect();
                to.collect_map(entries.iter().map(|($key, $value)| ($k, $v)))
            }
        }
    )* };
}

maps! {
    WeakValueMap [K: Clone + Serialize, A: Pointer<Target: Serialize>] [K, A] iter, |key, value| key, &**value;
    KeyMap [A: Pointer<Target: Serialize>, V: Serialize, R] [A, V, R] owners, |key, value| &**key, value;
    WeakMap [K: Pointer<Target: Serialize>, A: Pointer<Target: Serialize>, R] [K, A, R] iter, |key, value| &**key, &**value;
}

/// What has elements, written as a sequence.
macro_rules! sequences {
    ($($Name:ty, [$($generics:tt)*];)*) => { $(
        impl<A: Pointer<Target: Serialize>, $($generics)*> Serialize for $Name {
            /// The live elements, as a sequence. Needs the feature `serde`.
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let elements: Vec<_> = self.iter().collect();
                to.collect_seq(elements.iter().map(|element| &**element))
            }
        }
    )* };
}

sequences! {
    Set<A, R, H>, [R, H];
    Interner<A, H>, [H];
    WeakList<A>, [];
}
