//! `WeakMethod`: a function of an object, which it holds weakly.

use super::{CallMethod, Dead};
use crate::ptr::{Arc, Observer, Weak};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc as Shared, Mutex, PoisonError};

/// A method of an object that it holds weakly: what an event bus keeps of its subscribers. CPython's `WeakMethod`.
///
/// The function is its own ([`new`](Self::new)) or held weakly too ([`of`](Self::of)). Clones are one method.
///
/// # Liveness
///
/// Two are equal if they are clones, or if both live and are of the same object and function: the same [`Arc`] of one, or one
/// without captures. The hash is the object's address, so it stays.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, Dead, WeakMethod};
///
/// let name = Arc::new("ann".to_string());
/// let starts = WeakMethod::new(&name, |name: &String, with: &str| name.starts_with(with));
/// assert_eq!(starts.call(("a",)), Ok(true));
/// drop(name);
/// assert_eq!(starts.call(("a",)), Err(Dead));
/// ```
pub struct WeakMethod<T: ?Sized, F>(Shared<Method<T, F>>);

struct Method<T: ?Sized, F> {
    object: Weak<T>,
    function: Function<Shared<F>, Weak<F>>,
    /// Told of the object's death, and of the function's: cancelled when the last clone goes.
    _told: (Option<Observer<T>>, Option<Observer<F>>),
}

/// A function of one's own, or an object like another.
enum Function<Own, Held> {
    Own(Own),
    Held(Held),
}

impl<T: ?Sized, F> WeakMethod<T, F> {
    /// A method that calls `function` with `arc`'s object.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let name = Arc::new("ann".to_string());
    /// assert_eq!(WeakMethod::new(&name, String::len).call(()), Ok(3));
    /// ```
    pub fn new(arc: &Arc<T>, function: F) -> Self {
        Self::make(arc, Function::Own(Shared::new(function)), (None, None))
    }

    /// A method that holds its function weakly as well: it is dead when either is.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Dead, WeakMethod};
    ///
    /// let (name, len) = (Arc::new("ann".to_string()), Arc::new(|name: &String| name.len()));
    /// let method = WeakMethod::of(&name, &len);
    /// assert_eq!(method.call(()), Ok(3));
    /// drop(len);
    /// assert_eq!(method.call(()), Err(Dead));
    /// ```
    pub fn of(arc: &Arc<T>, function: &Arc<F>) -> Self {
        Self::make(arc, Function::Held(Arc::downgrade(function)), (None, None))
    }

    /// As [`new`](Self::new); `on_death` runs at the object's death, unless every clone of the method went before.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// let name = Arc::new("ann".to_string());
    /// let method = WeakMethod::with_callback(&name, String::len, move |name| tx.send(name.clone()).unwrap());
    /// drop(name);
    /// assert_eq!(rx.recv().as_deref(), Ok("ann"));
    /// # drop(method);
    /// ```
    #[track_caller]
    pub fn with_callback(arc: &Arc<T>, function: F, on_death: impl FnOnce(&T) + Send + 'static) -> Self
    where
        T: 'static,
    {
        let told = Arc::observe(arc, on_death);
        Self::make(arc, Function::Own(Shared::new(function)), (Some(told), None))
    }

    /// As [`of`](Self::of); `on_death` runs once, at the death of the object or of the function, whichever is first, unless every
    /// clone of the method went before.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// let (name, len) = (Arc::new("ann".to_string()), Arc::new(|name: &String| name.len()));
    /// let method = WeakMethod::of_with_callback(&name, &len, move || tx.send(()).unwrap());
    /// drop(len);
    /// drop(name);
    /// assert_eq!(rx.try_iter().count(), 1);
    /// # drop(method);
    /// ```
    #[track_caller]
    pub fn of_with_callback(arc: &Arc<T>, function: &Arc<F>, on_death: impl FnOnce() + Send + 'static) -> Self
    where
        T: 'static,
        F: 'static,
    {
        let once = Shared::new(Mutex::new(Some(on_death)));
        let other = Shared::clone(&once);
        /// Calls, if the other death hasn't.
        fn run(once: &Mutex<Option<impl FnOnce()>>) {
            let call = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(call) = call {
                call();
            }
        }
        let told = (Arc::observe(arc, move |_| run(&once)), Arc::observe(function, move |_| run(&other)));
        Self::make(arc, Function::Held(Arc::downgrade(function)), (Some(told.0), Some(told.1)))
    }

    fn make(
        arc: &Arc<T>,
        function: Function<Shared<F>, Weak<F>>,
        told: (Option<Observer<T>>, Option<Observer<F>>),
    ) -> Self {
        WeakMethod(Shared::new(Method { object: Arc::downgrade(arc), function, _told: told }))
    }

    /// The method with an owner of its object; `None` if it is dead.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let name = Arc::new("ann".to_string());
    /// let bound = WeakMethod::new(&name, String::len).bind().unwrap();
    /// drop(name);
    /// assert_eq!(bound.call(()), 3);
    /// ```
    pub fn bind(&self) -> Option<BoundMethod<T, F>> {
        let object = self.0.object.upgrade()?;
        let function = match &self.0.function {
            Function::Own(function) => Function::Own(Shared::clone(function)),
            Function::Held(function) => Function::Held(function.upgrade()?),
        };
        Some(BoundMethod { object, function })
    }

    /// Calls the method with a tuple of arguments.
    ///
    /// # Errors
    /// It is dead.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let name = Arc::new("ann".to_string());
    /// let method = WeakMethod::new(&name, |name: &String, n: usize, m: usize| name.len() + n + m);
    /// assert_eq!(method.call((1, 2)), Ok(6));
    /// ```
    pub fn call<Args>(&self, args: Args) -> Result<F::Output, Dead>
    where
        F: CallMethod<T, Args>,
    {
        self.bind().map(|bound| bound.call(args)).ok_or(Dead)
    }

    /// Is it alive? Never upgrades.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let method = WeakMethod::new(&Arc::new("gone at once".to_string()), String::len);
    /// assert!(!method.is_alive());
    /// ```
    pub fn is_alive(&self) -> bool {
        let function = match &self.0.function {
            Function::Own(_) => true,
            Function::Held(function) => function.is_alive(),
        };
        function && self.0.object.is_alive()
    }

    /// Is it the same function, by identity? Of two without captures there is nothing to tell apart.
    fn is_same_function(&self, other: &Self) -> bool {
        size_of::<F>() == 0
            || match (&self.0.function, &other.0.function) {
                (Function::Own(a), Function::Own(b)) => Shared::ptr_eq(a, b),
                (Function::Held(a), Function::Held(b)) => a.ptr_eq(b),
                _ => false,
            }
    }
}

impl<T: ?Sized, F> Clone for WeakMethod<T, F> {
    fn clone(&self) -> Self {
        WeakMethod(Shared::clone(&self.0))
    }
}

impl<T: ?Sized, F> PartialEq for WeakMethod<T, F> {
    fn eq(&self, other: &Self) -> bool {
        Shared::ptr_eq(&self.0, &other.0)
            || self.0.object.ptr_eq(&other.0.object)
                && self.is_same_function(other)
                && self.is_alive()
                && other.is_alive()
    }
}

impl<T: ?Sized, F> Eq for WeakMethod<T, F> {}

impl<T: ?Sized, F> Hash for WeakMethod<T, F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.object.hash(state);
    }
}

impl<T: ?Sized, F> fmt::Debug for WeakMethod<T, F> {
    /// The address, and whether it is alive. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakMethod").field("object", &self.0.object).field("alive", &self.is_alive()).finish()
    }
}

/// A method with an owner of its object: what [`WeakMethod::bind`] returns.
pub struct BoundMethod<T: ?Sized, F> {
    object: Arc<T>,
    function: Function<Shared<F>, Arc<F>>,
}

impl<T: ?Sized, F> BoundMethod<T, F> {
    /// Calls the method with a tuple of arguments.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let name = Arc::new("ann".to_string());
    /// assert_eq!(WeakMethod::new(&name, String::len).bind().unwrap().call(()), 3);
    /// ```
    pub fn call<Args>(&self, args: Args) -> F::Output
    where
        F: CallMethod<T, Args>,
    {
        let function = match &self.function {
            Function::Own(function) => Shared::deref(function),
            Function::Held(function) => Arc::deref(function),
        };
        function.call_method(&self.object, args)
    }

    /// Its object.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakMethod};
    ///
    /// let name = Arc::new("ann".to_string());
    /// assert!(Arc::ptr_eq(WeakMethod::new(&name, String::len).bind().unwrap().this(), &name));
    /// ```
    pub fn this(&self) -> &Arc<T> {
        &self.object
    }
}

impl<T: ?Sized, F> Clone for BoundMethod<T, F> {
    fn clone(&self) -> Self {
        let function = match &self.function {
            Function::Own(function) => Function::Own(Shared::clone(function)),
            Function::Held(function) => Function::Held(Arc::clone(function)),
        };
        BoundMethod { object: Arc::clone(&self.object), function }
    }
}

impl<T: ?Sized, F> fmt::Debug for BoundMethod<T, F> {
    /// The address. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundMethod").field("object", &Arc::as_ptr(&self.object)).finish_non_exhaustive()
    }
}
