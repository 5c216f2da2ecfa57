//! Where header and value lie, and how blocks are made and freed.

use super::Header;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// The bytes from the block's base to its value, and the layout of the whole.
///
/// The header ends where the value starts: for a value aligned to more than 8 there is padding before the header.
#[inline]
fn block_layout(value: Layout) -> (usize, Layout) {
    match Layout::new::<Header>().extend(value) {
        Ok((block, prefix)) => (prefix, block),
        Err(_) => panic!("capacity overflow: a block larger than isize::MAX bytes"),
    }
}

/// The header of a live block.
///
/// # Safety
/// `value` points at the value of a block whose memory is not yet freed, with provenance over the whole block.
#[inline]
pub unsafe fn header<'a, T: ?Sized>(value: NonNull<T>) -> &'a Header {
    // SAFETY: the header lies directly before the value, in the same allocation, says the caller.
    unsafe { value.cast::<Header>().sub(1).as_ref() }
}

/// Memory for a block of a value of this layout, its header written, its value not.
pub fn allocate(value: Layout, header: Header) -> NonNull<u8> {
    let (prefix, block) = block_layout(value);
    // SAFETY: the header alone makes the size non-zero.
    let base = unsafe { alloc(block) };
    let Some(base) = NonNull::new(base) else { handle_alloc_error(block) };
    // SAFETY: `prefix` is within the block and at least a header's size, so header and value lie inside and aligned:
    // the prefix is a multiple of 8 and of the value's alignment.
    unsafe {
        let value = base.add(prefix);
        value.cast::<Header>().sub(1).write(header);
        value
    }
}

/// A block of `value`.
#[inline]
pub fn new<T>(value: T, header: Header) -> NonNull<T> {
    let block = allocate(Layout::new::<T>(), header).cast::<T>();
    // SAFETY: freshly allocated for a `T`.
    unsafe { block.write(value) };
    block
}

/// A block of what `value` points at; the box's own memory is freed.
pub fn from_box<T: ?Sized>(value: Box<T>, header: Header) -> NonNull<T> {
    let layout = Layout::for_value::<T>(&value);
    let block = allocate(layout, header);
    let source = Box::into_raw(value);
    // SAFETY: the block has room for the value's bytes, which are moved: of the source only the memory is freed after, as
    // a box of the same layout whose content needs no destructor. `with_addr_of` keeps the source's metadata.
    unsafe {
        block.as_ptr().copy_from_nonoverlapping(source.cast::<u8>(), layout.size());
        drop(Box::from_raw(source as *mut ManuallyDrop<T>));
        with_address(source, block)
    }
}

/// `like`'s metadata on another address.
#[inline]
pub fn with_address<T: ?Sized>(like: *const T, address: NonNull<u8>) -> NonNull<T> {
    let mut fat = like;
    // SAFETY: the data pointer is the first word of every pointer, thin or wide (what `std`'s own `set_ptr_value` relied on);
    // only that word is replaced, and it stays non-null.
    unsafe {
        (&raw mut fat).cast::<*const u8>().write(address.as_ptr());
        NonNull::new_unchecked(fat.cast_mut())
    }
}

/// The layout of a value that may be gone, or under its destructor's `&mut` just now: there must be no `&T` then.
///
/// # Safety
/// The block's memory is there, and a value has been in it, or is to be written: not of a type that has no values.
#[inline]
pub unsafe fn layout_of<T: ?Sized>(value: NonNull<T>) -> Layout {
    // SAFETY: it comes from the type or the pointer's metadata alone; a reference to a cell claims nothing of what is in it.
    Layout::for_value(unsafe { &*(value.as_ptr() as *const UnsafeCell<T>) })
}

/// The size of a value that may be gone, or 0 while it is still to come.
///
/// # Safety
/// The caller holds a count of the block, so that its memory is there.
pub unsafe fn size_of_value<T: ?Sized>(value: NonNull<T>) -> usize {
    // SAFETY: as the caller says; the value was born.
    unsafe { if header(value).state.is_unborn() { 0 } else { layout_of(value).size() } }
}

/// Frees a block's memory; its value is gone, or never came.
///
/// # Safety
/// No count of either kind is left, nobody under a guard still looks at the block, and `value` came from this module and
/// has this layout.
#[inline]
pub unsafe fn free<T: ?Sized>(value: NonNull<T>, layout: Layout) {
    let (prefix, block) = block_layout(layout);
    // SAFETY: the same layout as in `allocate`, so the same base.
    unsafe {
        #[cfg(weakly_loom)]
        std::ptr::drop_in_place(value.cast::<Header>().sub(1).as_ptr());
        dealloc(value.cast::<u8>().sub(prefix).as_ptr(), block);
    }
}

/// Gives one weak count back, and with the last one the memory.
///
/// # Safety
/// The caller holds a weak count, which it gives up.
#[inline]
pub unsafe fn release_weak<T: ?Sized>(value: NonNull<T>) {
    // SAFETY: the caller's count keeps the block until here; the last one frees.
    unsafe {
        if header(value).release_weak() {
            let unborn = header(value).unborn();
            free(value, unborn.unwrap_or_else(|| layout_of(value)));
        }
    }
}
