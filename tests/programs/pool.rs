//! What was a `DashMap<SocketAddr, Weak<Conn>>`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weakly::{Arc, Compute, Weak, WeakValueMap};

#[derive(Debug)]
struct Conn {
    addr: SocketAddr,
    sent: AtomicU64,
}

struct Pool {
    conns: WeakValueMap<SocketAddr, Conn>,
}

impl Pool {
    fn get(&self, addr: &SocketAddr) -> Option<Arc<Conn>> {
        self.conns.get(addr)
    }

    fn get_or_connect(&self, addr: SocketAddr) -> Arc<Conn> {
        self.conns.get_or_insert_with(addr, |&addr| Arc::new(Conn { addr, sent: AtomicU64::new(0) }))
    }

    fn register(&self, conn: &Arc<Conn>) -> Result<(), Arc<Conn>> {
        self.conns.try_insert(conn.addr, conn)
    }

    fn register_again(&self, conn: &Weak<Conn>) {
        if let Some(conn) = conn.upgrade() {
            self.conns.insert(conn.addr, &conn);
        }
    }

    fn totals(&self) -> [u64; 2] {
        let plain = self.conns.iter().map(|(_, conn)| conn.sent.load(Relaxed)).sum();
        [plain, self.conns.pin().iter().map(|(_, conn)| conn.sent.load(Relaxed)).sum()]
    }

    fn addrs(&self) -> Vec<SocketAddr> {
        self.conns.keys().collect()
    }

    fn close_idle(&self) {
        self.conns.retain(|_, conn| conn.sent.load(Relaxed) > 0);
    }

    fn bump(&self, addr: &SocketAddr) -> bool {
        let pinned = self.conns.pin();
        let Some(conn) = pinned.read(addr) else { return false };
        conn.sent.fetch_add(1, Relaxed);
        true
    }

    fn swap_if_older(&self, addr: SocketAddr, new: &Arc<Conn>) {
        self.conns.compute(addr, |old| match old {
            Some(old) if old.sent.load(Relaxed) > new.sent.load(Relaxed) => Compute::Keep,
            _ => Compute::Insert(new.clone()),
        });
    }

    fn forget(&self, conn: &Conn, me: &Weak<Conn>) -> bool {
        self.conns.remove_exact(&conn.addr, me)
    }

    fn drop_one(&self, addr: &SocketAddr) -> bool {
        match self.conns.remove_entry(addr) {
            Some((there, conn)) => there == *addr && conn.addr == there,
            None => false,
        }
    }
}

fn addr(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

#[test]
fn a_pool_of_connections() {
    let pool = Pool { conns: WeakValueMap::new() };
    let (one, two) = (pool.get_or_connect(addr(1)), pool.get_or_connect(addr(2)));
    assert!(Arc::ptr_eq(&one, &pool.get(&addr(1)).unwrap()));
    assert!(pool.bump(&addr(1)) && !pool.bump(&addr(3)));
    assert_eq!((pool.totals(), pool.addrs().len()), ([1, 1], 2));
    let fresh = Arc::new(Conn { addr: addr(1), sent: AtomicU64::new(0) });
    assert!(Arc::ptr_eq(&pool.register(&fresh).unwrap_err(), &one));
    pool.swap_if_older(addr(1), &fresh);
    assert!(Arc::ptr_eq(&one, &pool.get(&addr(1)).unwrap()), "the old one has sent more");
    pool.close_idle();
    assert_eq!(pool.addrs(), [addr(1)]);
    pool.register_again(&Arc::downgrade(&two));
    pool.register_again(&Weak::new());
    assert_eq!((&pool.conns).into_iter().count(), 2);
    for (addr, conn) in &pool.conns.pin() {
        assert_eq!(*addr, conn.addr);
    }
    assert!(!pool.forget(&fresh, &Arc::downgrade(&fresh)) && pool.forget(&one, &Arc::downgrade(&one)));
    assert!(pool.drop_one(&addr(2)) && !pool.drop_one(&addr(2)));
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(pool.totals(), [0, 0]));
    });
}

#[test]
fn keys_and_hashers_of_other_kinds() {
    let one = Arc::new(Conn { addr: addr(1), sent: AtomicU64::new(0) });
    let by_name: WeakValueMap<String, Conn> = WeakValueMap::default();
    by_name.insert("x".into(), &one);
    assert!(by_name.get("x").is_some() && by_name.get(&"x".to_string()).is_some());
    let fast = WeakValueMap::<u64, Conn, _>::with_hasher(foldhash::fast::RandomState::default());
    fast.insert(1, &one);
    assert!(fast.get(&1).is_some());
    let by_parts: WeakValueMap<(String, u16), Conn> = WeakValueMap::new();
    by_parts.insert(("h".to_string(), 1), &one);
    assert!(by_parts.get(&("h".to_string(), 1)).is_some());
}
