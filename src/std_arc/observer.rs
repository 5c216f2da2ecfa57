//! `Observer`: the handle of a callback on an anchor.

use crate::ptr;
use std::fmt;

/// A callback that waits for an [`Anchor`](super::Anchor)'s drop: what [`observe`](super::Anchor::observe) returns.
///
/// Dropping it cancels the callback.
///
/// # Liveness
///
/// Dropping or cancelling it drops the callback's captures on this thread, with no lock held, unless it has run.
///
/// # Examples
///
/// ```
/// use weakly::std_arc::Anchor;
///
/// let anchor = Anchor::new();
/// let observer = anchor.observe(|| unreachable!());
/// assert!(observer.is_pending());
/// assert!(observer.cancel());
/// ```
#[must_use = "dropping the observer cancels it; call `detach` to keep it armed"]
pub struct Observer(ptr::Observer<()>);

impl Observer {
    /// The handle of a callback on an anchor's block.
    pub(super) fn new(observer: ptr::Observer<()>) -> Self {
        Observer(observer)
    }

    /// Cancels the callback. True: it has not run and never will. False: it has run, or is running.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::std_arc::Anchor;
    ///
    /// let anchor = Anchor::new();
    /// let observer = anchor.observe(|| ());
    /// drop(anchor);
    /// assert!(!observer.cancel());
    /// ```
    pub fn cancel(self) -> bool {
        self.0.cancel()
    }

    /// Leaves the callback armed, without a handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::std_arc::Anchor;
    ///
    /// let anchor = Anchor::new();
    /// anchor.observe(|| println!("gone")).detach();
    /// ```
    pub fn detach(self) {
        self.0.detach();
    }

    /// Is the callback still to run? Out of date as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::std_arc::Anchor;
    ///
    /// let anchor = Anchor::new();
    /// let observer = anchor.observe(|| ());
    /// drop(anchor);
    /// assert!(!observer.is_pending());
    /// ```
    pub fn is_pending(&self) -> bool {
        self.0.is_pending()
    }
}

impl fmt::Debug for Observer {
    /// Whether it still waits. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("pending", &self.is_pending()).finish_non_exhaustive()
    }
}
