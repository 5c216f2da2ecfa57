//! Being told of a death: ours, and what people write, a `Drop` that calls a boxed closure.
//!
//! Each callback captures a word, as nearly every callback captures something.

use super::{Payload, payload};
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use weakly::finalize;

/// A way to be told.
pub trait Watched: Send + Sync + 'static {
    /// An object.
    fn new() -> Self;

    /// Registers a callback at the object, and takes it back.
    fn watch_and_cancel(&self, told: fn(u64));

    /// Registers a callback at an object of its own, which then dies.
    fn watch_and_die(told: fn(u64));
}

/// `Arc::observe`.
pub struct Observed(weakly::Arc<Payload>);

impl Watched for Observed {
    fn new() -> Self {
        Observed(weakly::Arc::new(payload(7)))
    }

    fn watch_and_cancel(&self, told: fn(u64)) {
        let word = black_box(7);
        assert!(weakly::Arc::observe(&self.0, move |_| told(word)).cancel());
    }

    fn watch_and_die(told: fn(u64)) {
        let word = black_box(7);
        let object = weakly::Arc::new(payload(7));
        weakly::Arc::observe(&object, move |_| told(word)).detach();
    }
}

/// `finalize`.
pub struct Finalized(weakly::Arc<Payload>);

impl Watched for Finalized {
    fn new() -> Self {
        Finalized(weakly::Arc::new(payload(7)))
    }

    fn watch_and_cancel(&self, told: fn(u64)) {
        let word = black_box(7);
        assert!(finalize(&self.0, move || told(word)).detach().is_some());
    }

    fn watch_and_die(told: fn(u64)) {
        let word = black_box(7);
        let object = weakly::Arc::new(payload(7));
        finalize(&object, move || told(word));
    }
}

type Callback = Box<dyn FnOnce() + Send>;

/// An object with room for one callback. The mutex is there because who watches has an `Arc` of it like anybody else.
pub struct Dropping(Arc<Object>);

struct Object {
    _payload: Payload,
    at_death: Mutex<Option<Callback>>,
}

impl Object {
    fn new() -> Self {
        Object { _payload: payload(7), at_death: Mutex::new(None) }
    }

    fn set(&self, callback: Option<Callback>) -> Option<Callback> {
        std::mem::replace(&mut *self.at_death.lock().unwrap_or_else(PoisonError::into_inner), callback)
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if let Some(callback) = self.set(None) {
            callback();
        }
    }
}

impl Watched for Dropping {
    fn new() -> Self {
        Dropping(Arc::new(Object::new()))
    }

    fn watch_and_cancel(&self, told: fn(u64)) {
        let word = black_box(7);
        self.0.set(Some(Box::new(move || told(word))));
        assert!(self.0.set(None).is_some());
    }

    fn watch_and_die(told: fn(u64)) {
        let word = black_box(7);
        let object = Arc::new(Object::new());
        object.set(Some(Box::new(move || told(word))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static TOLD: Cell<u64> = const { Cell::new(0) };
    }

    fn tell(word: u64) {
        TOLD.set(TOLD.get() + word);
    }

    fn tells_of_deaths_alone<W: Watched>() {
        TOLD.set(0);
        let object = W::new();
        object.watch_and_cancel(tell);
        drop(object);
        assert_eq!(TOLD.get(), 0);
        W::watch_and_die(tell);
        assert_eq!(TOLD.get(), 7);
    }

    #[test]
    fn every_way_tells_of_deaths_alone() {
        tells_of_deaths_alone::<Observed>();
        tells_of_deaths_alone::<Finalized>();
        tells_of_deaths_alone::<Dropping>();
    }
}
