//! `Interner`: one object for equal values, as long as anybody uses it.

use super::interned::{Intern, Interned};
use super::iter::{KeysOnly, Walk};
use super::key_entry::KeyEntry;
use super::live::after;
use super::lookup::ByEq;
use super::options::{Builder, Collection, Stats};
use super::set::WeakSet;
use crate::pointer::Pointer;
use equivalent::Equivalent;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::iter::FusedIterator;

/// Makes one object of equal values, and forgets it with its last user: no table grows for ever, and equal values compare by
/// address.
///
/// # Liveness
///
/// A hit allocates nothing and waits for no writer. There is one winner for all who intern equal values at once, but a loser may
/// have made an object too. As [`WeakSet`] otherwise.
///
/// # Examples
///
/// ```
/// use weakly::Interner;
///
/// let names: Interner<str> = Interner::new();
/// let ann = names.intern("ann");
/// assert_eq!(ann, names.intern(String::from("ann")));
/// assert_eq!(names.len(), 1);
/// drop(ann);
/// assert!(names.is_empty());
/// ```
pub struct Interner<A: Pointer, S = RandomState> {
    set: WeakSet<A, S>,
}

impl<A: Pointer> Interner<A> {
    /// An empty interner. Allocates nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::new();
    /// assert!(names.is_empty());
    /// ```
    pub fn new() -> Self {
        Interner { set: WeakSet::new() }
    }

    /// An empty interner with room for `capacity` objects.
    ///
    /// # Panics
    /// If there is no memory, or no table, of that size.
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::with_capacity(100);
    /// assert!(names.stats().capacity >= 100);
    /// ```
    pub fn with_capacity(capacity: usize) -> Self {
        Interner { set: WeakSet::with_capacity(capacity) }
    }

    /// A builder, for hasher, capacity and shards.
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::builder().shards(2).build();
    /// assert!(names.is_empty());
    /// ```
    pub fn builder() -> Builder<Self> {
        Builder::new(RandomState::new())
    }
}

impl<A: Pointer, S> Interner<A, S> {
    crate::sync::const_fn! {
        /// An empty interner that hashes by `hasher`. Allocates nothing; `const`, so it can be a static.
        ///
        /// # Examples
        ///
        /// ```
        /// use std::hash::{BuildHasherDefault, DefaultHasher};
        /// use weakly::Interner;
        ///
        /// static NAMES: Interner<str, BuildHasherDefault<DefaultHasher>> = Interner::with_hasher(BuildHasherDefault::new());
        /// assert!(NAMES.is_empty());
        /// ```
        pub const fn with_hasher(hasher: S) -> Self {
            Interner { set: WeakSet::with_hasher(hasher) }
        }
    }

    /// An empty interner with room for `capacity` objects that hashes by `hasher`.
    ///
    /// # Panics
    /// If there is no memory, or no table, of that size.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::RandomState;
    ///
    /// let names: weakly::Interner<str> = weakly::Interner::with_capacity_and_hasher(100, RandomState::new());
    /// assert!(names.stats().capacity >= 100);
    /// ```
    pub fn with_capacity_and_hasher(capacity: usize, hasher: S) -> Self {
        Interner { set: WeakSet::with_capacity_and_hasher(capacity, hasher) }
    }

    /// Live objects: exact when quiet. *O*(shards).
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::new();
    /// let _ann = names.intern("ann");
    /// assert_eq!(names.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Is there no live object?
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(weakly::Interner::<str>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Figures: exact when quiet. *O*(shards).
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::new();
    /// drop(names.intern("gone at once"));
    /// assert_eq!(names.stats().died, 1);
    /// ```
    pub fn stats(&self) -> Stats {
        self.set.stats()
    }

    /// Panics if something is wrong inside. For tests: nobody else is at work on it.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.set.validate();
    }

    /// Gives back all room that the live objects don't need.
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::with_capacity(1_000);
    /// names.shrink_to_fit();
    /// assert_eq!(names.stats().capacity, 0);
    /// ```
    pub fn shrink_to_fit(&self) {
        self.set.shrink_to_fit();
    }

    /// What the interner hashes by.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    ///
    /// let names: weakly::Interner<str> = weakly::Interner::new();
    /// let hash = names.hasher().hash_one("ann");
    /// ```
    pub fn hasher(&self) -> &S {
        self.set.hasher()
    }

    /// Iterates over the live objects.
    ///
    /// # Liveness
    ///
    /// As [`WeakSet::iter`](super::Set::iter).
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::new();
    /// let ann = names.intern("ann");
    /// assert_eq!(names.iter().collect::<Vec<_>>(), [ann]);
    /// ```
    pub fn iter(&self) -> InternerIter<'_, A> {
        InternerIter(self.set.iter())
    }

    /// The object of this value, if there is one. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`WeakSet::get`](super::Set::get).
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<String> = weakly::Interner::new();
    /// let ann = names.intern("ann".to_string());
    /// assert_eq!((names.get("ann"), names.get("bob")), (Some(ann), None));
    /// ```
    pub fn get<Q: Hash + Equivalent<A::Target> + ?Sized>(&self, q: &Q) -> Option<Interned<A>>
    where
        S: BuildHasher,
    {
        self.set.get_value(q).map(Interned::new)
    }
}

impl<A: Pointer<Target: Hash + Eq + 'static>, S: BuildHasher> Interner<A, S> {
    /// The object that equals `value`, or else one made of it: a `&str` or a `String` for an `Interner<str>`. For a borrowed form
    /// of a sized object, a `&str` for an `Interner<String>`, say, see [`intern_ref`](Self::intern_ref).
    ///
    /// # Panics
    /// As [`WeakSet::insert`](super::Set::insert).
    ///
    /// # Liveness
    ///
    /// A hit makes no pointer of `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::new();
    /// assert_eq!(names.intern("ann"), names.intern("ann".to_string()));
    /// ```
    #[track_caller]
    pub fn intern<B: Borrow<A::Target> + Into<A>>(&self, value: B) -> Interned<A> {
        Interned::new(self.set.get_or_insert(value))
    }

    /// The object that `q` stands for, or else one made of a copy of it.
    ///
    /// # Panics
    /// As [`intern`](Self::intern).
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<String> = weakly::Interner::new();
    /// assert_eq!(names.intern_ref("ann"), names.intern_ref(&"ann".to_string()));
    /// ```
    #[track_caller]
    pub fn intern_ref<Q: Hash + Equivalent<A::Target> + ?Sized>(&self, q: &Q) -> Interned<A>
    where
        A: Intern<Q>,
    {
        self.intern_with(q, A::make)
    }

    /// The object that `q` stands for, or else what `make` makes of it.
    ///
    /// # Panics
    /// As [`intern`](Self::intern), and if `make` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Interner};
    ///
    /// let names: Interner<String> = Interner::new();
    /// let ann = names.intern_with("ann", |name| Arc::new(name.to_string()));
    /// assert_eq!(names.get("ann"), Some(ann));
    /// ```
    #[track_caller]
    pub fn intern_with<Q: Hash + Equivalent<A::Target> + ?Sized>(
        &self,
        q: &Q,
        make: impl FnOnce(&Q) -> A,
    ) -> Interned<A> {
        Interned::new(self.set.get_or_insert_with(q, make))
    }

    /// [`intern`](Self::intern) of a box.
    ///
    /// # Panics
    /// As [`intern`](Self::intern).
    ///
    /// # Examples
    ///
    /// ```
    /// let names: weakly::Interner<str> = weakly::Interner::new();
    /// assert_eq!(names.intern_box("ann".into()), names.intern("ann"));
    /// ```
    #[track_caller]
    pub fn intern_box(&self, value: Box<A::Target>) -> Interned<A>
    where
        A: From<Box<A::Target>>,
    {
        match self.set.get_value(&*value) {
            Some(there) => Interned::new(after(value, there)),
            None => Interned::new(self.set.canonical(value.into())),
        }
    }

    /// The object that equals this one, or else this very one.
    ///
    /// # Panics
    /// As [`intern`](Self::intern).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Interned, Interner};
    ///
    /// let names: Interner<str> = Interner::new();
    /// let ann: Arc<str> = Arc::from("ann");
    /// assert!(Arc::ptr_eq(Interned::as_arc(&names.intern_arc(ann.clone())), &ann));
    /// ```
    #[track_caller]
    pub fn intern_arc(&self, value: A) -> Interned<A> {
        Interned::new(self.set.canonical(value))
    }
}

impl<A: Pointer, S> Collection for Interner<A, S> {
    type Entry = KeyEntry<A, (), ByEq>;
    type Hasher = S;
    type With<S2> = Interner<A, S2>;

    fn of(parts: super::base::Parts<Self::Entry, S>) -> Self {
        Interner { set: Collection::of(parts) }
    }
}

impl<A: Pointer, S: Default> Default for Interner<A, S> {
    /// An empty interner. Allocates nothing.
    fn default() -> Self {
        Interner { set: WeakSet::default() }
    }
}

impl<A: Pointer<Target: fmt::Debug>, S> fmt::Debug for Interner<A, S> {
    /// The live objects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(f)
    }
}

/// Iterator over the live objects of an interner: what [`Interner::iter`] returns.
#[must_use]
pub struct InternerIter<'a, A: Pointer>(Walk<'a, KeyEntry<A, (), ByEq>, KeysOnly>);

impl<A: Pointer> Iterator for InternerIter<'_, A> {
    type Item = Interned<A>;
    fn next(&mut self) -> Option<Interned<A>> {
        self.0.next().map(Interned::new)
    }
}

impl<A: Pointer> FusedIterator for InternerIter<'_, A> {}

#[cfg(feature = "rayon")]
impl<A: Pointer> super::Split for InternerIter<'_, A> {
    fn split(&mut self) -> Option<Self> {
        self.0.split().map(InternerIter)
    }
}

impl<A: Pointer> fmt::Debug for InternerIter<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InternerIter").finish_non_exhaustive()
    }
}

impl<'a, A: Pointer, S> IntoIterator for &'a Interner<A, S> {
    type Item = Interned<A>;
    type IntoIter = InternerIter<'a, A>;
    fn into_iter(self) -> InternerIter<'a, A> {
        self.iter()
    }
}
