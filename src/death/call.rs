//! How a death calls user code: one panic stops nothing else, and a chain of deaths doesn't eat the stack.
//!
//! Deaths nest when a callback or a destructor drops a last `Arc`. Up to [`NESTED_DEATHS`] run inside one another; a deeper
//! one of a *hooked* object leaves its callbacks and destructor to the outermost, which runs them before its own drop
//! returns. Hooked objects are `'static`, so the delay is sound; a plain object is always destroyed at once, like `std`'s.
//!
//! The queue lives in the outermost frame; the thread-local is only a pointer to it and has no destructor, so all this
//! works while a thread's other thread-locals are being destroyed.

use crate::sync::{NESTED_DEATHS, thread_local};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null;
use std::sync::Arc;

/// A caught panic.
pub type Panic = Box<dyn Any + Send>;

/// What the user wants told of caught panics.
pub type PanicHook = dyn Fn(Panic) + Send + Sync;

static PANIC_HOOK: std::sync::Mutex<Option<Arc<PanicHook>>> = std::sync::Mutex::new(None);

/// From now on `hook` is told of every panic that the crate catches.
pub fn set_panic_hook(hook: Arc<PanicHook>) {
    let old = PANIC_HOOK.lock().unwrap_or_else(|e| e.into_inner()).replace(hook);
    drop(old); // the guard is gone: a hook's destructor is user code
}

/// Tells the user of a caught panic. The standard panic hook has printed its message already.
pub fn report(panic: Panic) {
    let hook = PANIC_HOOK.lock().unwrap_or_else(|e| e.into_inner()).clone();
    let told = catch_unwind(AssertUnwindSafe(|| match hook {
        Some(hook) => hook(panic),
        None => drop(panic),
    }));
    // A payload may panic when it is dropped, and so may what that throws: this one is left alone.
    std::mem::forget(told);
}

/// Runs user code whose panic is nobody's to handle here.
pub fn contain<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(r) => Some(r),
        Err(panic) => {
            report(panic);
            None
        }
    }
}

/// The outermost death of a thread: how deep it has nested, and what it still owes.
struct Frame {
    depth: Cell<usize>,
    owed: RefCell<VecDeque<Box<dyn FnOnce()>>>,
}

thread_local! {
    static FRAME: Cell<*const Frame> = const { Cell::new(null()) };
}

/// Runs `work` inside the deaths that are under way on this thread, or leaves it to the outermost of them.
///
/// A panic of `work` (a destructor's own) goes on to the caller whose drop is running it; if several of an outermost
/// frame's works panic, the first goes on and the others are reported.
///
/// # Safety
/// What `work` captures lives until it has run, which may be after this returns.
pub unsafe fn nest<'a>(work: impl FnOnce() + 'a) {
    let frame = FRAME.with(Cell::get);
    // SAFETY: non-null only while the outermost frame is on this thread's stack, below us.
    match unsafe { frame.as_ref() } {
        None => outermost(work),
        Some(frame) if frame.depth.get() < NESTED_DEATHS => {
            let _up = Deeper::enter(frame);
            work();
        }
        Some(frame) => {
            let work: Box<dyn FnOnce() + 'a> = Box::new(work);
            // SAFETY: only the lifetime changes, and the caller vouches for that.
            let work = unsafe { std::mem::transmute::<Box<dyn FnOnce() + 'a>, Box<dyn FnOnce()>>(work) };
            frame.owed.borrow_mut().push_back(work);
        }
    }
}

/// One level of nesting, left however the work ends.
struct Deeper<'a>(&'a Frame);

impl<'a> Deeper<'a> {
    fn enter(frame: &'a Frame) -> Self {
        frame.depth.set(frame.depth.get() + 1);
        Deeper(frame)
    }
}

impl Drop for Deeper<'_> {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}

fn outermost(work: impl FnOnce()) {
    let frame = Frame { depth: Cell::new(1), owed: RefCell::default() };
    FRAME.with(|f| f.set(&raw const frame));
    let mut first = catch_unwind(AssertUnwindSafe(work)).err();
    while let Some(work) = next(&frame) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            match first {
                None => first = Some(panic),
                Some(_) => report(panic),
            }
        }
    }
    FRAME.with(|f| f.set(null()));
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}

/// The borrow ends before the work runs: it may queue more.
fn next(frame: &Frame) -> Option<Box<dyn FnOnce()>> {
    frame.owed.borrow_mut().pop_front()
}
