//! `Anchor`: what an object of `std`'s `Arc` embeds so that its death can be seen.
//!
//! # Parties and states
//!
//! The object's value, in which the anchor is a field; whoever watches it (entries, callbacks, finalizers). What they hang on
//! is a block of the crate's own, an `Arc<()>` whose one owner is the anchor: its hook list, its weak count, its death.
//! The word:
//!
//! | word | meaning |
//! |---|---|
//! | null | nothing was ever registered; nothing is allocated |
//! | pointer | the owned block, the same until the anchor drops |
//!
//! # Steps
//!
//! *Register*: read the word; if it is null, make a block and exchange it for the null; hook to the block. *Drop*: drop the
//! owner, which is the block's death, with all the steps that [`death`](crate::death) names: entries leave, callbacks run.
//! Entries and callbacks hold weak counts of the block, so it outlasts the anchor's own memory while anybody looks at it:
//! a death that walks its list, an owner of a node that unlinks it. A node's counts are given back through the epoch.
//!
//! The object itself is upgraded by `std`'s `Weak` and never by the block, whose owner nobody else can get at.
//!
//! # Races and who wins
//!
//! *register / register*: the exchange; the loser frees its block, which nobody has seen. *register / drop*: none, by the
//! borrow. Dropping takes `&mut Anchor`. A collection registers by an `&Arc<T>` that it holds for the whole operation, and
//! [`Anchored::anchor`], which must serve any lifetime of that borrow, can't have named what ends before it; the collection
//! asks it once, and from then on knows the block alone. *upgrade / death*: `std`'s word decides, before the anchor hears
//! of it. *look-up / the time between*: the entry is there and dead; see [`pointer`](super::pointer). That time may be long,
//! or for ever: `try_unwrap` moves the anchor out, and a value may be forgotten. An insert puts its own node beside such an
//! entry, and the map's drop unlinks it, so nothing waits for the anchor. *old entries / the value in a new `Arc`*: `std`'s
//! `Weak` names the old allocation, whose count never leaves 0 again; old and new entries hang on the same list, and the
//! one drop takes both out.
//!
//! # Orderings
//!
//! The word is released when the block is put there and acquired when it is read. All else is the block's.
//!
//! # What callers must not do
//!
//! Ask an object for its anchor twice for one registration: it may name another one.

use super::Observer;
use crate::death::call::contain;
use crate::death::hook::ObserverInfo;
use crate::finalizer::{self, Finalizer};
use crate::pointer::{Held, Hold};
use crate::ptr::Arc;
use crate::sync::{AtomicPtr, Ordering};
use std::cmp;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;

/// What an object of `std::sync::Arc` embeds so that it can be watched: a field of one word.
///
/// A new one allocates nothing; the first registration makes a small block. All anchors are equal, a clone is a fresh one,
/// and a hash passes it over, so that the type it is in can go on deriving.
///
/// Dropping it is the object's death as this crate sees it: entries leave, then callbacks and finalizers run, newest first, a
/// panic in one caught and reported ([`exit::set_panic_hook`](crate::exit::set_panic_hook)). It happens inside the drop glue
/// of the value it is in, in the order of the fields; see the [module](crate::std_arc) for what that means.
///
/// # Liveness
///
/// The drop takes no lock that is held while your code runs, and never panics.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weakly::std_arc::Anchor;
///
/// #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
/// struct Topic {
///     name: String,
///     anchor: Anchor,
/// }
///
/// let topic = Arc::new(Topic { name: "news".into(), anchor: Anchor::new() });
/// let (tx, rx) = std::sync::mpsc::channel();
/// topic.anchor.observe(move || tx.send("no more news").unwrap()).detach();
/// drop(topic);
/// assert_eq!(rx.recv(), Ok("no more news"));
/// ```
pub struct Anchor {
    /// Null, or the owner of a block: `Arc::into_raw`'s.
    block: AtomicPtr<()>,
}

/// A value that can be watched in a `std::sync::Arc`: it embeds an [`Anchor`].
///
/// # Examples
///
/// ```
/// use weakly::std_arc::{Anchor, Anchored};
///
/// struct Session {
///     anchor: Anchor,
/// }
///
/// impl Anchored for Session {
///     fn anchor(&self) -> &Anchor {
///         &self.anchor
///     }
/// }
/// ```
///
/// A supertrait makes trait objects watchable:
///
/// ```
/// use std::sync::Arc;
/// use weakly::std_arc::{Anchor, Anchored, WeakValueMap};
///
/// trait Handler: Anchored + Send + Sync {
///     fn handle(self: Arc<Self>) -> u32;
/// }
/// # struct Echo(u32, Anchor);
/// # impl Anchored for Echo {
/// #     fn anchor(&self) -> &Anchor {
/// #         &self.1
/// #     }
/// # }
/// # impl Handler for Echo {
/// #     fn handle(self: Arc<Self>) -> u32 {
/// #         self.0
/// #     }
/// # }
/// let handlers: WeakValueMap<&str, dyn Handler> = WeakValueMap::new();
/// let echo: Arc<dyn Handler> = Arc::new(Echo(5, Anchor::new()));
/// handlers.insert("echo", &echo);
/// assert_eq!(handlers.get("echo").unwrap().handle(), 5);
/// ```
///
/// A type without an anchor can't be held:
///
/// ```compile_fail
/// let map = weakly::std_arc::WeakValueMap::new();
/// map.insert(1, &std::sync::Arc::new("no anchor"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no anchor",
    note = "give it a field `anchor: weakly::std_arc::Anchor` and `impl Anchored`; a foreign type can't be a guest: wrap it, \
            or use `weakly::Arc`"
)]
pub trait Anchored {
    /// The anchor: the same one each time.
    ///
    /// Asked once a registration, before anything has changed; if it panics, so does the method that asked, and nothing has
    /// changed. If it names an anchor that isn't the value's own, the entry is taken out when that one drops, and until
    /// then, once the object is dead, counted though absent.
    fn anchor(&self) -> &Anchor;
}

impl Anchored for Anchor {
    fn anchor(&self) -> &Anchor {
        self
    }
}

impl Anchor {
    crate::sync::const_fn! {
        /// A fresh anchor. Allocates nothing.
        ///
        /// # Examples
        ///
        /// ```
        /// use weakly::std_arc::Anchor;
        ///
        /// static ANCHOR: Anchor = Anchor::new();
        /// assert_eq!(ANCHOR.observer_count(), 0);
        /// ```
        pub const fn new() -> Self {
            Anchor { block: AtomicPtr::new(null_mut()) }
        }
    }

    /// Calls `callback` when the anchor drops, unless the [`Observer`] is dropped or cancelled first.
    ///
    /// It runs inside the value's drop glue, newest first, with no lock and no guard held; a panic in it is caught and
    /// reported. It is not given the value, which is being destroyed. *O*(1); two allocations, and a third the first time.
    ///
    /// # Liveness
    ///
    /// The borrow keeps the anchor meanwhile. Runs none of your code.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weakly::std_arc::Anchor;
    ///
    /// let object = Arc::new(Anchor::new());
    /// let observer = object.observe(|| println!("gone"));
    /// drop(object);
    /// assert!(!observer.cancel()); // it has run
    /// ```
    #[track_caller]
    pub fn observe(&self, callback: impl FnOnce() + Send + 'static) -> Observer {
        Observer::new(Arc::observe(&self.owner(), move |&()| callback()))
    }

    /// [`finalize`](crate::finalize) for this anchor: calls `call` once, when the anchor drops, or at process exit if it
    /// never does.
    ///
    /// # Liveness
    ///
    /// As [`finalize`](crate::finalize).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::std_arc::Anchor;
    ///
    /// let anchor = Anchor::new();
    /// let finalizer = anchor.finalize(|| "done");
    /// assert_eq!(finalizer.call(), Some("done"));
    /// ```
    #[track_caller]
    pub fn finalize<R: 'static>(&self, call: impl FnOnce() -> R + Send + 'static) -> Finalizer<R> {
        finalizer::finalize(&self.owner(), call)
    }

    /// How many callbacks, entries and finalizers watch this anchor: CPython's `getweakrefcount`. *O*(n).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::std_arc::Anchor;
    ///
    /// let anchor = Anchor::new();
    /// let _observer = anchor.observe(|| ());
    /// assert_eq!(anchor.observer_count(), 1);
    /// ```
    pub fn observer_count(&self) -> usize {
        self.owned().map_or(0, |owner| Arc::observer_count(&owner))
    }

    /// What watches this anchor and where it was registered, newest first: CPython's `getweakrefs`. *O*(n).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{ObserverKind, std_arc::Anchor};
    ///
    /// let anchor = Anchor::new();
    /// let _observer = anchor.observe(|| ());
    /// assert_eq!(anchor.observers()[0].kind, ObserverKind::Callback);
    /// assert_eq!(anchor.observers()[0].location.file(), file!());
    /// ```
    pub fn observers(&self) -> Vec<ObserverInfo> {
        self.owned().map_or_else(Vec::new, |owner| Arc::observers(&owner))
    }

    /// One weak count of the block, for a node.
    pub(crate) fn hold(&self) -> Held<()> {
        Arc::hold(&self.owner())
    }

    /// The block's owner, lent, if there is a block.
    fn owned(&self) -> Option<ManuallyDrop<Arc<()>>> {
        // Acquire: pairs with the Release in `owner`.
        let block = self.block.load(Ordering::Acquire);
        // SAFETY: of `into_raw`, and the anchor keeps the count until it drops, which is after the borrow; this copy never
        // gives it back.
        (!block.is_null()).then(|| ManuallyDrop::new(unsafe { Arc::from_raw(block) }))
    }

    /// The block's owner, lent; made now if need be.
    fn owner(&self) -> ManuallyDrop<Arc<()>> {
        if let Some(owner) = self.owned() {
            return owner;
        }
        let new = Arc::new(());
        let block = Arc::as_ptr(&new).cast_mut();
        // Release: the block's content comes with the pointer. Acquire on failure: as in `owned`.
        match self.block.compare_exchange(null_mut(), block, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => ManuallyDrop::new(new), // whose count is the anchor's now
            // SAFETY: as in `owned`: not null, for only null is ever exchanged for something.
            Err(won) => ManuallyDrop::new(unsafe { Arc::from_raw(won) }),
        }
    }
}

impl Drop for Anchor {
    #[inline]
    fn drop(&mut self) {
        // Relaxed: `&mut self`, so every registration came before.
        let block = self.block.load(Ordering::Relaxed);
        if !block.is_null() {
            // SAFETY: of `into_raw`, and this is the end of the anchor, whose count it is.
            let owner = unsafe { Arc::from_raw(block) };
            // Contained, for a panic here would abort if the value's own destructor is unwinding already: callbacks never
            // unwind, but this may be the outermost death of others, queued while they ran.
            contain(|| drop(owner));
        }
    }
}

impl Default for Anchor {
    /// A fresh anchor.
    fn default() -> Self {
        Anchor::new()
    }
}

impl Clone for Anchor {
    /// A fresh anchor: a clone of an object is another object.
    fn clone(&self) -> Self {
        Anchor::new()
    }

    /// Nothing: the object that is overwritten by a clone's content stays itself.
    fn clone_from(&mut self, _: &Self) {}
}

impl PartialEq for Anchor {
    /// All anchors are equal.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Anchor {}

impl PartialOrd for Anchor {
    /// All anchors are equal.
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Anchor {
    /// All anchors are equal.
    fn cmp(&self, _: &Self) -> cmp::Ordering {
        cmp::Ordering::Equal
    }
}

impl Hash for Anchor {
    /// Feeds nothing: all anchors are equal.
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Anchor {
    /// How many watch it. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anchor").field("observers", &self.observer_count()).finish()
    }
}
