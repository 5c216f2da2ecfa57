//! Objects, pointers of either kind, their owners; and how user code tells the machine that is running.

use std::any::Any;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc as StdArc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering::SeqCst};
use weakly::std_arc::{self, Anchor, Anchored};
use weakly::{Arc, ByPointer, Cause, Equivalent, Finalizer, Lookup, Observer, Pointer, finalize};

/// Objects, and owned keys, are named by small numbers.
pub type Id = u32;

/// What is held weakly. As a key it is its class, or itself.
pub struct Object {
    pub id: Id,
    pub class: u8,
    /// Owners of other objects.
    pub children: Mutex<Vec<Box<dyn Any + Send>>>,
    anchor: Anchor,
    _end: End,
    _counted: Counted,
}

/// An object's last field: when it drops, all of the object has.
struct End(Id);

impl Object {
    pub fn new(id: Id, class: u8) -> Self {
        Object {
            id,
            class,
            children: Mutex::default(),
            anchor: Anchor::new(),
            _end: End(id),
            _counted: Counted::new(&OBJECTS),
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.class == other.class
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.class.hash(state);
    }
}

impl Anchored for Object {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        tell(|machine| machine.destroyed(self.id));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        tell(|machine| machine.gone(self.0));
    }
}

/// A key that is looked up by its class alone.
#[derive(Hash)]
pub struct Class(pub u8);

impl Equivalent<Object> for Class {
    fn equivalent(&self, object: &Object) -> bool {
        self.0 == object.class
    }
}

impl Equivalent<Name> for Class {
    fn equivalent(&self, name: &Name) -> bool {
        self.0 == name.class
    }
}

/// A key that a map owns: a class, and which of the keys of that class it is.
#[derive(Debug)]
pub struct Name {
    pub id: Id,
    pub class: u8,
    _counted: Counted,
}

impl Name {
    pub fn new(id: Id, class: u8) -> Self {
        Name { id, class, _counted: Counted::new(&NAMES) }
    }
}

impl Clone for Name {
    fn clone(&self) -> Self {
        Name::new(self.id, self.class)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.class == other.class
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.class.hash(state);
    }
}

/// Objects, owned keys, and captures of callbacks, that were made and not dropped.
static OBJECTS: AtomicIsize = AtomicIsize::new(0);
static NAMES: AtomicIsize = AtomicIsize::new(0);
/// Of callbacks and finalizers.
pub static CAPTURES: AtomicIsize = AtomicIsize::new(0);

/// How many of each there are.
pub fn counts() -> [isize; 3] {
    [&OBJECTS, &NAMES, &CAPTURES].map(|count| count.load(SeqCst))
}

/// Are there more of any than there were? There may be fewer, if a run before failed.
pub fn is_more(before: [isize; 3]) -> bool {
    counts().iter().zip(before).any(|(now, before)| *now > before)
}

/// One more of something, as long as it lives.
#[derive(Debug)]
pub struct Counted(&'static AtomicIsize);

impl Counted {
    /// One more.
    pub fn new(of: &'static AtomicIsize) -> Self {
        of.fetch_add(1, SeqCst);
        Counted(of)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A pointer of either kind.
pub trait Kind:
    Pointer<Target = Object, Weak: Send + Sync>
    + Lookup<Object, ByPointer>
    + Lookup<Object, ByPointer, ByPointer>
    + From<Object>
    + Borrow<Object>
    + Send
    + Sync
    + 'static
{
    /// Does the crate know of a death before anybody else does?
    const NATIVE: bool;

    /// An object whose destructor waits for a grace period, if there is such a thing.
    fn deferred(object: Object) -> Self;
    /// The value, if this is the only owner.
    fn take_out(self) -> Option<Object>;
    /// A callback at death.
    fn observe(&self, call: impl FnOnce() + Send + 'static) -> Box<dyn Watch>;
    /// A finalizer.
    fn finalize(&self, call: impl FnOnce() + Send + 'static) -> Finalizer<()>;
    /// Where the object is.
    fn place(weak: &Self::Weak) -> usize;
}

impl Kind for Arc<Object> {
    const NATIVE: bool = true;

    fn deferred(object: Object) -> Self {
        Arc::new_deferred(object)
    }
    fn take_out(self) -> Option<Object> {
        Arc::into_inner(self)
    }
    fn observe(&self, call: impl FnOnce() + Send + 'static) -> Box<dyn Watch> {
        Box::new(Arc::observe(self, move |object| {
            let _whole = object.class;
            call();
        }))
    }
    fn finalize(&self, call: impl FnOnce() + Send + 'static) -> Finalizer<()> {
        finalize(self, call)
    }
    fn place(weak: &Self::Weak) -> usize {
        weak.as_ptr().addr()
    }
}

impl Kind for StdArc<Object> {
    const NATIVE: bool = false;

    fn deferred(object: Object) -> Self {
        StdArc::new(object)
    }
    fn take_out(self) -> Option<Object> {
        StdArc::into_inner(self)
    }
    fn observe(&self, call: impl FnOnce() + Send + 'static) -> Box<dyn Watch> {
        Box::new(self.anchor().observe(call))
    }
    fn finalize(&self, call: impl FnOnce() + Send + 'static) -> Finalizer<()> {
        self.anchor().finalize(call)
    }
    fn place(weak: &Self::Weak) -> usize {
        weak.as_ptr().addr()
    }
}

/// The handle of a callback.
pub trait Watch {
    fn cancel(self: Box<Self>) -> bool;
    fn detach(self: Box<Self>);
    fn is_pending(&self) -> bool;
}

macro_rules! watch {
    ($($Observer:ty),*) => { $(
        impl Watch for $Observer {
            fn cancel(self: Box<Self>) -> bool {
                (*self).cancel()
            }
            fn detach(self: Box<Self>) {
                (*self).detach();
            }
            fn is_pending(&self) -> bool {
                self.is_pending()
            }
        }
    )* };
}

watch!(Observer<Object>, std_arc::Observer);

/// A strong pointer, which the oracle counts; empty once it is given away.
pub struct Owner<A: Kind>(Option<A>);

impl<A: Kind> Owner<A> {
    /// A pointer that the crate has handed out.
    pub fn adopt(arc: A) -> Self {
        tell(|machine| machine.took(arc.id));
        Owner(Some(arc))
    }

    /// The pointer, for the crate to hold or to drop.
    pub fn give(mut self) -> A {
        tell(|machine| machine.let_go(self.id));
        self.0.take().expect("it is given away once")
    }
}

impl<A: Kind> std::ops::Deref for Owner<A> {
    type Target = A;
    fn deref(&self) -> &A {
        self.0.as_ref().expect("it is given away with its owner")
    }
}

impl<A: Kind> Clone for Owner<A> {
    fn clone(&self) -> Self {
        Owner::adopt(A::clone(self))
    }
}

impl<A: Kind> Drop for Owner<A> {
    fn drop(&mut self) {
        if let Some(arc) = &self.0 {
            tell(|machine| machine.let_go(arc.id)); // and then the pointer goes
        }
    }
}

/// What user code tells the machine that is running.
pub trait Events {
    /// An owner came.
    fn took(&self, id: Id);
    /// An owner is about to go.
    fn let_go(&self, id: Id);
    /// An object's destructor is running.
    fn destroyed(&self, id: Id);
    /// An object's last field has gone.
    fn gone(&self, id: Id);
    /// A callback or finalizer was called.
    fn called(&self, watcher: usize);
    /// An entry has left.
    fn left(&self, map: usize, key: Id, cause: Cause);
    /// What lies at an address.
    fn id_at(&self, address: usize) -> Id;
}

thread_local! {
    static MACHINE: RefCell<Option<Rc<dyn Events>>> = const { RefCell::new(None) };
}

/// Tells the machine, if one is running.
pub fn tell<R: Default>(what: impl FnOnce(&dyn Events) -> R) -> R {
    let machine = MACHINE.try_with(|machine| machine.borrow().clone()).ok().flatten();
    machine.filter(|_| !std::thread::panicking()).map(|machine| what(&*machine)).unwrap_or_default()
}

/// Which object a weak pointer points to.
pub fn id_of<A: Kind>(weak: &A::Weak) -> Id {
    tell(|machine| machine.id_at(A::place(weak)))
}

/// The machine that user code tells, until this is dropped.
pub struct Running;

impl Running {
    pub fn start(machine: Rc<dyn Events>) -> Self {
        MACHINE.set(Some(machine));
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        MACHINE.take();
    }
}
