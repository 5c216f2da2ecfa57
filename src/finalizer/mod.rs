//! Finalizers: one call that an object's death, its owner, or the end of the process makes, whichever comes first.
//!
//! From below come the object's list of hooks, through which a death runs a finalizer, and the registry, which keeps it
//! when its handle is gone; above, users hold [`Finalizer`]s, and [`exit`] runs what never died. The protocol of one
//! finalizer is in [`handle`], that of an exit in [`exit`].

pub mod exit;
pub mod handle;
pub mod registry;

pub use handle::{Detached, Finalizer, FinalizerInfo};

use crate::ptr::{Arc, Observer};
use handle::Watch;
use std::panic::Location;

/// Calls `call` once: when `arc`'s object dies, or at process exit if it never does.
///
/// CPython's `weakref.finalize`. The finalizer knows its object weakly and outlives its handle: dropping the
/// [`Finalizer`] changes nothing. At death it runs in its place among the object's callbacks, newest first, while the
/// value is still whole; at exit, if its object is still alive (leaked, in a `static`, owned by a thread that goes on),
/// newest first among all (see [`exit`]). A panic in either is caught and reported
/// ([`exit::set_panic_hook`]), and what it returns is dropped.
///
/// What `call` captures is kept until it runs. If that is an `Arc` of the object itself, or leads to one, the object
/// lives until the process exits: capture what the clean-up needs (a path, a handle), not the object.
///
/// *O*(1); five small allocations and one entry in a sharded registry.
///
/// # Liveness
///
/// The caller's `Arc` keeps the object alive meanwhile. Runs none of your code; waits at most for one shard's lock,
/// under which none ever runs.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, finalize};
///
/// let path = std::env::temp_dir().join(format!("weakly-{}.spill", std::process::id()));
/// let spill = Arc::new(std::fs::File::create(&path)?);
/// finalize(&spill, {
///     let path = path.clone();
///     move || std::fs::remove_file(path)
/// });
/// assert!(path.exists());
/// drop(spill);
/// assert!(!path.exists());
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn finalize<T, R>(arc: &Arc<T>, call: impl FnOnce() -> R + Send + 'static) -> Finalizer<R>
where
    T: ?Sized + 'static,
    R: 'static,
{
    let location = Location::caller();
    Finalizer::register(Box::new(call), location, |at_death| {
        Box::new(Native(Observer::register_finalizer(arc, move |_| at_death.run(), location)))
    })
}

/// A finalizer's hook at an object of our own [`Arc`].
struct Native<T: ?Sized>(Observer<T>);

// SAFETY: an `Observer` isn't `Send` for every `T` because it hands `&T` to its function and gives upgrades. Here neither
// happens on the other thread: it is only asked whether the object is alive and dropped, which touches the block's counts
// and links (atomics), at most frees a block whose value is gone, and drops a function that is `Send`.
unsafe impl<T: ?Sized> Send for Native<T> {}

impl<T: ?Sized> Watch for Native<T> {
    fn is_alive(&self) -> bool {
        self.0.is_alive()
    }
}
