//! Users, online and admins: set algebra.

use weakly::{Arc, PtrWeakSet, WeakSet, WeakValueMap};

#[derive(PartialEq, Eq, Hash, Debug)]
struct User(u32);

fn numbers(set: &WeakSet<User>) -> Vec<u32> {
    let mut numbers: Vec<u32> = set.iter().map(|user| user.0).collect();
    numbers.sort();
    numbers
}

#[test]
fn algebra() {
    let users: Vec<Arc<User>> = (0..10).map(|i| Arc::new(User(i))).collect();
    let online: WeakSet<User> = users[..6].iter().collect();
    let admins = users[4..].iter().cloned().collect::<WeakSet<User>>();
    let both = &online & &admins;
    assert_eq!((both.clone(), numbers(&both)), (online.intersection(&admins), vec![4, 5]));
    assert_eq!(online.intersection(&admins).iter().count(), 2);
    let mut left = Vec::new();
    for user in online.difference(&admins) {
        left.push(user.0);
    }
    for user in &online - &admins {
        left.push(user.0);
    }
    left.sort();
    assert_eq!(left, [0, 0, 1, 1, 2, 2, 3, 3]);
    let mut set = online.clone();
    set |= &admins;
    assert_eq!(set.len(), 10);
    set -= &both;
    assert_eq!(set.len(), 8);
    set ^= &both;
    assert_eq!(set.len(), 10);
    set &= &online;
    assert_eq!(numbers(&set), [0, 1, 2, 3, 4, 5]);
    assert!(both.is_subset(&online) && online.is_superset(&both) && !both.is_disjoint(&admins));
    let (big, small): (WeakSet<User>, WeakSet<User>) = users.iter().cloned().partition(|user| user.0 > 5);
    assert_eq!((big.len(), small.len()), (4, 6));
    let by_address: PtrWeakSet<User> = online.iter().collect();
    assert_eq!(by_address.len(), 6);
}

#[test]
fn members_come_and_go() {
    let users: Vec<Arc<User>> = (0..10).map(|i| Arc::new(User(i))).collect();
    let online: WeakSet<User> = users[..6].iter().collect();
    assert!(online.contains(&User(3)) && !online.insert(&users[0]));
    online.extend(&users);
    (&online).extend(&users);
    assert_eq!(online.len(), 10);
    assert!(Arc::ptr_eq(&online.get_or_insert(User(3)), &users[3]));
    assert!(Arc::ptr_eq(&online.get_or_insert_with(&User(3), |_| Arc::new(User(3))), &users[3]));
    let names: WeakSet<str> = WeakSet::new();
    let x = names.get_or_insert_with("x", |name| name.into());
    assert!(Arc::ptr_eq(&names.get_or_insert_with("x", |name| Arc::from(name)), &x));
    assert!(Arc::ptr_eq(&names.get_or_insert("x"), &x));
    let mut popped = 0;
    while let Some(user) = online.pop() {
        assert!(Arc::ptr_eq(&user, &users[user.0 as usize]));
        popped += 1;
    }
    assert_eq!(popped, 10);
    let a: WeakValueMap<u8, User> = [(1, &users[0]), (2, &users[1])].into();
    let b = WeakValueMap::from([(1u8, &users[5])]);
    let joined = &a | &b;
    assert_eq!((joined.len(), &*joined.get(&1).unwrap()), (2, &User(5)));
}
