//! The doctest of the library reference's examples.

use crate::common::{Object, object};
use weakly::{Arc, WeakValueMap};

/// Without `ExtendedRef`, which inherits from `ref`.
#[test]
fn libreftest() {
    let obj = object("red");
    let r = Arc::downgrade(&obj);
    assert!(Arc::ptr_eq(&r.upgrade().unwrap(), &obj));

    let o = object("o");
    let r = Arc::downgrade(&o);
    let o2 = r.upgrade().unwrap();
    assert!(Arc::ptr_eq(&o, &o2));
    drop((o, o2));
    assert!(r.upgrade().is_none());

    let id2obj = WeakValueMap::<usize, Object<&str>>::new();
    let remember = |obj: &Arc<Object<&'static str>>| {
        let oid = Arc::as_ptr(obj).addr();
        id2obj.insert(oid, obj);
        oid
    };
    let a = object("a");
    let a_id = remember(&a);
    assert!(Arc::ptr_eq(&id2obj.get(&a_id).unwrap(), &a));
    drop(a);
    assert!(id2obj.get(&a_id).is_none());
}
