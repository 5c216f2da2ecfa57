//! Guest mode: the same collections over `std::sync::Arc`.
//!
//! For objects that must stay in `std`'s `Arc`: because of `self: Arc<Self>` methods, because the compiler makes their
//! `Arc<dyn Trait>`, or because other crates want that very type (`tokio`'s `lock_owned`, `arc-swap`). Such an object embeds
//! an [`Anchor`], on which everything that watches it hangs, and says where it is ([`Anchored`]); then the aliases of this
//! module, and every generic collection ([`crate::generic`]), hold `std::sync::Arc<T>` weakly.
//!
//! ```
//! use std::sync::Arc;
//! use weakly::std_arc::{Anchor, Anchored, WeakValueMap};
//!
//! #[derive(Default)]
//! struct Session {
//!     name: String,
//!     anchor: Anchor,
//! }
//!
//! impl Anchored for Session {
//!     fn anchor(&self) -> &Anchor {
//!         &self.anchor
//!     }
//! }
//!
//! let sessions: WeakValueMap<u64, Session> = WeakValueMap::new();
//! let ann = Arc::new(Session { name: "ann".into(), ..Session::default() });
//! sessions.insert(7, &ann);
//! ann.anchor().observe(|| println!("ann has gone")).detach();
//! assert_eq!(sessions.get(&7).unwrap().name, "ann");
//! drop(ann);
//! assert!(sessions.get(&7).is_none() && sessions.is_empty());
//! ```
//!
//! # What differs
//!
//! `std`'s `Arc` tells nobody that its last owner has gone. What this crate sees is the drop of the anchor, a little later:
//! inside the value's own drop glue, or much later, if the value was moved out of its `Arc`.
//!
//! | | `weakly::Arc` | `std::sync::Arc` of an anchored value |
//! |---|---|---|
//! | upgrades, `get`, `contains_key`, iteration | fail from the death on | the same: they ask `std`'s count |
//! | entries leave, `len` follows | before anything else, before the last drop returns | when the anchor drops: after `T::drop`, before the last drop returns |
//! | inside `T::drop` | entries are out, callbacks have run | entries are still counted by `len`, though absent for every look-up |
//! | callbacks, finalizers | newest first, before `T::drop`; a callback may read the `&T` | newest first, among the fields' drops; `FnOnce()`, for the value is going |
//! | fields around the anchor | whole while callbacks run | those declared before it are dropped already, those after it not yet |
//! | `try_unwrap`, `into_inner`, `make_mut`'s move | a death: entries leave, callbacks run, at once | entries are absent at once and counted by `len` until the moved value drops, which is when callbacks run |
//! | the value put into a new `Arc` | a new object | a new object: old entries stay absent; callbacks, on the anchor, move along |
//! | a value that goes from one `Arc` to the next | – | keeps every old entry, absent, until its anchor drops: give it a fresh one, by `drop(mem::take(&mut value.anchor))` |
//! | `get_mut` | `None` while anything watches | `None` while an entry does; callbacks don't stand in its way |
//! | a value that is overwritten or forgotten | – | overwritten: its anchor drops, and callbacks run, with the `Arc` alive. Forgotten: they never run |
//! | deferred values, reads without a count | `Arc::new_deferred` | none: a [`Snapshot`] always holds a count |
//! | a panic in `T::drop` | goes on to whoever dropped the last owner, after entries and callbacks | the same, and entries and callbacks still come |
//! | `weak_count` | entries and callbacks, for a while | entries, for a while |
//! | deep nesting | destructors of watched objects are queued: a chain of any length is flat | callbacks are queued; a chain of fields recurses, like `std`'s |
//!
//! All else is as it is for the crate's own `Arc`: exactly once, by identity, no lock held while your code runs.
//!
//! # Types that are not yours
//!
//! A foreign type has no anchor; a wrapper holds both. Here is a lock a key, handed out as `tokio`'s owned guard:
//!
//! ```
//! use std::sync::Arc;
//! use tokio::sync::{Mutex, OwnedMutexGuard};
//! use weakly::std_arc::{Anchor, Anchored, WeakValueMap};
//!
//! #[derive(Default)]
//! struct Entry {
//!     lock: Arc<Mutex<u32>>,
//!     anchor: Anchor,
//! }
//!
//! impl Anchored for Entry {
//!     fn anchor(&self) -> &Anchor {
//!         &self.anchor
//!     }
//! }
//!
//! /// The lock of one key; the key's entry lives as long as somebody holds or awaits it.
//! struct Locked {
//!     value: OwnedMutexGuard<u32>,
//!     _entry: Arc<Entry>,
//! }
//!
//! async fn lock(locks: &WeakValueMap<String, Entry>, key: &str) -> Locked {
//!     let entry = locks.get_or_insert_with_ref(key, |_| Arc::default());
//!     Locked { value: entry.lock.clone().lock_owned().await, _entry: entry }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let locks = WeakValueMap::new();
//! let mut one = lock(&locks, "key").await;
//! *one.value += 1;
//! drop(one);
//! assert!(locks.is_empty());
//! # });
//! ```

mod anchor;
mod lookup;
mod observer;
mod pointer;
mod snapshot;

pub use anchor::{Anchor, Anchored};
pub use observer::Observer;
#[cfg(weakly_loom)]
pub use pointer::see_death;
pub use snapshot::Snapshot;

use crate::finalizer::Finalizer;
use crate::generic;
use std::hash::RandomState;
use std::sync::Arc;

/// A concurrent map from owned keys to anchored values held weakly: see [`generic::WeakValueMap`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weakly::std_arc::{Anchor, WeakValueMap};
///
/// let map: WeakValueMap<&str, Anchor> = WeakValueMap::new();
/// let value = map.get_or_insert_with("key", |_| Arc::default());
/// assert!(Arc::ptr_eq(&value, &map.get("key").unwrap()));
/// ```
pub type WeakValueMap<K, V, S = RandomState> = generic::WeakValueMap<K, Arc<V>, S>;

/// A concurrent map from anchored keys held weakly to values of its own: see [`generic::KeyMap`].
pub type WeakKeyMap<K, V, S = RandomState> = generic::WeakKeyMap<Arc<K>, V, S>;
/// As [`WeakKeyMap`], keys told apart by their addresses.
pub type PtrWeakKeyMap<K, V, S = RandomState> = generic::PtrWeakKeyMap<Arc<K>, V, S>;
/// A concurrent map from anchored objects to anchored objects, both held weakly: see [`generic::WeakMap`].
pub type WeakWeakMap<K, V, S = RandomState> = generic::WeakWeakMap<Arc<K>, Arc<V>, S>;
/// As [`WeakWeakMap`], keys told apart by their addresses.
pub type PtrWeakWeakMap<K, V, S = RandomState> = generic::PtrWeakWeakMap<Arc<K>, Arc<V>, S>;
/// A concurrent set of anchored elements held weakly: see [`generic::Set`].
pub type WeakSet<T, S = RandomState> = generic::WeakSet<Arc<T>, S>;
/// As [`WeakSet`], elements told apart by their addresses.
pub type PtrWeakSet<T, S = RandomState> = generic::PtrWeakSet<Arc<T>, S>;
/// Anchored objects held weakly, in order of insertion: see [`generic::WeakList`].
pub type WeakList<T> = generic::WeakList<Arc<T>>;
/// One anchored object for equal values: see [`generic::Interner`].
pub type Interner<T, S = RandomState> = generic::Interner<Arc<T>, S>;
/// An object of an [`Interner`]: see [`generic::Interned`].
pub type Interned<T> = generic::Interned<Arc<T>>;

/// [`finalize`](crate::finalize) for an anchored object: calls `call` once, when the object's anchor drops, or at process
/// exit if it never does.
///
/// As [`Anchor::finalize`] of the anchor that the object names now.
///
/// # Panics
///
/// If the object's [`anchor`](Anchored::anchor) does.
///
/// # Liveness
///
/// As [`finalize`](crate::finalize); runs none of your code but [`Anchored::anchor`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weakly::std_arc::{Anchor, finalize};
///
/// let object = Arc::new(Anchor::new());
/// let finalizer = finalize(&object, || println!("gone"));
/// drop(object);
/// assert!(!finalizer.is_alive());
/// ```
#[track_caller]
pub fn finalize<T, R>(arc: &Arc<T>, call: impl FnOnce() -> R + Send + 'static) -> Finalizer<R>
where
    T: ?Sized + Anchored,
    R: 'static,
{
    arc.anchor().finalize(call)
}
