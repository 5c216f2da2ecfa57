//! A lock a key, that is there as long as somebody uses it.

use std::sync::Mutex;
use std::thread;
use weakly::{Arc, WeakValueMap};

#[derive(Default)]
struct Locks {
    map: WeakValueMap<u64, Mutex<()>>,
}

impl Locks {
    fn with<R>(&self, key: u64, f: impl FnOnce() -> R) -> R {
        let lock = self.map.get_or_insert_with(key, |_| Arc::new(Mutex::new(())));
        let _locked = lock.lock().unwrap();
        f()
    }

    fn with_made_before<R>(&self, key: u64, f: impl FnOnce() -> R) -> R {
        let lock = self.map.get_or_insert(key, Arc::default());
        let _locked = lock.lock().unwrap();
        f()
    }
}

#[test]
fn a_keyed_lock_excludes_and_goes_when_idle() {
    let (locks, count) = (Locks::default(), std::cell::Cell::new(0));
    struct Shared<'a>(&'a std::cell::Cell<u32>);
    // SAFETY: used under the lock of one key alone, which is what is tested.
    unsafe impl Sync for Shared<'_> {}
    impl Shared<'_> {
        fn up(&self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let shared = Shared(&count);
    let rounds = if cfg!(miri) { 5 } else { 500 };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    locks.with(7, || shared.up());
                    locks.with_made_before(7, || shared.up());
                }
            });
        }
    });
    assert_eq!((count.get(), locks.map.len()), (4 * rounds, 0));
}
