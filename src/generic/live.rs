//! What the collections' common code needs of an entry.

#![allow(missing_debug_implementations, reason = "not for users: public by way of hidden traits")]

use crate::death::hook::Later;
use crate::table::node::Entry;
use crate::table::probe::Look;
use std::mem::{ManuallyDrop, take};

/// An entry that lives as long as its objects do.
pub trait Live: Entry {
    /// Owners of its objects: proof that it was alive when they were made.
    type Alive;
    /// An owner that a look leaves behind; uninhabited if none does.
    type Part;
    /// What a writer fills an entry with that is not in a collection yet.
    type Value;
    /// What its key is told by: the part that others may look at while the rest is filled.
    type Name;

    /// What its key is told by.
    fn name(&self) -> &Self::Name;
    /// Owners of its objects, if all are alive.
    fn revive(&self, kept: &mut Kept<Self::Part>) -> Option<Self::Alive>;
    /// Are all its objects alive? Never upgrades.
    fn is_alive(&self) -> bool;
    /// Of its owners, the one that is a value.
    fn value(alive: Self::Alive, kept: &mut Kept<Self::Part>) -> Self::Value;
    /// Fills it.
    ///
    /// # Safety
    /// The entry is the caller's, in no map yet; others may look at its name meanwhile.
    unsafe fn fill(this: *mut Self, value: &Self::Value);
}

/// An entry whose key may be shown on any thread that lets its objects go.
#[doc(hidden)]
pub trait Tells {}

/// An entry whose value is the collection's own: a key map's.
#[doc(hidden)]
pub trait OwnsValues {}

/// Owners that were made under a guard to look at something. Each may turn out to be the last, and its drop a death: so make
/// this before you pin, for then it goes when the guard has gone.
pub struct Kept<P>(ManuallyDrop<Owners<P>>);

struct Owners<P> {
    /// The newest; nearly always enough.
    one: Option<P>,
    /// Nothing as long as there isn't one.
    more: Vec<P>,
}

impl<P> Kept<P> {
    /// Nothing yet.
    #[inline]
    pub fn new() -> Self {
        Kept(ManuallyDrop::new(Owners { one: None, more: Vec::new() }))
    }

    /// Keeps an owner; it can still be looked at.
    #[inline]
    pub fn keep(&mut self, owner: P) -> &P {
        if let Some(before) = take(&mut self.0.one) {
            self.0.more.push(before);
        }
        self.0.one.insert(owner)
    }
}

impl<P> Drop for Kept<P> {
    /// Nearly free if nothing was kept, as by a look-up of an owned key.
    #[inline(always)]
    fn drop(&mut self) {
        if self.0.one.is_some() {
            // SAFETY: once. With none kept there is nothing to drop.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// What a write owes when no guard is held any more: owners to drop, user code to run. So make this before you pin.
pub struct Debts<E: Live> {
    /// The owners of what the last survey found. Here, so that they outlive the guard even if user code panics meanwhile.
    pub found: Option<E::Alive>,
    /// Owners of what earlier surveys found.
    aside: Vec<E::Alive>,
    /// Owners that looks left behind.
    pub kept: Kept<E::Part>,
    /// User code; and what is ripe, for a write ends here.
    pub later: Later,
}

impl<E: Live> Debts<E> {
    /// None yet.
    #[inline]
    pub fn new() -> Self {
        Debts { found: None, aside: Vec::new(), kept: Kept::new(), later: Later::new() }
    }

    /// What was found is out of date: survey again.
    pub fn set_aside(&mut self) {
        self.aside.extend(self.found.take());
    }

    /// What was found, with the map's share of it.
    pub fn old(&mut self, share: E::Share) -> Old<E> {
        Old { alive: self.found.take().expect("a survey's hit leaves its owners"), share }
    }
}

/// What was there, and the map's share of it.
pub struct Old<E: Live> {
    /// Its owners.
    pub alive: E::Alive,
    /// The map's share.
    pub share: E::Share,
}

/// What an entry is to a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Another's.
    Other,
    /// Perhaps the key's, but dead.
    Dead,
    /// The key's.
    Same,
}

impl Seen {
    /// The key's, or another's.
    #[inline]
    pub fn same_if(same: bool) -> Self {
        if same { Seen::Same } else { Seen::Other }
    }

    /// A look at the entry: if it is the key's, by what `take` makes of it.
    #[inline]
    pub fn look<R>(self, take: impl FnOnce() -> Option<R>) -> Look<R> {
        match self {
            Seen::Other => Look::Other,
            Seen::Dead => Look::Dead,
            Seen::Same => take().map_or(Look::Dead, Look::Hit),
        }
    }
}

/// Lets what is owed go, and only then hands out what was made: at a function's end, a panic in a destructor would leak it
/// (rust-lang/rust#47949).
#[inline(always)]
pub fn after<T, R>(owed: T, made: R) -> R {
    drop(owed);
    made
}
