//! Names for iterators, for whoever stores one. Each is a walk, or an extraction, over one kind of entry.

use super::iter::{
    All, Entries, Extract, IntoIter, KeysOnly, OfPair, PinnedWalk, ValuesOnly, Walk, WeakKeysOnly, WeakValuesOnly,
};
use super::key_entry::{KeyEntry, Owned, Weakly};
use super::key_values::Removed;
use super::lookup::ByEq;
use super::set::OfElement;
use super::value_map::ValueEntry;
use std::hash::RandomState;

/// What [`WeakValueMap::iter`](super::WeakValueMap::iter) returns.
pub type Iter<'a, K, A> = Walk<'a, ValueEntry<K, A>, Entries>;
/// What [`WeakValueMap::keys`](super::WeakValueMap::keys) returns.
pub type Keys<'a, K, A> = Walk<'a, ValueEntry<K, A>, KeysOnly>;
/// What [`WeakValueMap::values`](super::WeakValueMap::values) returns.
pub type Values<'a, K, A> = Walk<'a, ValueEntry<K, A>, ValuesOnly>;
/// What [`WeakValueMap::weak_values`](super::WeakValueMap::weak_values) returns.
pub type WeakValues<'a, K, A> = Walk<'a, ValueEntry<K, A>, WeakValuesOnly>;
/// What a pinned `WeakValueMap`'s `iter` returns.
pub type PinnedIter<'g, K, A> = PinnedWalk<'g, ValueEntry<K, A>, Entries>;
/// What a pinned `WeakValueMap`'s `keys` returns.
pub type PinnedKeys<'g, K, A> = PinnedWalk<'g, ValueEntry<K, A>, KeysOnly>;
/// What [`WeakValueMap::drain`](super::WeakValueMap::drain) returns.
pub type Drain<'a, K, A, S = RandomState> = Extract<'a, ValueEntry<K, A>, S, All>;
/// What [`WeakValueMap::extract_if`](super::WeakValueMap::extract_if) returns.
pub type ExtractIf<'a, K, A, F, S = RandomState> = Extract<'a, ValueEntry<K, A>, S, OfPair<F>>;

/// What `into_keys` of every map returns.
pub type IntoKeys<K> = IntoIter<K>;
/// What `into_values` of every map returns.
pub type IntoValues<A> = IntoIter<A>;

/// What [`KeyMap::iter`](super::KeyMap::iter) returns.
pub type KeyIter<'a, A, V, R = ByEq> = Walk<'a, KeyEntry<A, Owned<V>, R>, Entries>;
/// What [`KeyMap::keys`](super::KeyMap::keys) returns.
pub type KeyKeys<'a, A, V, R = ByEq> = Walk<'a, KeyEntry<A, Owned<V>, R>, KeysOnly>;
/// What [`KeyMap::weak_keys`](super::KeyMap::weak_keys) returns.
pub type KeyWeakKeys<'a, A, V, R = ByEq> = Walk<'a, KeyEntry<A, Owned<V>, R>, WeakKeysOnly>;
/// What [`KeyMap::values`](super::KeyMap::values) returns.
pub type KeyValues<'a, A, V, R = ByEq> = Walk<'a, KeyEntry<A, Owned<V>, R>, ValuesOnly>;
/// What a pinned key map's `iter` returns.
pub type PinnedKeyIter<'g, A, V, R = ByEq> = PinnedWalk<'g, KeyEntry<A, Owned<V>, R>, Entries>;
/// What a pinned key map's `values` returns.
pub type PinnedKeyValues<'g, A, V, R = ByEq> = PinnedWalk<'g, KeyEntry<A, Owned<V>, R>, ValuesOnly>;
/// What [`KeyMap::drain`](super::KeyMap::drain) returns.
pub type KeyDrain<'a, A, V, R = ByEq, S = RandomState> = Extract<'a, KeyEntry<A, Owned<V>, R>, S, All>;
/// What [`KeyMap::extract_if`](super::KeyMap::extract_if) returns.
pub type KeyExtractIf<'a, A, V, F, R = ByEq, S = RandomState> = Extract<'a, KeyEntry<A, Owned<V>, R>, S, OfPair<F>>;
/// What a key map's `into_iter` returns.
pub type KeyIntoIter<A, V> = IntoIter<(A, Removed<V>)>;

/// What [`WeakMap::iter`](super::WeakMap::iter) returns.
pub type PairIter<'a, K, A, R = ByEq> = Walk<'a, KeyEntry<K, Weakly<A>, R>, Entries>;
/// What [`WeakMap::keys`](super::WeakMap::keys) returns.
pub type PairKeys<'a, K, A, R = ByEq> = Walk<'a, KeyEntry<K, Weakly<A>, R>, KeysOnly>;
/// What [`WeakMap::weak_keys`](super::WeakMap::weak_keys) returns.
pub type PairWeakKeys<'a, K, A, R = ByEq> = Walk<'a, KeyEntry<K, Weakly<A>, R>, WeakKeysOnly>;
/// What [`WeakMap::values`](super::WeakMap::values) returns.
pub type PairValues<'a, K, A, R = ByEq> = Walk<'a, KeyEntry<K, Weakly<A>, R>, ValuesOnly>;
/// What [`WeakMap::weak_values`](super::WeakMap::weak_values) returns.
pub type PairWeakValues<'a, K, A, R = ByEq> = Walk<'a, KeyEntry<K, Weakly<A>, R>, WeakValuesOnly>;
/// What [`WeakMap::drain`](super::WeakMap::drain) returns.
pub type PairDrain<'a, K, A, R = ByEq, S = RandomState> = Extract<'a, KeyEntry<K, Weakly<A>, R>, S, All>;
/// What [`WeakMap::extract_if`](super::WeakMap::extract_if) returns.
pub type PairExtractIf<'a, K, A, F, R = ByEq, S = RandomState> = Extract<'a, KeyEntry<K, Weakly<A>, R>, S, OfPair<F>>;

/// What [`Set::iter`](super::Set::iter) returns.
pub type SetIter<'a, A, R = ByEq> = Walk<'a, KeyEntry<A, (), R>, KeysOnly>;
/// What [`Set::weak_iter`](super::Set::weak_iter) returns.
pub type SetWeakIter<'a, A, R = ByEq> = Walk<'a, KeyEntry<A, (), R>, WeakKeysOnly>;
/// What [`Set::drain`](super::Set::drain) returns.
pub type SetDrain<'a, A, R = ByEq, S = RandomState> = Extract<'a, KeyEntry<A, (), R>, S, All>;
/// What [`Set::extract_if`](super::Set::extract_if) returns.
pub type SetExtractIf<'a, A, F, R = ByEq, S = RandomState> = Extract<'a, KeyEntry<A, (), R>, S, OfElement<F>>;
