//! Proxies and weak methods: calling an object that may be gone, and saying so if it is.

mod call;
mod method;

pub use call::{Call, CallMethod};
pub use method::{BoundMethod, WeakMethod};

use crate::ptr::{Arc, Weak};
use std::error::Error;
use std::fmt;

/// The object is gone. CPython's `ReferenceError`.
///
/// # Examples
///
/// ```
/// assert_eq!(weakly::Dead.to_string(), "weakly-referenced object no longer exists");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dead;

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("weakly-referenced object no longer exists")
    }
}

impl Error for Dead {}

/// A weak pointer that is used in place of its object: what it does, it does to the object, or else it says [`Dead`]. CPython's
/// `proxy`.
///
/// Neither `Hash` nor `Eq`, as in CPython, where a proxy stands for a thing that may change; and no operators, which in Rust
/// could only panic on a dead object.
///
/// # Liveness
///
/// Each use holds the object alive for as long as it lasts. So if its last [`Arc`] goes meanwhile, the object dies when the use
/// ends, here.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, Dead, Proxy};
///
/// let list = Arc::new(vec![1, 2, 3]);
/// let proxy = Proxy::new(&list);
/// assert_eq!(proxy.with(|list| list.len()), Ok(3));
/// drop(list);
/// assert_eq!(proxy.with(|list| list.len()), Err(Dead));
/// ```
pub struct Proxy<T: ?Sized> {
    object: Weak<T>,
}

impl<T: ?Sized> Proxy<T> {
    /// A proxy of `arc`'s object.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Proxy};
    ///
    /// let proxy = Proxy::new(&Arc::new("gone at once"));
    /// assert!(!proxy.is_alive());
    /// ```
    pub fn new(arc: &Arc<T>) -> Self {
        Proxy { object: Arc::downgrade(arc) }
    }

    /// Shows the object to `f`.
    ///
    /// # Errors
    /// The object is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Proxy};
    ///
    /// let five = Arc::new(5);
    /// assert_eq!(Proxy::new(&five).with(|n| n + 1), Ok(6));
    /// ```
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Result<R, Dead> {
        self.get().map(|object| f(&object))
    }

    /// An owner of the object.
    ///
    /// # Errors
    /// The object is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Proxy};
    ///
    /// let five = Arc::new(5);
    /// assert_eq!(Proxy::new(&five).get(), Ok(five));
    /// ```
    pub fn get(&self) -> Result<Arc<T>, Dead> {
        self.object.upgrade().ok_or(Dead)
    }

    /// Is the object alive? Never upgrades.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Proxy};
    ///
    /// let five = Arc::new(5);
    /// assert!(Proxy::new(&five).is_alive());
    /// ```
    pub fn is_alive(&self) -> bool {
        self.object.is_alive()
    }

    /// Calls the object, a closure, say, with a tuple of arguments. CPython's `CallableProxyType`.
    ///
    /// # Errors
    /// The object is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Dead, Proxy};
    ///
    /// let add = Arc::new(|a: u32, b: u32| a + b);
    /// let proxy = Proxy::new(&add);
    /// assert_eq!(proxy.call((2, 3)), Ok(5));
    /// drop(add);
    /// assert_eq!(proxy.call((2, 3)), Err(Dead));
    /// ```
    pub fn call<Args>(&self, args: Args) -> Result<T::Output, Dead>
    where
        T: Call<Args>,
    {
        self.get().map(|object| object.call(args))
    }
}

impl<T: ?Sized> Clone for Proxy<T> {
    fn clone(&self) -> Self {
        Proxy { object: self.object.clone() }
    }
}

impl<T: ?Sized> From<Weak<T>> for Proxy<T> {
    fn from(object: Weak<T>) -> Self {
        Proxy { object }
    }
}

impl<T: ?Sized> fmt::Debug for Proxy<T> {
    /// The address, and whether the object is alive. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("object", &self.object).finish()
    }
}
