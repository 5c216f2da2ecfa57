//! What the tests share: CPython's `Object`, callbacks that count, a log, maps of both kinds behind one trait, processes.

pub use crate::shared::{sized, together};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex};
use weakly::{Arc, WeakKeyMap, WeakValueMap};

/// CPython's `Object`: equal, ordered and hashed by its argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object<T = i32>(pub T);

impl<T> Object<T> {
    pub fn some_method(&self) -> i32 {
        4
    }

    pub fn other_method(&self) -> i32 {
        5
    }
}

/// An object.
pub fn object<T>(arg: T) -> Arc<Object<T>> {
    Arc::new(Object(arg))
}

/// How often something happened: `self.cbcalled`.
#[derive(Clone, Debug, Default)]
pub struct Count(StdArc<AtomicUsize>);

impl Count {
    pub fn get(&self) -> usize {
        self.0.load(SeqCst)
    }

    pub fn up(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// A callback that counts.
    pub fn callback<T: ?Sized>(&self) -> impl FnOnce(&T) + Send + 'static + use<T> {
        let count = self.clone();
        move |_| count.up()
    }
}

/// Counts when it is dropped.
pub struct Dropping(pub Count);

impl Drop for Dropping {
    fn drop(&mut self) {
        self.0.up();
    }
}

/// What happened, in order. A callback's panic is contained, so what it sees goes here, to be asserted outside.
#[derive(Clone)]
pub struct Log<E>(StdArc<Mutex<Vec<E>>>);

impl<E> Log<E> {
    pub fn new() -> Self {
        Log(StdArc::default())
    }

    pub fn push(&self, event: E) {
        self.0.lock().unwrap().push(event);
    }

    /// All so far, which it forgets.
    pub fn take(&self) -> Vec<E> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Has the type the trait?
macro_rules! impls {
    ($T:ty: $($Trait:tt)+) => {{
        #[allow(dead_code)]
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        trait No {
            const HAS: bool = false;
        }
        impl<T: ?Sized> No for Probe<T> {}
        // The inherent constant goes before the trait's, where there is one.
        #[allow(dead_code)]
        impl<T: ?Sized + $($Trait)+> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$T>>::HAS
    }};
}
pub(crate) use impls;

/// A panic that a test has planned, without a message on the terminal.
pub fn planned() -> ! {
    struct Planned;
    std::panic::resume_unwind(Box::new(Planned))
}

/// A small generator of numbers (a linear congruential one, its high bits).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }
}

/// What the bodies shared by CPython's two dictionaries ask of a map. What Python subscripts, tests with `in` and deletes are
/// the maps' `get`, `contains_key` and `remove`.
pub trait Dict: Default + Clone + PartialEq + Debug + Send + Sync {
    type K: Clone + Eq + Hash + Debug + Send + Sync;
    type V: Clone + Eq + Hash + Debug + Send + Sync;

    fn set(&self, key: &Self::K, value: &Self::V);
    fn at(&self, key: &Self::K) -> Option<Self::V>;
    fn has(&self, key: &Self::K) -> bool;
    fn pop(&self, key: &Self::K) -> Option<Self::V>;
    fn popitem(&self) -> Option<(Self::K, Self::V)>;
    fn setdefault(&self, key: &Self::K, value: &Self::V) -> Self::V;
    fn update(&self, items: impl IntoIterator<Item = (Self::K, Self::V)>);
    fn size(&self) -> usize;
    fn empty(&self) -> bool;
    fn clear_all(&self);
    fn items(&self) -> impl Iterator<Item = (Self::K, Self::V)>;
    fn keys(&self) -> impl Iterator<Item = Self::K>;
    fn values(&self) -> impl Iterator<Item = Self::V>;

    /// `dict(self)`.
    fn strong(&self) -> HashMap<Self::K, Self::V> {
        self.items().collect()
    }

    /// A pair of number `n`; the caller keeps it, and so the entry, alive.
    fn pair(n: i32) -> (Self::K, Self::V);
    /// The number of a pair.
    fn number(key: &Self::K) -> i32;
    /// The pair's object, which the map holds weakly.
    fn object(pair: &(Self::K, Self::V)) -> &Arc<Object>;
}

/// A `WeakValueDictionary`.
pub type Values = WeakValueMap<i32, Object>;
/// A `WeakKeyDictionary`.
pub type Keys = WeakKeyMap<Object, i32>;

impl Dict for Values {
    type K = i32;
    type V = Arc<Object>;

    fn set(&self, key: &i32, value: &Arc<Object>) {
        self.insert(*key, value);
    }
    fn at(&self, key: &i32) -> Option<Arc<Object>> {
        self.get(key)
    }
    fn has(&self, key: &i32) -> bool {
        self.contains_key(key)
    }
    fn pop(&self, key: &i32) -> Option<Arc<Object>> {
        self.remove(key)
    }
    fn popitem(&self) -> Option<(i32, Arc<Object>)> {
        WeakValueMap::pop(self)
    }
    fn setdefault(&self, key: &i32, value: &Arc<Object>) -> Arc<Object> {
        self.get_or_insert(*key, value.clone())
    }
    fn update(&self, items: impl IntoIterator<Item = (i32, Arc<Object>)>) {
        self.extend(items);
    }
    fn size(&self) -> usize {
        self.len()
    }
    fn empty(&self) -> bool {
        self.is_empty()
    }
    fn clear_all(&self) {
        self.clear();
    }
    fn items(&self) -> impl Iterator<Item = (i32, Arc<Object>)> {
        self.iter()
    }
    fn keys(&self) -> impl Iterator<Item = i32> {
        WeakValueMap::keys(self)
    }
    fn values(&self) -> impl Iterator<Item = Arc<Object>> {
        WeakValueMap::values(self)
    }
    fn pair(n: i32) -> (i32, Arc<Object>) {
        (n, object(n))
    }
    fn number(key: &i32) -> i32 {
        *key
    }
    fn object((_, value): &(i32, Arc<Object>)) -> &Arc<Object> {
        value
    }
}

impl Dict for Keys {
    type K = Arc<Object>;
    type V = i32;

    fn set(&self, key: &Arc<Object>, value: &i32) {
        drop(self.insert(key, *value));
    }
    fn at(&self, key: &Arc<Object>) -> Option<i32> {
        self.get(key)
    }
    fn has(&self, key: &Arc<Object>) -> bool {
        self.contains_key(key)
    }
    fn pop(&self, key: &Arc<Object>) -> Option<i32> {
        self.remove(key).map(|value| *value)
    }
    fn popitem(&self) -> Option<(Arc<Object>, i32)> {
        WeakKeyMap::pop(self).map(|(key, value)| (key, *value))
    }
    fn setdefault(&self, key: &Arc<Object>, value: &i32) -> i32 {
        self.get_or_insert(key, *value)
    }
    fn update(&self, items: impl IntoIterator<Item = (Arc<Object>, i32)>) {
        self.extend(items);
    }
    fn size(&self) -> usize {
        self.len()
    }
    fn empty(&self) -> bool {
        self.is_empty()
    }
    fn clear_all(&self) {
        self.clear();
    }
    fn items(&self) -> impl Iterator<Item = (Arc<Object>, i32)> {
        self.iter()
    }
    fn keys(&self) -> impl Iterator<Item = Arc<Object>> {
        WeakKeyMap::keys(self)
    }
    fn values(&self) -> impl Iterator<Item = i32> {
        WeakKeyMap::values(self)
    }
    fn pair(n: i32) -> (Arc<Object>, i32) {
        (object(n), n)
    }
    fn number(key: &Arc<Object>) -> i32 {
        key.0
    }
    fn object((key, _): &(Arc<Object>, i32)) -> &Arc<Object> {
        key
    }
}

/// Runs `program` in a process of its own, which is this binary again with this one `test` chosen; there it returns `None`.
///
/// What the process is to be judged by it says with [`say`], for the harness prints too.
pub fn in_a_child(test: &str, program: fn()) -> Option<Output> {
    const CHILD: &str = "WEAKLY_CPYTHON_CHILD";
    if std::env::var_os(CHILD).is_some() {
        program();
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, test);
    command.env("LSAN_OPTIONS", "detect_leaks=0"); // it ends in the midst of things
    Some(command.output().unwrap())
}

/// Says a line in a child.
pub fn say(line: &str) {
    println!("\n> {line}");
}

/// The lines that a child said.
pub fn said(output: &Output) -> Vec<&str> {
    std::str::from_utf8(&output.stdout).unwrap().lines().filter_map(|line| line.strip_prefix("> ")).collect()
}
