//! Pointers: `Arc`, `Weak`, `Observer`, and what they convert to and from.

mod by_value;
mod callbacks;
mod convert;
mod deaths;
mod face;
mod mutate;
mod raw;
mod traits;
mod unsize;

use crate::common::sized;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::thread;

/// Counts the live [`Entry`]s that it has handed out, and how often they were cloned.
#[derive(Clone, Default)]
struct Ledger(StdArc<(AtomicIsize, AtomicUsize)>);

impl Ledger {
    fn entry(&self) -> Entry {
        self.0.0.fetch_add(1, SeqCst);
        Entry(self.clone())
    }

    fn live(&self) -> isize {
        self.0.0.load(SeqCst)
    }

    fn clones(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

/// A value whose copies and destructors are counted. A second destructor of one shows as a live count too low.
struct Entry(Ledger);

impl Clone for Entry {
    fn clone(&self) -> Self {
        self.0.0.1.fetch_add(1, SeqCst);
        self.0.entry()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, SeqCst);
    }
}

/// Runs each party's moves on a thread of its own; all parties start each round together, spinning: a thread that had to be
/// woken would come too late to race.
fn race<M: Send>(parties: Vec<Vec<M>>, act: impl Fn(usize, M) + Sync) {
    let (threads, arrived) = (parties.len(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for moves in parties {
            scope.spawn(|| {
                for (round, next) in moves.into_iter().enumerate() {
                    arrived.fetch_add(1, SeqCst);
                    let mut turns = 0;
                    while arrived.load(SeqCst) < (round + 1) * threads {
                        turns += 1;
                        if turns % 100 == 0 { thread::yield_now() } else { spin_loop() }
                    }
                    act(round, next);
                }
            });
        }
    });
}

/// Runs the function when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A panic of user code, without the hook's message: the tests' output is for what is unexpected.
fn broken(message: &'static str) -> ! {
    resume_unwind(Box::new(message))
}

/// The message of the panic that `f` ends in.
fn panics<R>(f: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else { panic!("did not panic") };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).to_string(),
    }
}
