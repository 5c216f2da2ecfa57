//! Races for the counts: who owns a death, who is alone.

use loom::thread::spawn;
use loom_tests::{Drops, Owners, Witness, model};
use weakly::{Arc, Weak, pin};

/// An upgrade that finds exactly 0 gives the pending dropper its count back; whoever is last destroys.
#[test]
fn upgrade_or_last_drop() {
    model("upgrade / last drop", || {
        let (owners, arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let owners = owners.clone();
            move || {
                if let Some(arc) = owners.upgrade(&weak) {
                    owners.drop(arc);
                }
            }
        });
        owners.drop(arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// The upgrader gives its weak count up first: the block's memory hangs on the strong counts alone.
#[test]
fn upgrade_then_weak_drop_or_last_drop() {
    model("upgrade, weak drop / last drop", || {
        let (owners, arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let owners = owners.clone();
            move || {
                let arc = owners.upgrade(&weak);
                drop(weak);
                if let Some(arc) = arc {
                    owners.drop(arc);
                }
            }
        });
        owners.drop(arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// Of two upgraders only the one that found 0 gives the count back.
#[test]
fn two_upgraders_and_the_pending_dropper() {
    model("two upgraders / pending dropper", || {
        let (owners, arc) = Owners::one();
        let others = [(); 2].map(|()| {
            let (owners, weak) = (owners.clone(), Arc::downgrade(&arc));
            spawn(move || {
                let arc = owners.upgrade(&weak);
                drop(weak);
                if let Some(arc) = arc {
                    owners.drop(arc);
                }
            })
        });
        owners.drop(arc);
        others.into_iter().for_each(|t| t.join().unwrap());
        owners.all_gone();
    });
}

/// The value's uses by all owners come before its destruction.
#[test]
fn clone_or_drop() {
    model("clone / drop", || {
        let (owners, arc) = Owners::one();
        let others = [(); 2].map(|()| {
            let (owners, arc) = (owners.clone(), owners.more(&arc));
            spawn(move || {
                let more = owners.more(&arc);
                owners.drop(arc);
                owners.drop(more);
            })
        });
        owners.drop(arc);
        others.into_iter().for_each(|t| t.join().unwrap());
        owners.all_gone();
    });
}

/// `get_mut` looks at the state after it has seen the weak count alone: an upgrader whose `Weak` is gone shows there.
#[test]
fn get_mut_or_upgrade_then_weak_drop() {
    model("get_mut / upgrade, weak drop", || {
        let (owners, mut arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let owners = owners.clone();
            move || {
                let arc = owners.upgrade(&weak);
                drop(weak);
                if let Some(arc) = arc {
                    owners.drop(arc);
                }
            }
        });
        if let Some(value) = Arc::get_mut(&mut arc) {
            value.write();
        }
        owners.drop(arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// What was done by way of a `Weak` comes before the `&mut` that its end allows.
#[test]
fn get_mut_or_upgrade_and_drop_then_weak_drop() {
    model("get_mut / upgrade, drop, weak drop", || {
        let (owners, mut arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let owners = owners.clone();
            move || {
                if let Some(arc) = owners.upgrade(&weak) {
                    owners.drop(arc);
                }
            }
        });
        if let Some(value) = Arc::get_mut(&mut arc) {
            value.write();
        }
        owners.drop(arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// A downgrade waits while an owner looks whether it is alone; what the `&mut` wrote comes before the new `Weak`'s uses.
#[test]
fn get_mut_or_downgrade_and_weak_drop() {
    model("get_mut / downgrade, drop, upgrade, weak drop", || {
        let (owners, mut arc) = Owners::one();
        let other = spawn({
            let (owners, arc) = (owners.clone(), owners.more(&arc));
            move || {
                let weak = Arc::downgrade(&arc);
                owners.drop(arc);
                if let Some(arc) = owners.upgrade(&weak) {
                    owners.drop(arc);
                }
            }
        });
        if let Some(value) = Arc::get_mut(&mut arc) {
            value.write();
        }
        owners.drop(arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// Three parties on the weak word.
#[test]
fn get_mut_or_downgrade_or_weak_drop() {
    model("get_mut / downgrade, drop, weak drop / weak drop", || {
        let (owners, mut arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let first = spawn({
            let (owners, arc) = (owners.clone(), owners.more(&arc));
            move || {
                let weak = Arc::downgrade(&arc);
                owners.drop(arc);
                drop(weak);
            }
        });
        let second = spawn(move || drop(weak));
        if let Some(value) = Arc::get_mut(&mut arc) {
            value.write();
        }
        owners.drop(arc);
        first.join().unwrap();
        second.join().unwrap();
        owners.all_gone();
    });
}

/// Two owners ask at once: at most the last one left gets the `&mut`.
#[test]
fn get_mut_or_get_mut() {
    model("get_mut / get_mut", || {
        let (owners, arc) = Owners::one();
        let try_and_drop = |owners: &Owners, mut arc: Arc<Witness>| {
            if let Some(value) = Arc::get_mut(&mut arc) {
                value.write();
            }
            owners.drop(arc);
        };
        let other = spawn({
            let (owners, arc) = (owners.clone(), owners.more(&arc));
            move || try_and_drop(&owners, arc)
        });
        try_and_drop(&owners, arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// Whoever looked whether it was alone puts the weak count back as it found it: with all that it had seen.
#[test]
fn get_mut_by_an_upgrade_or_last_drop() {
    model("upgrade, weak drop, get_mut / last drop", || {
        let (owners, arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let owners = owners.clone();
            move || {
                let arc = owners.upgrade(&weak);
                drop(weak);
                if let Some(mut arc) = arc {
                    if let Some(value) = Arc::get_mut(&mut arc) {
                        value.write();
                    }
                    owners.drop(arc);
                }
            }
        });
        owners.drop(arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// Takes the value out and destroys it, or drops the owner.
fn unwrap_or_drop(owners: &Owners, arc: Arc<Witness>) {
    match Arc::try_unwrap(arc) {
        Ok(mut value) => {
            value.write();
            drop(value);
            owners.less();
        }
        Err(arc) => owners.drop(arc),
    }
}

/// Taking the value out is a death: an upgrade comes before it, and hinders it, or fails.
#[test]
fn unwrap_or_upgrade() {
    model("try_unwrap / upgrade, weak drop", || {
        let (owners, arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let owners = owners.clone();
            move || {
                let arc = owners.upgrade(&weak);
                drop(weak);
                if let Some(arc) = arc {
                    owners.drop(arc);
                }
            }
        });
        unwrap_or_drop(&owners, arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// Taking out by one that upgraded from 0, while the pending dropper is still at it and a third upgrades.
#[test]
fn unwrap_or_upgrade_or_pending_dropper() {
    model("upgrade, try_unwrap / upgrade / last drop", || {
        let (owners, arc) = Owners::one();
        let first = spawn({
            let (owners, weak) = (owners.clone(), Arc::downgrade(&arc));
            move || {
                if let Some(arc) = owners.upgrade(&weak) {
                    unwrap_or_drop(&owners, arc);
                }
            }
        });
        let second = spawn({
            let (owners, weak) = (owners.clone(), Arc::downgrade(&arc));
            move || {
                if let Some(arc) = owners.upgrade(&weak) {
                    owners.drop(arc);
                }
            }
        });
        owners.drop(arc);
        first.join().unwrap();
        second.join().unwrap();
        owners.all_gone();
    });
}

/// Of owners that all ask for the value, exactly one gets it.
#[test]
fn into_inner_or_into_inner() {
    model("into_inner / into_inner", || {
        let drops = Drops::new();
        let arc = Arc::new(Witness::new(&drops));
        let more = Arc::clone(&arc);
        let other = spawn(move || {
            more.read();
            Arc::into_inner(more).map(|mut value| value.write()).is_some()
        });
        arc.read();
        let ours = Arc::into_inner(arc).map(|mut value| value.write()).is_some();
        let theirs = other.join().unwrap();
        assert!(ours ^ theirs, "exactly one owner gets the value");
        assert_eq!(drops.now(), 1);
    });
}

/// The same beside an upgrade: the value comes out, or the upgrader is the last owner.
#[test]
fn into_inner_or_upgrade() {
    model("into_inner / into_inner / upgrade", || {
        let (owners, arc) = Owners::one();
        let take = |owners: &Owners, arc: Arc<Witness>| {
            arc.read();
            drop(Arc::into_inner(arc));
            owners.less();
        };
        let first = spawn({
            let (owners, arc) = (owners.clone(), owners.more(&arc));
            move || take(&owners, arc)
        });
        let second = spawn({
            let (owners, weak) = (owners.clone(), Arc::downgrade(&arc));
            move || {
                if let Some(arc) = owners.upgrade(&weak) {
                    owners.drop(arc);
                }
            }
        });
        take(&owners, arc);
        first.join().unwrap();
        second.join().unwrap();
        owners.all_gone();
    });
}

/// Upgrades fail until the value is there; what failed before leaves nothing behind that a live object could trip over.
#[test]
fn cyclic_publish_or_upgrade() {
    model("new_cyclic publish / upgrade, upgrade", || {
        let drops = Drops::new();
        let mut other = None;
        let arc = Arc::new_cyclic(|me: &Weak<Witness>| {
            let me = me.clone();
            other = Some(spawn(move || {
                for _ in 0..2 {
                    if let Some(arc) = me.upgrade() {
                        arc.read();
                    }
                }
            }));
            let mut value = Witness::new(&drops);
            value.write();
            value
        });
        arc.read();
        drop(arc);
        other.unwrap().join().unwrap();
        assert_eq!(drops.now(), 1);
    });
}

/// The last drop without another weak count takes no exchange: that needs the state once more and the hooks' head.
#[test]
fn sole_owner_or_upgrade_then_weak_drop() {
    model("upgrade, downgrade, drop / weak drop / last drop", || {
        let (owners, arc) = Owners::one();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let owners = owners.clone();
            move || {
                let arc = owners.upgrade(&weak);
                drop(weak);
                if let Some(arc) = arc {
                    let weak = Arc::downgrade(&arc);
                    owners.drop(arc);
                    drop(weak);
                }
            }
        });
        owners.drop(arc);
        other.join().unwrap();
        owners.all_gone();
    });
}

/// A deferred value's death is at once, its destructor after every guard, and once.
#[test]
fn deferred_last_drop_or_upgrade() {
    model("deferred: upgrade, weak drop / last drop", || {
        let drops = Drops::new();
        let arc = Arc::new_deferred(Witness::new(&drops));
        let weak = Arc::downgrade(&arc);
        let other = spawn(move || {
            let guard = pin();
            let arc = weak.upgrade();
            drop(weak);
            if let Some(arc) = arc {
                let value = Arc::as_ptr(&arc);
                drop(arc);
                // SAFETY: alive under the guard, so not destroyed before the guard goes.
                unsafe { &*value }.read();
            }
            drop(guard);
        });
        drop(arc);
        other.join().unwrap();
        pin().flush();
        assert_eq!(drops.now(), 1);
    });
}

/// Whoever sees that an object is dead sees what its owners did before.
#[test]
fn death_seen_shows_what_came_before() {
    model("death seen / what came before", || {
        let drops = Drops::new();
        let before = std::sync::Arc::new(Witness::new(&drops));
        let arc = Arc::new(());
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let before = before.clone();
            move || {
                if !weak.is_alive() || weak.upgrade().is_none() {
                    before.read();
                }
            }
        });
        before.touch();
        drop(arc);
        other.join().unwrap();
    });
}

/// The same of a death by which the value was taken out.
#[test]
fn departure_seen_shows_what_came_before() {
    model("try_unwrap seen / what came before", || {
        let drops = Drops::new();
        let before = std::sync::Arc::new(Witness::new(&drops));
        let arc = Arc::new(());
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let before = before.clone();
            move || {
                if !weak.is_alive() {
                    before.read();
                }
            }
        });
        before.touch();
        Arc::try_unwrap(arc).expect("the only owner");
        other.join().unwrap();
    });
}
