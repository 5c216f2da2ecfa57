//! `WeakValueMap`: owned keys, weakly held values.

use super::face::{Face, Own, Pinned, own};
use super::options::{Build, Builder, Compute, Computed};
use crate::block::head::Head;
use crate::death::hook::{Hook, Later, ObserverKind};
use crate::flight::Flights;
use crate::pointer::Pointer;
use crate::queue::{Cause, Listeners};
use crate::reclaim::Guard;
use crate::table::node::{Entry, Fresh, Node};
use crate::table::probe::Look;
use crate::table::write::Survey;
use crate::table::{Core, Hashed, Table};
use equivalent::Equivalent;
use std::collections::hash_map::RandomState;
use std::mem::needs_drop;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

/// A concurrent map whose values are held weakly: an entry lives exactly as long as somebody uses its value. CPython's
/// `WeakValueDictionary`.
///
/// Look-ups take no lock and wait for nobody. An entry leaves with the last [`Arc`](crate::Arc) of its value, before that drop
/// returns; no maintenance call is ever needed. All methods take `&self`; a new map allocates nothing.
///
/// # Liveness
///
/// A value that has died is absent from that moment on, for every method. No lock is held while your code runs, so `Hash`,
/// `Eq`, `Drop`, loaders, callbacks and listeners may panic or use any map, this one too. Keys that have left are dropped after
/// a grace period, on a thread that writes to some collection, drops a watched object, or flushes.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakValueMap};
///
/// let sessions: WeakValueMap<String, Vec<u8>> = WeakValueMap::new();
/// let session = sessions.get_or_insert_with("ann".to_string(), |_| Arc::new(vec![1, 2, 3]));
/// assert_eq!(sessions.get("ann"), Some(session.clone()));
/// drop(session);
/// assert!(sessions.get("ann").is_none() && sessions.is_empty());
/// ```
pub struct WeakValueMap<K, A: Pointer, S = RandomState> {
    pub(super) hasher: S,
    pub(super) table: Table<ValueEntry<K, A>>,
    pub(super) flights: OnceLock<Flights<K, A>>,
}

/// A key, and a value held weakly.
#[doc(hidden)]
pub struct ValueEntry<K, A: Pointer> {
    pub(super) key: K,
    /// `None` only while a loader runs, when the node is linked nowhere.
    pub(super) value: Option<A::Held>,
}

// SAFETY: a key, and a weak count that can become an `A` on any thread.
unsafe impl<K: Send, A: Pointer + Send> Send for ValueEntry<K, A> {}
// SAFETY: as above.
unsafe impl<K: Sync, A: Pointer + Send + Sync> Sync for ValueEntry<K, A> {}

impl<K, A: Pointer> ValueEntry<K, A> {
    /// The value's weak count.
    #[inline]
    pub(super) fn held(&self) -> &A::Held {
        match &self.value {
            Some(held) => held,
            None => unreachable!("a node is linked with its value"),
        }
    }

    /// An owner of the value, if it is alive.
    #[inline]
    pub(super) fn revive(&self) -> Option<A> {
        A::revive(self.held())
    }
}

impl<K, A: Pointer> Entry for ValueEntry<K, A> {
    type Hooks = [Hook; 1];
    type Key = K;
    const KINDS: [ObserverKind; 2] = [ObserverKind::ValueEntry; 2];
    const DROPS_USER_CODE: bool = needs_drop::<K>();

    fn hooks(mut make: impl FnMut(usize) -> Hook) -> [Hook; 1] {
        [make(0)]
    }

    fn head(&self, _: usize) -> &Head<Hook> {
        A::head(self.held())
    }

    fn key(&self) -> &K {
        &self.key
    }

    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, A::bytes)
    }
}

impl<K, A: Pointer, S> UnwindSafe for WeakValueMap<K, A, S> {}
impl<K, A: Pointer, S> RefUnwindSafe for WeakValueMap<K, A, S> {}

impl<K, A: Pointer, S> Build for WeakValueMap<K, A, S> {
    type Hasher = S;
    type Key = K;
}

impl<K, A: Pointer, S> Face for WeakValueMap<K, A, S> {
    type Map = Self;
    type Held<'a>
        = Own
    where
        Self: 'a;

    #[inline]
    fn map(&self) -> &Self {
        self
    }

    #[inline]
    fn hold(&self) -> Own {
        own()
    }
}

impl<K, A: Pointer> WeakValueMap<K, A> {
    /// An empty map. Allocates nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::new();
    /// assert_eq!(map.capacity(), 0);
    /// ```
    pub fn new() -> Self {
        Self::with_hasher(RandomState::new())
    }

    /// An empty map with room for `capacity` entries.
    ///
    /// # Panics
    /// If there is no memory, or no table, of that size.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::with_capacity(100);
    /// assert!(map.capacity() >= 100);
    /// ```
    pub fn with_capacity(capacity: usize) -> Self {
        Self::with_capacity_and_hasher(capacity, RandomState::new())
    }

    /// A builder, for hasher, capacity, shards and a listener.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::builder().shards(2).build();
    /// assert_eq!(map.shards(), 2);
    /// ```
    pub fn builder() -> Builder<Self> {
        Builder::new(RandomState::new())
    }
}

impl<K, A: Pointer, S> Builder<WeakValueMap<K, A, S>> {
    /// Hashes by `hasher`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::{BuildHasherDefault, DefaultHasher};
    ///
    /// let map: weakly::WeakValueMap<u64, String, _> =
    ///     weakly::WeakValueMap::builder().hasher(BuildHasherDefault::<DefaultHasher>::new()).build();
    /// # assert!(map.is_empty());
    /// ```
    pub fn hasher<S2>(self, hasher: S2) -> Builder<WeakValueMap<K, A, S2>> {
        self.with_hasher(hasher)
    }

    /// Makes room for `capacity` entries at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::builder().capacity(100).build();
    /// assert!(map.capacity() >= 100);
    /// ```
    pub fn capacity(self, capacity: usize) -> Self {
        Builder { capacity, ..self }
    }

    /// Splits the map into this many shards, rounded up to a power of two. Writers of different shards don't meet; the
    /// default is about four a core.
    ///
    /// # Panics
    /// If `shards` is 0 or more than 65536.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::builder().shards(3).build();
    /// assert_eq!(map.shards(), 4);
    /// ```
    pub fn shards(self, shards: usize) -> Self {
        self.with_shards(shards)
    }

    /// Calls `listener` for every entry that leaves, with its key and the cause: after the entry is out, with no lock held, on
    /// the thread that took it out, once. A panic in it is caught and reported
    /// ([`exit::set_panic_hook`](crate::exit::set_panic_hook)).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Cause, WeakValueMap};
    ///
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// let map = WeakValueMap::builder().on_removal(move |key: &u64, cause| tx.send((*key, cause)).unwrap()).build();
    /// map.insert(1, &Arc::new("gone at once"));
    /// assert_eq!(rx.recv(), Ok((1, Cause::Died)));
    /// ```
    pub fn on_removal(self, listener: impl Fn(&K, Cause) + Send + Sync + 'static) -> Self
    where
        K: Sync,
    {
        self.with_listener(listener)
    }

    /// The map.
    ///
    /// # Panics
    /// If there is no memory, or no table, of the capacity asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::builder().build();
    /// assert!(map.is_empty());
    /// ```
    pub fn build(self) -> WeakValueMap<K, A, S> {
        let listeners = Listeners::default();
        if let Some(listener) = self.listener {
            listeners.add(listener);
        }
        let core = Core::new(self.shards, listeners);
        let map = WeakValueMap { hasher: self.hasher, table: Table::with_core(core), flights: OnceLock::new() };
        map.reserve(self.capacity);
        map
    }
}

impl<K, A: Pointer, S> WeakValueMap<K, A, S> {
    crate::sync::const_fn! {
        /// An empty map that hashes by `hasher`. Allocates nothing; `const`, so it can be a static.
        ///
        /// # Examples
        ///
        /// ```
        /// use std::hash::{BuildHasherDefault, DefaultHasher};
        /// use weakly::WeakValueMap;
        ///
        /// static MAP: WeakValueMap<u64, String, BuildHasherDefault<DefaultHasher>> =
        ///     WeakValueMap::with_hasher(BuildHasherDefault::new());
        /// assert!(MAP.is_empty());
        /// ```
        pub const fn with_hasher(hasher: S) -> Self {
            WeakValueMap { hasher, table: Table::new(), flights: OnceLock::new() }
        }
    }

    /// An empty map with room for `capacity` entries that hashes by `hasher`.
    ///
    /// # Panics
    /// If there is no memory, or no table, of that size.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::RandomState;
    ///
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::with_capacity_and_hasher(100, RandomState::new());
    /// assert!(map.capacity() >= 100);
    /// ```
    pub fn with_capacity_and_hasher(capacity: usize, hasher: S) -> Self {
        let map = Self::with_hasher(hasher);
        map.reserve(capacity);
        map
    }

    /// The map under one guard: for runs of calls, and for [`read`](Pinned::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// assert_eq!(map.pin().read("five").as_deref(), Some(&5));
    /// ```
    #[inline]
    pub fn pin(&self) -> Pinned<'_, Self> {
        Pinned::new(self)
    }

    /// Shows `look` the entries that may be the key's.
    #[inline]
    pub(super) fn find<'g, Q: Equivalent<K> + ?Sized, R>(
        &'g self,
        guard: &'g Guard,
        hash: Hashed,
        q: &Q,
        take: impl Fn(&'g Node<ValueEntry<K, A>>) -> Option<R>,
    ) -> Option<R> {
        self.table.find(guard, hash, |node| look(node, q, &take))
    }

    /// Looks a key up for a write: its live value, and its node.
    pub(super) fn survey<'g, Q: Equivalent<K> + ?Sized>(
        &'g self,
        guard: &'g Guard,
        hash: Hashed,
        q: &Q,
    ) -> Survey<'g, ValueEntry<K, A>, A> {
        self.table.survey(guard, hash, |node| look(node, q, &|node: &Node<ValueEntry<K, A>>| node.entry.revive()))
    }

    pub(super) fn fresh(
        &self,
        hash: Hashed,
        key: K,
        value: Option<&A>,
        location: &'static Location<'static>,
    ) -> Fresh<ValueEntry<K, A>> {
        let entry = ValueEntry { key, value: value.map(A::hold) };
        Node::fresh(self.table.core_or_new(), hash.position(), entry, location)
    }

    /// Takes out what `wanted` says, after another look each time that the key has changed meanwhile.
    pub(super) fn remove_where<Q: Equivalent<K> + ?Sized, R>(
        &self,
        guard: &Guard,
        hash: Hashed,
        q: &Q,
        later: &mut Later,
        mut wanted: impl FnMut(&K, &A) -> Option<R>,
    ) -> Option<(R, A)> {
        self.table.core()?;
        loop {
            let survey = self.survey(guard, hash, q);
            let (node, value) = survey.hit.as_ref()?;
            // SAFETY: the guard keeps the node.
            let wanted = wanted(unsafe { &node.as_ref().entry.key }, value);
            let unwanted = wanted.is_none();
            if let Some(r) = wanted
                && survey.remove(guard, later)
            {
                return survey.hit.map(|(_, value)| (r, value));
            }
            // SAFETY: an owner of its own.
            unsafe { later.keep(survey.hit.map(|(_, value)| value)) };
            if unwanted {
                return None;
            }
        }
    }
}

/// What a node is to a look-up of `q`.
#[inline]
fn look<'g, K, A: Pointer, Q: Equivalent<K> + ?Sized, R>(
    node: &'g Node<ValueEntry<K, A>>,
    q: &Q,
    take: &impl Fn(&'g Node<ValueEntry<K, A>>) -> Option<R>,
) -> Look<R> {
    if !q.equivalent(&node.entry.key) {
        return Look::Other;
    }
    match take(node) {
        Some(r) => Look::Hit(r),
        None => Look::Dead,
    }
}

/// What writers share; the faces in `value_face` pin, and pay what is owed.
impl<K: Eq, A: Pointer, S> WeakValueMap<K, A, S> {
    /// Puts the value there, whatever is there now. Returns that.
    pub(super) fn put(
        &self,
        mut node: Fresh<ValueEntry<K, A>>,
        hash: Hashed,
        guard: &Guard,
        later: &mut Later,
    ) -> Option<A> {
        loop {
            let survey = self.survey(guard, hash, &node.entry.key);
            let done = match survey.hit {
                Some(_) => survey.replace(node, guard, later),
                None => survey.insert(node, guard),
            };
            match done {
                Ok(()) => return survey.hit.map(|(_, old)| old),
                Err(back) => {
                    node = back;
                    // SAFETY: an owner of its own.
                    unsafe { later.keep(survey.hit.map(|(_, old)| old)) };
                }
            }
        }
    }

    /// Puts the value there if nothing is; else returns the live value that is, and the node.
    pub(super) fn put_if_absent(
        &self,
        mut node: Fresh<ValueEntry<K, A>>,
        hash: Hashed,
        guard: &Guard,
    ) -> Result<(), (A, Fresh<ValueEntry<K, A>>)> {
        loop {
            let survey = self.survey(guard, hash, &node.entry.key);
            match survey.hit {
                Some((_, there)) => return Err((there, node)),
                None => match survey.insert(node, guard) {
                    Ok(()) => return Ok(()),
                    Err(back) => node = back,
                },
            }
        }
    }

    /// Does what `f` says of what is there, after another look each time that the key has changed meanwhile.
    pub(super) fn compute_in(
        &self,
        mut key: K,
        hash: Hashed,
        guard: &Guard,
        later: &mut Later,
        location: &'static Location<'static>,
        mut f: impl FnMut(Option<A>) -> Compute<A>,
    ) -> Computed<A> {
        loop {
            let survey = self.survey(guard, hash, &key);
            let old = survey.hit.as_ref().map(|(_, old)| old.clone());
            let done = match f(old.clone()) {
                Compute::Keep => Computed::Kept(old),
                Compute::Insert(new) => {
                    let node = self.fresh(hash, key, Some(&new), location);
                    let done = match old {
                        Some(_) => survey.replace(node, guard, later),
                        None => survey.insert(node, guard),
                    };
                    match done {
                        Ok(()) => return Computed::Inserted { old, new },
                        Err(back) => key = back.into_entry().key,
                    }
                    // SAFETY: owners of their own.
                    unsafe {
                        later.keep(old);
                        later.keep(Some(new));
                    }
                    continue;
                }
                Compute::Remove => match old {
                    None => Computed::Kept(None),
                    Some(old) if survey.remove(guard, later) => Computed::Removed(old),
                    Some(old) => {
                        // SAFETY: an owner of its own.
                        unsafe { later.keep(Some(old)) };
                        continue;
                    }
                },
            };
            drop(key); // here, for a panic at the end would leak what is returned (rust-lang/rust#47949)
            return done;
        }
    }
}

#[cfg(weakly_loom)]
impl<K, A: Pointer, S> WeakValueMap<K, A, S> {
    /// The table itself, for the models.
    #[doc(hidden)]
    pub fn table(&self) -> &Table<ValueEntry<K, A>> {
        &self.table
    }
}
