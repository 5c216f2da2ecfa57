//! `WeakList`: every method on both faces, order, identity, deaths, walks while all else goes on, hostile users, exact accounts.

use crate::common::{
    Counted, Over, Rng, Tally, flush_until, long, panics_as_planned, planned, seed, sized, together, watchdog,
};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, OnceLock};
use std::thread;
use weakly::{Arc, ObserverKind, Weak, WeakList, generic, unsize};

fn numbers(n: u64) -> Vec<Arc<u64>> {
    (0..n).map(Arc::new).collect()
}

/// What is in the list, by every way to walk over it, which must agree.
fn seen(list: &WeakList<u64>) -> Vec<u64> {
    let plain: Vec<u64> = list.iter().map(|n| *n).collect();
    let mut each = Vec::new();
    list.for_each(|n| each.push(**n));
    let weak: Vec<u64> = list.weak_iter().map(|n| *n.upgrade().unwrap()).collect();
    let snapshot: Vec<u64> = list.snapshot().iter().map(|n| **n).collect();
    let pinned = list.pin();
    let under: Vec<u64> = pinned.into_iter().map(|n| *n).collect();
    let mut each_under = Vec::new();
    pinned.for_each(|n| each_under.push(**n));
    let weak_under: Vec<u64> = pinned.weak_iter().map(|n| *n.upgrade().unwrap()).collect();
    let snapshot_under: Vec<u64> = pinned.snapshot().iter().map(|n| **n).collect();
    for other in [each, weak, snapshot, under, each_under, weak_under, snapshot_under] {
        assert_eq!(plain, other, "two ways to walk");
    }
    assert_eq!((list.len(), list.is_empty()), (plain.len(), plain.is_empty()));
    assert_eq!((pinned.len(), pinned.is_empty()), (plain.len(), plain.is_empty()));
    plain
}

/// A test on the plain and on the pinned face.
macro_rules! on_both {
    ($(fn $name:ident($list:ident, $face:ident) $body:block)*) => {$(
        mod $name {
            use super::*;
            #[test]
            fn plain() {
                let $list: WeakList<u64> = WeakList::new();
                let $face = &$list;
                $body
            }
            #[test]
            fn pinned() {
                let $list: WeakList<u64> = WeakList::new();
                let $face = &$list.pin();
                $body
            }
        }
    )*};
}

on_both! {
    fn elements_stand_in_the_order_of_their_insertion(list, face) {
        let all = numbers(sized(1_000, 40) as u64);
        for n in &all {
            face.push(n);
        }
        assert_eq!(seen(&list), (0..all.len() as u64).collect::<Vec<_>>());
        for n in all.iter().step_by(3) {
            assert!(face.remove(n));
        }
        assert_eq!(seen(&list), (0..all.len() as u64).filter(|n| n % 3 != 0).collect::<Vec<_>>());
        for n in all.iter().step_by(3) {
            face.push(n);
        }
        let (back, rest) = (0..all.len() as u64).partition::<Vec<_>, _>(|n| n % 3 == 0);
        assert_eq!(seen(&list), [rest, back].concat());
    }

    fn an_object_may_be_there_twice_and_both_go_with_it(list, face) {
        let (one, two) = (Arc::new(1), Arc::new(2));
        for n in [&one, &two, &one, &two, &one] {
            face.push(n);
        }
        assert_eq!((seen(&list), Arc::observer_count(&one)), (vec![1, 2, 1, 2, 1], 3));
        assert!(face.contains(&one));
        drop(one);
        assert_eq!((seen(&list), face.len()), (vec![2, 2], 2));
    }

    fn remove_takes_the_first_occurrence(list, face) {
        let (one, two) = (Arc::new(1), Arc::new(2));
        for n in [&one, &two, &one] {
            face.push(n);
        }
        assert!(face.remove(&one));
        assert_eq!(seen(&list), [2, 1]);
        assert!(face.remove(&one) && !face.remove(&one) && !face.contains(&one));
        assert_eq!((seen(&list), Arc::observer_count(&one)), (vec![2], 0));
    }

    fn identity_is_that_of_the_object_not_of_its_value(list, face) {
        let (one, same) = (Arc::new(1), Arc::new(1));
        face.push(&one);
        assert!(face.contains(&one) && !face.contains(&same) && !face.remove(&same));
        assert!(!face.remove_exact(&Arc::downgrade(&same)) && !face.remove_exact(&Weak::new()));
        assert!(face.remove_exact(&Arc::downgrade(&one)) && !face.remove_exact(&Arc::downgrade(&one)));
        assert!(seen(&list).is_empty());
    }

    fn a_dead_weak_pointer_removes_nothing(list, face) {
        let (one, two) = (Arc::new(1), Arc::new(2));
        face.push(&one);
        face.push(&two);
        let weak = Arc::downgrade(&one);
        drop(one);
        assert!(!face.remove_exact(&weak));
        assert_eq!(seen(&list), [2]);
    }

    fn pop_takes_the_newest_that_is_alive(list, face) {
        let mut all = numbers(5);
        for n in &all {
            face.push(n);
        }
        drop(all.pop());
        assert_eq!(face.pop().as_deref(), Some(&3));
        all.remove(2);
        assert_eq!((face.pop().as_deref(), face.pop().as_deref(), face.pop()), (Some(&1), Some(&0), None));
        assert_eq!((seen(&list).len(), Arc::observer_count(&all[0])), (0, 0));
        face.push(&all[0]);
        assert_eq!(seen(&list), [0]);
    }

    fn retain_asks_once_of_each_and_takes_out_what_is_refused(list, face) {
        let all = numbers(100);
        for n in &all {
            face.push(n);
        }
        face.push(&all[7]);
        let mut asked = Vec::new();
        face.retain(|n| {
            asked.push(**n);
            **n % 2 == 1
        });
        assert_eq!(asked, (0..100).chain([7]).collect::<Vec<_>>());
        assert_eq!(seen(&list), (0..100).filter(|n| n % 2 == 1).chain([7]).collect::<Vec<_>>());
    }

    fn retain_refuses_one_occurrence_and_keeps_the_other(list, face) {
        let (one, two) = (Arc::new(1), Arc::new(2));
        for n in [&one, &two, &one] {
            face.push(n);
        }
        let mut ones = 0;
        face.retain(|n| {
            ones += u64::from(**n == 1);
            **n != 1 || ones != 2
        });
        assert_eq!(seen(&list), [1, 2], "the later one");
    }

    fn retain_takes_nothing_else_out_if_what_it_refuses_has_gone_already(list, face) {
        let (one, two) = (Arc::new(1), Arc::new(2));
        for n in [&one, &two, &one] {
            face.push(n);
        }
        face.retain(|n| **n == 2 || !face.remove(n));
        assert_eq!(seen(&list), [2]);
    }

    fn clear_takes_all_out_and_the_list_goes_on(list, face) {
        let all = numbers(50);
        for n in &all {
            face.push(n);
        }
        face.clear();
        assert!(seen(&list).is_empty() && all.iter().all(|n| Arc::observer_count(n) == 0));
        face.clear();
        face.push(&all[3]);
        assert_eq!(seen(&list), [3]);
    }

    fn a_walk_ends_though_its_body_pushes(list, face) {
        let (one, two) = (Arc::new(1), Arc::new(2));
        face.push(&one);
        face.push(&two);
        let mut n = 0;
        for object in face.iter() {
            face.push(&object);
            n += 1;
        }
        face.for_each(|object| face.push(object));
        face.retain(|object| {
            face.push(object);
            true
        });
        assert_eq!((n, list.len()), (2, 16));
        assert_eq!(seen(&list), [1, 2].repeat(8));
    }

    fn a_walk_goes_on_though_its_body_takes_everything_else_out(list, face) {
        let all = numbers(100);
        for n in &all {
            face.push(n);
        }
        let mut first = None;
        for n in face.iter() {
            first.get_or_insert(*n);
            face.retain(|other| **other == *n);
        }
        assert_eq!(first, Some(0));
        assert!(list.len() <= 1);
    }

    fn what_died_before_the_walk_came_to_it_is_not_seen(list, face) {
        let mut all: Vec<_> = numbers(100).into_iter().map(Some).collect();
        for n in all.iter().flatten() {
            face.push(n);
        }
        let mut dead_seen = 0;
        for (i, n) in face.iter().enumerate() {
            if i == 0 {
                all.iter_mut().skip(40).for_each(|n| drop(n.take())); // further on than an iterator holds
            }
            dead_seen += usize::from(*n >= 40);
        }
        assert_eq!((dead_seen, list.len()), (0, 40));
    }
}

#[test]
fn the_dead_are_absent_at_once_and_len_falls_before_callbacks() {
    static LIST: WeakList<u64> = WeakList::new();
    let (five, told) = (Arc::new(5), StdArc::new(AtomicUsize::new(9)));
    let tell = told.clone();
    LIST.push(&five);
    LIST.push(&five);
    Arc::observe(&five, move |_| {
        tell.store(LIST.len() + LIST.iter().count() + LIST.weak_iter().count() + LIST.snapshot().len(), SeqCst);
    })
    .detach();
    let weak = Arc::downgrade(&five);
    drop(five);
    assert_eq!((told.load(SeqCst), LIST.len(), LIST.remove_exact(&weak)), (0, 0, false));
}

#[test]
fn a_value_taken_out_of_its_arc_leaves_the_list() {
    let (list, five) = (WeakList::new(), Arc::new(5));
    list.push(&five);
    assert_eq!((Arc::try_unwrap(five), list.len()), (Ok(5), 0));
}

#[test]
fn an_element_is_observed_where_it_was_pushed() {
    let (list, five) = (WeakList::new(), Arc::new(5));
    list.push(&five);
    let line = line!() - 1;
    let infos = Arc::observers(&five);
    assert_eq!((infos.len(), infos[0].kind), (1, ObserverKind::SetEntry));
    assert_eq!((infos[0].location.file(), infos[0].location.line()), (file!(), line));
    drop(list);
    assert_eq!(Arc::observer_count(&five), 0);
}

#[test]
fn filled_from_owned_and_borrowed_and_taken_apart() {
    let all = numbers(4);
    let mut list: WeakList<u64> = all.iter().collect();
    Extend::extend(&mut list, all.iter());
    Extend::extend(&mut list, all.clone());
    Extend::extend(&mut &list, [&all[0]]);
    list.extend(all.clone());
    list.extend(&all[..1]);
    let wanted: Vec<u64> = [0, 1, 2, 3].repeat(3).into_iter().chain([0, 0, 1, 2, 3, 0]).collect();
    let mut expected = wanted.clone();
    expected.sort();
    let mut sorted = seen(&list);
    assert_eq!(&sorted[..12], &wanted[..12]);
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(seen(&all.clone().into_iter().collect()), [0, 1, 2, 3]);
    assert_eq!(seen(&WeakList::from([&all[2], &all[1]])), [2, 1]);
    assert_eq!(seen(&WeakList::from([all[2].clone(), all[1].clone()])), [2, 1]);
    let owned: Vec<Arc<u64>> = WeakList::from([&all[2], &all[1]]).into_iter().collect();
    assert_eq!(owned, [all[2].clone(), all[1].clone()]);
    assert!(WeakList::<u64>::default().into_iter().next().is_none());
}

#[test]
fn a_clone_is_independent_and_in_the_same_order() {
    let mut all = numbers(3);
    let list: WeakList<u64> = all.iter().rev().collect();
    let clone = list.clone();
    list.remove(&all[1]);
    assert_eq!((seen(&list), seen(&clone)), (vec![2, 0], vec![2, 1, 0]));
    all.clear();
    assert!(list.is_empty() && clone.is_empty());
}

#[test]
fn debug_shows_the_live_elements() {
    let all = numbers(2);
    let list: WeakList<u64> = all.iter().collect();
    assert_eq!((format!("{list:?}"), format!("{:?}", list.pin())), ("[0, 1]".into(), "[0, 1]".into()));
}

#[test]
fn unsized_objects_of_every_kind() {
    trait Shape {
        fn corners(&self) -> usize;
    }
    struct Square;
    impl Shape for Square {
        fn corners(&self) -> usize {
            4
        }
    }
    let square = Arc::new(Square);
    let list: WeakList<dyn Shape> = WeakList::new();
    let shape = unsize!(square.clone() => dyn Shape);
    list.push(&shape);
    list.push(&unsize!(square.clone()));
    assert_eq!(list.iter().map(|shape| shape.corners()).sum::<usize>(), 8);
    assert!(list.contains(&shape) && list.remove(&unsize!(square.clone())));
    drop((square, shape));
    assert!(list.is_empty());

    let (str, slice): (Arc<str>, Arc<[u8]>) = (Arc::from("five"), Arc::from(vec![5]));
    assert_eq!(WeakList::from([&str]).snapshot()[0].len(), 4);
    assert_eq!(*WeakList::from([&slice]).pin().iter().next().unwrap(), [5]);
    let unit = (Arc::new(()), Arc::new(()));
    let list = WeakList::from([&unit.0]);
    assert!(list.contains(&unit.0) && !list.contains(&unit.1));
}

#[test]
fn lists_and_their_iterators_cross_threads() {
    fn shared<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    fn sent<T: Send + Sync>() {}
    shared::<WeakList<u64>>();
    shared::<WeakList<dyn Fn() + Send + Sync>>();
    sent::<generic::ListIter<'static, Arc<u64>>>(); // held over an await, say
    sent::<generic::ListWeakIter<'static, Arc<u64>>>();
}

#[test]
fn a_list_may_go_before_its_objects_and_after() {
    let tally = Tally::new();
    let all: Vec<_> = (0..20).map(|n| Arc::new(Counted::new(n, &tally))).collect();
    let (one, two): (WeakList<Counted>, WeakList<Counted>) = (all.iter().collect(), all.iter().collect());
    drop(one);
    assert!(all.iter().all(|n| Arc::observer_count(n) == 1));
    drop(all);
    assert_eq!((two.len(), tally.left()), (0, 0));
}

/// Its drop does what it is told.
struct Hostile {
    id: u64,
    drop: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        if let Some(drop) = self.drop.take() {
            drop();
        }
    }
}

fn hostile(id: u64, drop: impl FnOnce() + Send + Sync + 'static) -> Arc<Hostile> {
    Arc::new(Hostile { id, drop: Some(Box::new(drop)) })
}

fn ids(list: &WeakList<Hostile>) -> Vec<u64> {
    let ids: Vec<u64> = list.iter().map(|h| h.id).collect();
    assert_eq!(list.len(), ids.len());
    ids
}

#[test]
fn a_destructor_that_panics_leaves_the_list_whole() {
    let list = WeakList::new();
    let all: Vec<_> = (0..4).map(|id| hostile(id, || planned())).collect();
    list.extend(&all);
    let mut all = all.into_iter();
    let (zero, one, two) = (all.next().unwrap(), all.next().unwrap(), all.next().unwrap());
    assert!(panics_as_planned(|| drop(zero)));
    assert_eq!(ids(&list), [1, 2, 3]);
    // The walk's own owner is the last.
    let mut held = Some(one);
    assert!(panics_as_planned(|| list.for_each(|_| drop(held.take()))));
    assert_eq!(ids(&list), [2, 3]);
    let mut held = Some(two);
    assert!(panics_as_planned(|| list.retain(|_| {
        held.take();
        false
    })));
    assert_eq!(ids(&list), [3]);
    let popped = list.pop();
    drop(all.next());
    assert!(panics_as_planned(|| drop(popped)));
    assert!(ids(&list).is_empty());
}

#[test]
fn a_destructor_that_uses_its_list_gets_through() {
    static LIST: WeakList<Hostile> = WeakList::new();
    static LEFT: Mutex<Vec<Arc<Hostile>>> = Mutex::new(Vec::new());
    let _dog = watchdog();
    let visit = |id: u64| {
        move || {
            let new = Arc::new(Hostile { id, drop: None });
            LIST.push(&new);
            assert!(LIST.contains(&new) && LIST.iter().all(|h| h.id >= 100 || h.id < 3));
            LIST.retain(|h| h.id != 1_000);
            LIST.push(&Arc::new(Hostile { id: 1_000, drop: None })); // dies at once
            LEFT.lock().unwrap().push(new);
        }
    };
    let all: Vec<_> = (0..3).map(|id| hostile(id, visit(100 + id))).collect();
    LIST.extend(&all);
    drop(all);
    assert_eq!(ids(&LIST), [100, 101, 102]);
    // And where the walk's own owner is the last.
    let mut last = Some(hostile(1, visit(103)));
    LIST.push(last.as_ref().unwrap());
    let mut seen = Vec::new();
    LIST.for_each(|h| {
        last.take();
        seen.push(h.id);
    });
    assert_eq!((seen, ids(&LIST)), (vec![100, 101, 102, 1], vec![100, 101, 102, 103]));
    LEFT.lock().unwrap().clear();
    assert!(LIST.is_empty());
}

#[test]
fn a_callback_that_uses_the_list_gets_through() {
    static LIST: WeakList<u64> = WeakList::new();
    static KEPT: OnceLock<Arc<u64>> = OnceLock::new();
    let five = Arc::new(5);
    LIST.push(&five);
    Arc::observe(&five, |n| {
        LIST.push(KEPT.get_or_init(|| Arc::new(*n + 1)));
        assert_eq!(LIST.snapshot().len(), 1);
        LIST.clear();
        LIST.push(KEPT.get().unwrap());
    })
    .detach();
    drop(five);
    assert_eq!(seen(&LIST), [6]);
}

#[test]
fn a_closure_that_panics_leaves_the_list_whole() {
    let all = numbers(40);
    let list: WeakList<u64> = all.iter().collect();
    let fuse = |n: &Arc<u64>| if **n == 30 { planned() } else { **n >= 20 };
    assert!(panics_as_planned(|| list.for_each(|n| _ = fuse(n))));
    assert_eq!(list.len(), 40);
    assert!(panics_as_planned(|| list.retain(fuse)));
    assert_eq!(seen(&list), (20..40).collect::<Vec<_>>(), "what was refused before is out");
    let items = all.iter().map(|n| if **n == 3 { planned() } else { n });
    assert!(panics_as_planned(|| list.extend(items)));
    assert_eq!(seen(&list), (20..40).chain(0..3).collect::<Vec<_>>());
    assert!(all.iter().map(Arc::strong_count).all(|n| n == 1), "no owner was lost");
}

#[test]
fn no_guard_is_held_while_user_code_runs() {
    let _dog = watchdog();
    /// A grace period passes in here: this thread holds no guard.
    fn grace() {
        let tally = Tally::new();
        drop(Arc::new_deferred(Counted::new(0, &tally)));
        flush_until("a guard of the list's is held", || tally.left() == 0);
    }
    let all: Vec<_> = (0..3).map(|id| hostile(id, grace)).collect();
    let list: WeakList<Hostile> = all.iter().collect();
    list.for_each(|_| grace());
    for _ in &list {
        grace();
    }
    list.retain(|h| {
        grace();
        h.id != 0
    });
    let mut all = all.into_iter().skip(1);
    let mut last = all.next();
    list.for_each(|_| drop(last.take())); // the walk drops the last owner
    let (weak, last) = (Arc::downgrade(&all.next().unwrap()), list.pop());
    assert!(weak.upgrade().is_none() == last.is_none());
    drop(last);
    assert!(list.is_empty());
}

/// Threads that push, remove and drop their own objects: each knows exactly what is there of it.
#[test]
fn several_threads_keep_exact_accounts() {
    let _dog = watchdog();
    let seed = seed();
    const THREADS: usize = sized(4, 3);
    let list: WeakList<(usize, u64)> = WeakList::new();
    let left = Mutex::new(vec![Vec::new(); THREADS]);
    /// What a walk sees of what a thread owns: what that has dropped may yet live a little, in another's walk.
    fn mine_of(walk: impl Iterator<Item = Arc<(usize, u64)>>, mine: &[Arc<(usize, u64)>]) -> Vec<u64> {
        walk.filter(|o| mine.iter().any(|mine| Arc::ptr_eq(mine, o))).map(|o| o.1).collect()
    }
    for _ in 0..sized(3, 1) * long() {
        together(THREADS, |thread| {
            let mut rng = Rng::new(seed, thread);
            let mut mine: Vec<Arc<(usize, u64)>> = Vec::new();
            let mut there: Vec<u64> = Vec::new(); // in order
            for n in 0..sized(4_000, 60) as u64 {
                match rng.below(10) {
                    0..=3 => {
                        let new = Arc::new((thread, n));
                        list.push(&new);
                        there.push(n);
                        mine.push(new);
                    }
                    4 if !mine.is_empty() => {
                        let again = &mine[rng.below(mine.len())];
                        list.push(again);
                        there.push(again.1);
                    }
                    5 | 6 if !mine.is_empty() => {
                        let object = &mine[rng.below(mine.len())];
                        let first = there.iter().position(|&n| n == object.1);
                        assert_eq!(list.contains(object), first.is_some());
                        assert_eq!(list.remove(object), first.is_some());
                        first.map(|first| there.remove(first));
                    }
                    7 | 8 if !mine.is_empty() => {
                        let dead = mine.swap_remove(rng.below(mine.len()));
                        there.retain(|&n| n != dead.1);
                        drop(dead);
                    }
                    9 if n % 8 == 0 => {
                        assert_eq!(mine_of(list.iter(), &mine), there, "each once, in order");
                        assert_eq!(mine_of(list.pin().iter(), &mine), there, "each once, in order");
                    }
                    _ if rng.below(50) == 0 => {
                        let refused = rng.next() % 2;
                        list.retain(|o| o.0 != thread || o.1 % 2 != refused);
                        there.retain(|n| n % 2 != refused);
                    }
                    _ => {}
                }
            }
            assert_eq!(mine_of(list.iter(), &mine), there);
            left.lock().unwrap()[thread] = mine;
        });
        let owners = std::mem::replace(&mut *left.lock().unwrap(), vec![Vec::new(); THREADS]);
        let observed: usize = owners.iter().flatten().map(Arc::observer_count).sum();
        assert_eq!((list.len(), list.iter().count()), (observed, observed), "each element has its hook, and no more");
        drop(owners);
        assert_eq!((list.len(), list.iter().count()), (0, 0));
    }
}

#[test]
fn each_element_is_popped_once() {
    let _dog = watchdog();
    const THREADS: usize = sized(4, 3);
    const EACH: usize = sized(2_000, 30);
    let list: WeakList<AtomicUsize> = WeakList::new();
    let owners: Vec<Vec<_>> =
        (0..THREADS).map(|_| (0..EACH).map(|_| Arc::new(AtomicUsize::new(0))).collect()).collect();
    let popped = AtomicUsize::new(0);
    together(THREADS, |thread| {
        for object in &owners[thread] {
            list.push(object);
            let pop = list.pop().expect("each thread has pushed as much as it has popped");
            assert_eq!(pop.fetch_add(1, SeqCst), 0, "twice");
            popped.fetch_add(1, SeqCst);
        }
    });
    assert_eq!((popped.load(SeqCst), list.len()), (THREADS * EACH, 0));
    assert!(owners.iter().flatten().all(|object| Arc::observer_count(object) == 0));
}

/// Walks see what is there throughout, once and in order, and nothing that was dead when they began.
#[test]
fn walks_under_churn_see_each_once_and_in_order() {
    let _dog = watchdog();
    let seed = seed();
    const STEADY: u64 = sized(100, 20) as u64;
    const COMING: u64 = 1 << 20;
    let list: WeakList<u64> = WeakList::new();
    let mut rng = Rng::new(seed, 9);
    // The steady ones stand among others, which then go.
    let mut between = Vec::new();
    let steady: Vec<_> = (0..STEADY)
        .map(|n| {
            between.extend((0..rng.below(4)).map(|_| Arc::new(COMING)));
            list.extend(&between);
            let steady = Arc::new(n);
            list.push(&steady);
            steady
        })
        .collect();
    let (done, dead) = (AtomicBool::new(false), [const { AtomicUsize::new(COMING as usize) }; 2]);
    thread::scope(|scope| {
        let _over = Over(&done);
        for (i, dead) in dead.iter().enumerate() {
            let (list, done) = (&list, &done);
            scope.spawn(move || {
                let mut rng = Rng::new(seed, i);
                let (mut next, mut held) = (COMING + 2 + i as u64, Vec::new());
                while !done.load(SeqCst) {
                    for _ in 0..rng.below(sized(300, 12)) {
                        let object = Arc::new(next);
                        list.push(&object);
                        match rng.below(4) {
                            0 => drop(object),
                            1 => assert!(list.remove(&object)),
                            _ => held.push(object),
                        }
                        next += 2;
                    }
                    held.clear();
                    dead.store(next as usize, SeqCst); // all before are gone
                }
            });
        }
        drop(between);
        for round in 0..sized(300, 4) * long() {
            let gone = [0, 1].map(|i: usize| dead[i].load(SeqCst) as u64);
            let seen: Vec<u64> = match round % 6 {
                0 => list.iter().map(|n| *n).collect(),
                1 => list.pin().iter().map(|n| *n).collect(),
                2 => list.weak_iter().filter_map(|n| n.upgrade()).map(|n| *n).collect(),
                3 => list.snapshot().iter().map(|n| **n).collect(),
                4 => {
                    let mut seen = Vec::new();
                    list.for_each(|n| seen.push(**n));
                    seen
                }
                _ => {
                    let mut seen = Vec::new();
                    list.retain(|n| {
                        seen.push(**n);
                        true
                    });
                    seen
                }
            };
            let (old, new): (Vec<u64>, Vec<u64>) = seen.into_iter().partition(|&n| n < STEADY);
            assert_eq!(old, (0..STEADY).collect::<Vec<_>>(), "round {round}");
            for i in 0..2 {
                let of_one: Vec<u64> = new.iter().copied().filter(|n| n % 2 == i).collect();
                assert!(of_one.is_sorted_by(|a, b| a < b), "one thread's in order, and none twice");
                assert!(of_one.first().is_none_or(|&n| n >= gone[i as usize]), "round {round}: the dead were seen");
            }
        }
    });
    assert_eq!(list.len() as u64, STEADY);
    assert!(steady.iter().all(|n| list.contains(n)));
}

/// Lists that share objects, dropped while these die on other threads.
#[test]
fn lists_and_objects_go_at_the_same_time() {
    let _dog = watchdog();
    for _ in 0..sized(200, 4) * long() {
        let tally = Tally::new();
        let all: Vec<_> = (0..20).map(|n| Arc::new(Counted::new(n, &tally))).collect();
        let lists = [(); 2].map(|()| Mutex::new(Some(all.iter().collect::<WeakList<_>>())));
        let halves = Mutex::new(vec![all[..10].to_vec(), all[10..].to_vec()]);
        drop(all);
        together(4, |thread| match thread {
            0 | 1 => drop(lists[thread].lock().unwrap().take()),
            _ => drop(halves.lock().unwrap().pop()),
        });
        assert_eq!(tally.left(), 0);
    }
}
