//! Counted pointers with weak ones beside them: ours, the standard library's, and circ's, whose objects die by epochs.

use super::{Payload, payload};
use circ::{Rc, RcObject};
use std::sync;

/// A counted pointer to a payload.
pub trait Counted: Clone + Send + 'static {
    /// Its weak pointer.
    type Weak: Clone + Send + 'static;

    /// Makes an object with this word all over its payload.
    fn of(word: u64) -> Self;

    /// A weak pointer to the same object.
    fn downgrade(&self) -> Self::Weak;

    /// A strong pointer again, if the object lives.
    fn upgrade(weak: &Self::Weak) -> Option<Self>;

    /// Reads the object.
    fn word(&self) -> u64;
}

/// Our pointer.
pub type Ours = weakly::Arc<Payload>;

/// The standard library's.
pub type Std = sync::Arc<Payload>;

/// circ's.
pub type Circ = Rc<Node>;

/// What a circ pointer points to: it holds no further pointers.
pub struct Node(pub Payload);

// SAFETY: no edge is added, hence no wrong one.
unsafe impl RcObject for Node {
    fn pop_edges(&mut self, _: &mut Vec<Rc<Self>>) {}
}

impl Counted for Ours {
    type Weak = weakly::Weak<Payload>;

    fn of(word: u64) -> Self {
        weakly::Arc::new(payload(word))
    }

    fn downgrade(&self) -> Self::Weak {
        weakly::Arc::downgrade(self)
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self> {
        weak.upgrade()
    }

    fn word(&self) -> u64 {
        self[0]
    }
}

impl Counted for Std {
    type Weak = sync::Weak<Payload>;

    fn of(word: u64) -> Self {
        sync::Arc::new(payload(word))
    }

    fn downgrade(&self) -> Self::Weak {
        sync::Arc::downgrade(self)
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self> {
        weak.upgrade()
    }

    fn word(&self) -> u64 {
        self[0]
    }
}

impl Counted for Circ {
    type Weak = circ::Weak<Node>;

    fn of(word: u64) -> Self {
        Rc::new(Node(payload(word)))
    }

    fn downgrade(&self) -> Self::Weak {
        self.downgrade()
    }

    fn upgrade(weak: &Self::Weak) -> Option<Self> {
        weak.upgrade()
    }

    fn word(&self) -> u64 {
        self.as_ref().expect("not null").0[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrades_what_lives<P: Counted>() {
        let pointer = P::of(7);
        let weak = pointer.downgrade();
        let again = P::upgrade(&weak).expect("it lives");
        drop(pointer);
        assert_eq!(again.clone().word(), 7);
    }

    fn upgrades_no_dead<P: Counted>() {
        let weak = P::of(7).downgrade();
        assert!(P::upgrade(&weak).is_none());
    }

    #[test]
    fn every_pointer_upgrades_what_lives() {
        upgrades_what_lives::<Ours>();
        upgrades_what_lives::<Std>();
        upgrades_what_lives::<Circ>();
    }

    /// Not so circ: its objects die some epochs after the last drop, and can be upgraded until then.
    #[test]
    fn no_dead_object_is_upgraded() {
        upgrades_no_dead::<Ours>();
        upgrades_no_dead::<Std>();
    }
}
