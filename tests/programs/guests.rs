//! Objects that stay in `std::sync::Arc`: an async lock a key, connections with methods on `Arc<Self>`.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use tokio::sync::{Mutex, OwnedMutexGuard};
use weakly::std_arc::{Anchor, Anchored, Interner, PtrWeakKeyMap, WeakList, WeakSet, WeakValueMap, finalize};

#[derive(Default)]
struct Slot {
    lock: Arc<Mutex<u32>>,
    anchor: Anchor,
}

impl Anchored for Slot {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

/// Keeps the lock, and the entry as long.
struct Locked {
    inner: OwnedMutexGuard<u32>,
    _slot: Arc<Slot>,
}

impl Deref for Locked {
    type Target = u32;
    fn deref(&self) -> &u32 {
        &self.inner
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut u32 {
        &mut self.inner
    }
}

#[derive(Default)]
struct Locks {
    map: WeakValueMap<String, Slot>,
}

impl Locks {
    async fn lock(&self, key: &str) -> Locked {
        let slot = match self.map.get(key) {
            Some(slot) => slot,
            None => self.map.get_or_insert_with(key.to_owned(), |_| Arc::default()),
        };
        Locked { inner: slot.lock.clone().lock_owned().await, _slot: slot }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a runtime's system calls")]
fn an_async_lock_a_key_counts_right_and_leaves_nothing() {
    let locks = Arc::new(Locks::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let first = locks.lock("x").await;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let locks = locks.clone();
                tokio::spawn(async move {
                    *locks.lock("x").await += 1;
                })
            })
            .collect();
        drop(locks.lock("y").await); // another key's is free
        assert_eq!(*first, 0);
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(locks.map.len(), 0);
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Conn {
    id: u32,
    anchor: Anchor,
}

impl Anchored for Conn {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

static WENT: AtomicUsize = AtomicUsize::new(0);

trait Actor: Anchored + Send + Sync {
    fn go(self: Arc<Self>);
}

impl Actor for Conn {
    fn go(self: Arc<Self>) {
        WENT.fetch_add(1, SeqCst);
    }
}

#[test]
fn connections_in_every_collection() {
    static CONNECTIONS: LazyLock<WeakValueMap<u32, Conn>> = LazyLock::new(WeakValueMap::new);
    let conn = Arc::new(Conn::default());
    CONNECTIONS.insert(1, &conn);
    let named = WeakValueMap::new();
    named.insert("k", &conn);
    named.get("k").unwrap().go();

    let actors: WeakList<dyn Actor> = WeakList::new();
    let actor: Arc<dyn Actor> = conn.clone();
    actors.push(&actor);
    actors.push(&(conn.clone() as Arc<dyn Actor>));
    for actor in &actors {
        actor.go();
    }
    drop(actor);
    assert_eq!(WENT.load(SeqCst), 3);

    let set: WeakSet<Conn> = [&conn].into();
    assert!(set.contains(&conn) && set.contains(&*conn));
    assert_eq!(CONNECTIONS.pin().read(&1).map(|conn| conn.id), Some(0));
    static GONE: AtomicUsize = AtomicUsize::new(0);
    conn.anchor().observe(|| _ = GONE.fetch_add(1, SeqCst)).detach();
    let finalizer = finalize(&conn, || 1);

    let interner: Interner<Conn> = Interner::new();
    let (made, found) = (interner.intern(Conn::default()), interner.intern_ref(&*conn));
    assert!(made == found && interner.intern(conn.clone()) == made);
    let sides: PtrWeakKeyMap<Conn, u8> = PtrWeakKeyMap::new();
    sides.insert(&conn, 1);
    assert_eq!((sides.get(&conn), sides.get(&*conn)), (Some(1), Some(1)));

    assert!(CONNECTIONS.remove_exact(&1, &Arc::downgrade(&conn)));
    let again = CONNECTIONS.get_or_try_insert_with(1, |_| Ok::<_, ()>(Arc::default())).unwrap();
    assert!(!Arc::ptr_eq(&again, &conn));
    drop(conn);
    assert_eq!((named.len(), actors.len(), set.len(), sides.len(), GONE.load(SeqCst)), (0, 0, 0, 0, 1));
    assert!(!finalizer.is_alive());
}
