//! The epoch under loom: frees as early as it may, that is, when the last guard taken before the retirement goes.
//!
//! `retired` and `left` stand for crossbeam's fences, and no more than these order: a pin that comes after a retirement sees
//! what was unlinked before it, and a free comes after all that was done under the guards it waited for. By them loom
//! explores both orders of every pin and retirement. The book-keeping itself is in a std mutex, which is atomic with the
//! loom operation before it.

use loom::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

type Free = Box<dyn FnOnce()>;

/// Guards that are out, and what waits for which of them.
#[derive(Default)]
struct Book {
    next: usize,
    active: Vec<usize>,
    bags: Vec<(Vec<usize>, SendFree)>,
}

struct SendFree(Free);
// SAFETY: whoever retires vouches that it may run on any thread.
unsafe impl Send for SendFree {}

struct World {
    retired: AtomicUsize,
    left: AtomicUsize,
    book: Mutex<Book>,
}

loom::lazy_static! {
    static ref WORLD: World =
        World { retired: AtomicUsize::new(0), left: AtomicUsize::new(0), book: Mutex::new(Book::default()) };
}

crate::sync::thread_local! {
    static DEPTH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A pinned epoch.
pub struct Guard {
    id: usize,
    _not_send: std::marker::PhantomData<*mut ()>,
}

/// Pins.
pub fn pin() -> Guard {
    DEPTH.with(|d| d.set(d.get() + 1));
    // Acquire: pairs with the Release of `defer_unchecked`.
    WORLD.retired.fetch_add(1, Ordering::Acquire);
    let mut book = WORLD.book.lock().unwrap();
    book.next += 1;
    let id = book.next;
    book.active.push(id);
    Guard { id, _not_send: std::marker::PhantomData }
}

/// Does this thread hold a guard?
pub fn is_pinned() -> bool {
    DEPTH.with(|d| d.get() > 0)
}

impl Guard {
    /// # Safety
    /// As crossbeam's.
    pub unsafe fn defer_unchecked<'a, R>(&self, free: impl FnOnce() -> R + 'a) {
        // Release: pairs with the Acquire of every later `pin`.
        WORLD.retired.fetch_add(1, Ordering::Release);
        let free: Box<dyn FnOnce() + 'a> = Box::new(move || drop(free()));
        // SAFETY: as the caller says.
        let free = unsafe { std::mem::transmute::<Box<dyn FnOnce() + 'a>, Free>(free) };
        let mut book = WORLD.book.lock().unwrap();
        let waits = book.active.clone();
        book.bags.push((waits, SendFree(free)));
    }

    /// Nothing to do: the shim holds nothing back.
    pub fn flush(&self) {}

    /// Unpins and pins again.
    pub fn repin(&mut self) {
        self.repin_after(|| ());
    }

    /// Unpins, runs `f`, pins again.
    pub fn repin_after<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.leave();
        let r = f();
        let again = pin();
        self.id = again.id;
        std::mem::forget(again);
        r
    }

    fn leave(&self) {
        // Release and Acquire: the last guard to go frees, after all that was done under the others.
        WORLD.left.fetch_add(1, Ordering::AcqRel);
        let mut due = Vec::new();
        {
            let mut book = WORLD.book.lock().unwrap();
            book.active.retain(|&a| a != self.id);
            let mut i = 0;
            while i < book.bags.len() {
                book.bags[i].0.retain(|&w| w != self.id);
                if book.bags[i].0.is_empty() {
                    due.push(book.bags.remove(i).1);
                } else {
                    i += 1;
                }
            }
        }
        for SendFree(free) in due {
            free();
        }
        // Not before: crossbeam runs deferred functions inside somebody's pin.
        DEPTH.with(|d| d.set(d.get() - 1));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.leave();
    }
}
