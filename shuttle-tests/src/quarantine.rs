//! An allocator that does not use memory again soon: so a use after free meets the flags that say so, and not something new.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// So many blocks are held back.
const BLOCKS: usize = 1 << 12;

/// The system's allocator; what is freed waits for its turn in a ring.
pub struct Quarantine {
    locked: AtomicBool,
    ring: UnsafeCell<([(*mut u8, Layout); BLOCKS], usize)>,
}

// SAFETY: the ring is used under the lock.
unsafe impl Sync for Quarantine {}

impl Quarantine {
    /// Nothing held back.
    pub const fn new() -> Self {
        let free = (std::ptr::null_mut(), Layout::new::<()>());
        Quarantine { locked: AtomicBool::new(false), ring: UnsafeCell::new(([free; BLOCKS], 0)) }
    }

    /// Holds `block` back, and lets the oldest go.
    fn swap(&self, block: (*mut u8, Layout)) -> (*mut u8, Layout) {
        while self.locked.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        // SAFETY: under the lock.
        let (blocks, next) = unsafe { &mut *self.ring.get() };
        let oldest = std::mem::replace(&mut blocks[*next], block);
        *next = (*next + 1) % BLOCKS;
        self.locked.store(false, Ordering::Release);
        oldest
    }
}

// SAFETY: blocks are the system's, each freed once with its own layout.
unsafe impl GlobalAlloc for Quarantine {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() > 1 << 12 {
            // SAFETY: as the caller says. Stacks and the like are no node.
            return unsafe { System.dealloc(block, layout) };
        }
        let (oldest, layout) = self.swap((block, layout));
        if !oldest.is_null() {
            // SAFETY: given back once, by its caller, with this layout.
            unsafe { System.dealloc(oldest, layout) };
        }
    }
}
