//! The entry of every collection with weakly held keys: a key, and besides nothing, a value of the map's own, or an object held
//! weakly too.

#![allow(missing_debug_implementations, reason = "not for users: public by way of hidden traits")]

use super::iter::{KeysOnly, WeakKeysOnly, What};
use super::live::{Kept, Live, Tells};
use super::lookup::Part;
use crate::block::head::Head;
use crate::death::hook::{Hook, ObserverKind};
use crate::pointer::{Held, Hold, Pointer};
use crate::ptr::Arc;
use crate::reclaim::{Guard, Snapshot};
use crate::table::node::Entry;
use std::marker::PhantomData;
use std::mem::forget;

/// A weakly held key, and what goes with it. `R` is the rule by which keys are told apart.
#[doc(hidden)]
pub struct KeyEntry<A: Pointer, P, R> {
    pub(super) key: A::Held,
    pub(super) payload: P,
    rule: PhantomData<fn() -> R>,
}

// SAFETY: a weak count that can become an `A` on any thread, and the payload.
unsafe impl<A: Pointer + Send, P: Send, R> Send for KeyEntry<A, P, R> {}
// SAFETY: as above.
unsafe impl<A: Pointer + Send + Sync, P: Sync, R> Sync for KeyEntry<A, P, R> {}

impl<A: Pointer, P: Default, R> KeyEntry<A, P, R> {
    /// An entry that is yet to be filled.
    pub(super) fn new(key: &A) -> Self {
        KeyEntry { key: A::hold(key), payload: P::default(), rule: PhantomData }
    }
}

impl<A: Pointer, P: Payload, R> What<KeyEntry<A, P, R>> for KeysOnly {
    type Raw = A;
    type Item = A;

    fn raw(entry: &KeyEntry<A, P, R>, _: &mut Kept<Either<A, P::Value>>) -> Option<A> {
        entry.payload.is_alive().then(|| A::revive(&entry.key))?
    }

    fn item(raw: A) -> A {
        raw
    }
}

impl<A: Pointer, P: Payload, R> What<KeyEntry<A, P, R>> for WeakKeysOnly {
    type Raw = A::Weak;
    type Item = A::Weak;

    fn raw(entry: &KeyEntry<A, P, R>, _: &mut Kept<Either<A, P::Value>>) -> Option<A::Weak> {
        entry.is_alive().then(|| A::weak(&entry.key))
    }

    fn item(raw: A::Weak) -> A::Weak {
        raw
    }
}

/// What goes with a weakly held key.
#[doc(hidden)]
pub trait Payload: Default {
    /// One hook for the key, and one for an object of the payload's own.
    type Hooks: AsRef<[Hook]>;
    /// The kind of each.
    const KINDS: [ObserverKind; 2];
    /// As [`Live::Value`]; and what keeps it alive.
    type Value;
    /// As [`Entry::Share`].
    type Share;

    fn hooks(make: impl FnMut(usize) -> Hook) -> Self::Hooks;
    fn head(&self) -> &Head<Hook>;
    fn bytes(&self) -> usize;
    fn revive(&self) -> Option<Self::Value>;
    fn is_alive(&self) -> bool;
    fn fill(&mut self, value: &Self::Value);
    /// # Safety
    /// As [`Entry::take_share`].
    unsafe fn take_share(&self) -> Self::Share;
}

impl<A: Pointer, P: Payload, R> Entry for KeyEntry<A, P, R> {
    type Hooks = P::Hooks;
    type Key = A::Weak;
    type Share = P::Share;
    const KINDS: [ObserverKind; 2] = P::KINDS;
    /// A value goes as a share; what is left is weak counts.
    const DROPS_USER_CODE: bool = false;

    fn hooks(make: impl FnMut(usize) -> Hook) -> P::Hooks {
        P::hooks(make)
    }

    fn head(&self, i: usize) -> &Head<Hook> {
        if i == 0 { A::head(&self.key) } else { self.payload.head() }
    }

    fn with_key(&self, tell: impl FnOnce(&A::Weak)) {
        tell(&A::weak(&self.key));
    }

    fn bytes(&self) -> usize {
        A::bytes(&self.key) + self.payload.bytes()
    }

    unsafe fn take_share(&self) -> P::Share {
        // SAFETY: as the caller says.
        unsafe { self.payload.take_share() }
    }
}

// The key has died then, or its own thread has taken the entry out.
impl<A: Pointer, R> Tells for KeyEntry<A, (), R> {}
impl<A: Pointer, V, R> Tells for KeyEntry<A, Owned<V>, R> {}
// Or the value has died, anywhere: so anybody may be shown the key, and may upgrade it.
impl<K: Pointer<Weak: Send + Sync>, A: Pointer, R> Tells for KeyEntry<K, Weakly<A>, R> {}

/// An owner that a look has left behind: a key's, or a payload's.
#[doc(hidden)]
pub enum Either<A, P> {
    Key(A),
    Payload(P),
}

impl<A, P> Part<A> for Either<A, P> {
    #[inline]
    fn of_key(key: A) -> Self {
        Either::Key(key)
    }

    #[inline]
    fn key(&self) -> Option<&A> {
        match self {
            Either::Key(key) => Some(key),
            Either::Payload(_) => None,
        }
    }
}

impl<A: Pointer, P: Payload, R> Live for KeyEntry<A, P, R> {
    type Alive = (A, P::Value);
    type Part = Either<A, P::Value>;
    type Value = P::Value;
    type Name = A::Held;

    #[inline]
    fn name(&self) -> &A::Held {
        &self.key
    }

    fn revive(&self, kept: &mut Kept<Self::Part>) -> Option<Self::Alive> {
        let key = A::revive(&self.key)?;
        match self.payload.revive() {
            Some(payload) => Some((key, payload)),
            None => {
                kept.keep(Either::Key(key));
                None
            }
        }
    }

    fn is_alive(&self) -> bool {
        A::is_alive(&self.key) && self.payload.is_alive()
    }

    fn value((key, payload): Self::Alive, kept: &mut Kept<Self::Part>) -> P::Value {
        kept.keep(Either::Key(key));
        payload
    }

    unsafe fn fill(this: *mut Self, value: &P::Value) {
        // SAFETY: the caller's; a reference to the payload alone, for others may look at the key.
        unsafe { (*this).payload.fill(value) }
    }
}

/// Sets: a key is all there is.
impl Payload for () {
    type Hooks = [Hook; 1];
    const KINDS: [ObserverKind; 2] = [ObserverKind::SetEntry; 2];
    type Value = ();
    type Share = ();

    fn hooks(mut make: impl FnMut(usize) -> Hook) -> [Hook; 1] {
        [make(0)]
    }
    fn head(&self) -> &Head<Hook> {
        unreachable!("a set's entry has one hook")
    }
    fn bytes(&self) -> usize {
        0
    }
    fn revive(&self) -> Option<()> {
        Some(())
    }
    fn is_alive(&self) -> bool {
        true
    }
    fn fill(&mut self, (): &()) {}
    unsafe fn take_share(&self) {}
}

/// Key maps: a value that the map owns, in a block of its own. Readers under a guard find it by the weak count that the node
/// has of it; the map's strong one goes with the key at once, so the value is destroyed promptly.
#[doc(hidden)]
pub struct Owned<V>(Option<Held<V>>);

// SAFETY: the map owns the value, and moves it out or destroys it on any thread.
unsafe impl<V: Send> Send for Owned<V> {}
// SAFETY: and lends it.
unsafe impl<V: Send + Sync> Sync for Owned<V> {}

impl<V> Default for Owned<V> {
    fn default() -> Self {
        Owned(None)
    }
}

impl<V> Owned<V> {
    /// The value, read under a guard, if it is still the map's or somebody else's.
    #[inline]
    pub(super) fn read<'g>(&'g self, guard: &'g Guard) -> Option<Snapshot<'g, V>> {
        // SAFETY: the node was reached under the guard, and gives its weak count back through the epoch.
        unsafe { <Arc<V> as Pointer>::read(self.0.as_ref()?, guard) }
    }
}

impl<V> Payload for Owned<V> {
    type Hooks = [Hook; 1];
    const KINDS: [ObserverKind; 2] = [ObserverKind::KeyEntry; 2];
    type Value = Arc<V>;
    type Share = Option<Arc<V>>;

    fn hooks(mut make: impl FnMut(usize) -> Hook) -> [Hook; 1] {
        [make(0)]
    }

    fn head(&self) -> &Head<Hook> {
        unreachable!("a key map's entry has one hook")
    }

    fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, Arc::bytes)
    }

    fn revive(&self) -> Option<Arc<V>> {
        Arc::revive(self.0.as_ref()?)
    }

    fn is_alive(&self) -> bool {
        self.0.as_ref().is_some_and(Arc::is_alive)
    }

    fn fill(&mut self, value: &Arc<V>) {
        self.0 = Some(Arc::hold(value));
        forget(Arc::clone(value)); // the map's share
    }

    unsafe fn take_share(&self) -> Option<Arc<V>> {
        // SAFETY: the share that `fill` left, taken once.
        self.0.as_ref().map(|held| unsafe { held.arc() })
    }
}

/// Weak-weak maps: an object that is held weakly as well.
#[doc(hidden)]
pub struct Weakly<A: Pointer>(pub(super) Option<A::Held>);

// SAFETY: a weak count that can become an `A` on any thread.
unsafe impl<A: Pointer + Send> Send for Weakly<A> {}
// SAFETY: as above.
unsafe impl<A: Pointer + Send + Sync> Sync for Weakly<A> {}

impl<A: Pointer> Default for Weakly<A> {
    fn default() -> Self {
        Weakly(None)
    }
}

impl<A: Pointer> Weakly<A> {
    pub(super) fn held(&self) -> &A::Held {
        match &self.0 {
            Some(held) => held,
            None => unreachable!("a node is linked with its value"),
        }
    }
}

impl<K: Pointer, A: Pointer, R> KeyEntry<K, Weakly<A>, R> {
    /// Reads the value under a guard.
    #[inline]
    pub(super) fn read<'g>(&self, guard: &'g Guard) -> Option<A::Snapshot<'g>> {
        // SAFETY: the node was reached under the guard, and gives its weak count back through the epoch.
        K::is_alive(&self.key).then(|| unsafe { A::read(self.payload.held(), guard) })?
    }
}

impl<A: Pointer> Payload for Weakly<A> {
    type Hooks = [Hook; 2];
    const KINDS: [ObserverKind; 2] = [ObserverKind::KeyEntry, ObserverKind::ValueEntry];
    type Value = A;
    type Share = ();

    fn hooks(mut make: impl FnMut(usize) -> Hook) -> [Hook; 2] {
        [make(0), make(1)]
    }

    fn head(&self) -> &Head<Hook> {
        A::head(self.held())
    }

    fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, A::bytes)
    }

    fn revive(&self) -> Option<A> {
        A::revive(self.held())
    }

    fn is_alive(&self) -> bool {
        A::is_alive(self.held())
    }

    fn fill(&mut self, value: &A) {
        self.0 = Some(A::hold(value));
    }

    unsafe fn take_share(&self) {}
}
