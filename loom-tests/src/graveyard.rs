//! An allocator that keeps freed memory for a while as it was.
//!
//! The crate's atomics and cells know when their end has come (`sync::Life`), but only a look at their memory can tell: with
//! this allocator such a look after the free finds what was there, and is reported, instead of corrupting the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// More than one execution of any model frees.
const GRAVES: usize = 4096;
/// What the models and the crate free is small; loom's own books are not.
const LARGEST: usize = 1024;

struct Graveyard;

#[global_allocator]
static ALLOCATOR: Graveyard = Graveyard;

#[derive(Clone, Copy)]
struct Grave(*mut u8, Layout);

/// A ring of what one thread freed last. loom runs all threads of a model on one real thread.
struct Ring {
    next: Cell<usize>,
    graves: [Cell<Grave>; GRAVES],
}

thread_local! {
    static RING: Ring = const {
        Ring { next: Cell::new(0), graves: [const { Cell::new(Grave(null_mut(), Layout::new::<u8>())) }; GRAVES] }
    };
}

/// Has the memory at `at` been freed? Not to be asked long after, when it may be somebody else's.
pub fn is_freed(at: usize) -> bool {
    RING.with(|ring| {
        ring.graves.iter().map(Cell::get).any(|Grave(memory, layout)| {
            let start = memory.addr();
            (start..start + layout.size()).contains(&at)
        })
    })
}

// SAFETY: the system's allocator, but that memory goes back to it later than it is told.
unsafe impl GlobalAlloc for Graveyard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is ours.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract is ours.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let mut due = Grave(memory, layout);
        if layout.size() <= LARGEST {
            RING.with(|ring| {
                let next = ring.next.get();
                due = ring.graves[next].replace(due);
                ring.next.set((next + 1) % GRAVES);
            });
        }
        if !due.0.is_null() {
            // SAFETY: allocated with this layout, and freed once: a grave is emptied once.
            unsafe { System.dealloc(due.0, due.1) }
        }
    }
}
