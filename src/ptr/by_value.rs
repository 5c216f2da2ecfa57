//! `ByValue`: a weak pointer that compares as CPython's weak references do.

use super::{Arc, Weak};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

/// A weak pointer with CPython's equality: two are equal if their values are, while both live, and by identity after.
///
/// The hash is the value's, taken once at creation, so a dead one is still found (and removed) where it was put. Hashes and
/// comparisons of one process fit together; they are not for storing.
///
/// # Liveness
///
/// Hashing touches neither object nor user code. `==` upgrades both sides for as long as it compares, so it runs the values'
/// `==`, and, if the last [`Arc`] goes meanwhile, that object's callbacks and destructor: don't compare under a lock that
/// these take.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use weakly::{Arc, ByValue};
///
/// let a = Arc::new(String::from("x"));
/// let b = Arc::new(String::from("x"));
/// let seen = HashMap::from([(ByValue::new(&a), 1)]);
/// assert_eq!(seen.get(&ByValue::new(&b)), Some(&1));
///
/// let gone = ByValue::new(&a);
/// drop(a);
/// assert_eq!(seen.get(&ByValue::new(&b)), None); // nothing live is equal to a dead object
/// assert_eq!(seen.get(&gone), Some(&1)); // but the object itself
/// ```
pub struct ByValue<T: ?Sized> {
    hash: u64,
    weak: Weak<T>,
}

impl<T: ?Sized + Hash> ByValue<T> {
    /// A weak pointer to `arc`'s object. Hashes the value, this once.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, ByValue};
    ///
    /// assert_eq!(ByValue::new(&Arc::new(5)), ByValue::new(&Arc::new(5)));
    /// ```
    pub fn new(arc: &Arc<T>) -> Self {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        ByValue { hash: SEED.hash_one(&**arc), weak: Arc::downgrade(arc) }
    }
}

impl<T: ?Sized> ByValue<T> {
    /// An owner, if the object is alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, ByValue};
    ///
    /// let a = Arc::new(5);
    /// assert_eq!(ByValue::new(&a).upgrade(), Some(a));
    /// ```
    pub fn upgrade(&self) -> Option<Arc<T>> {
        self.weak.upgrade()
    }

    /// The plain weak pointer, which compares by identity.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, ByValue};
    ///
    /// let a = Arc::new(5);
    /// assert!(ByValue::new(&a).as_weak().is_alive());
    /// ```
    pub fn as_weak(&self) -> &Weak<T> {
        &self.weak
    }
}

impl<T: ?Sized> Clone for ByValue<T> {
    fn clone(&self) -> Self {
        ByValue { hash: self.hash, weak: self.weak.clone() }
    }
}

impl<T: ?Sized + PartialEq> PartialEq for ByValue<T> {
    /// The values' `==` while both live; else whether both are of the same object.
    fn eq(&self, other: &Self) -> bool {
        match (self.upgrade(), other.upgrade()) {
            (Some(a), Some(b)) => a == b,
            _ => self.weak == other.weak,
        }
    }
}

impl<T: ?Sized + Eq> Eq for ByValue<T> {}

impl<T: ?Sized> Hash for ByValue<T> {
    /// The value's hash at creation.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<T: ?Sized> fmt::Debug for ByValue<T> {
    /// As the [`Weak`]: the address and whether it is alive. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByValue").field(&self.weak).finish()
    }
}
