//! Guests: `src/std_arc`, and what it uses of the block, the hooks and the table.

use super::{Break, caught, missed};

const ANCHOR: &str = "src/std_arc/anchor.rs";
const POINTER: &str = "src/std_arc/pointer.rs";
/// Where what the models have for `std`'s `Arc` is.
const STAND_IN: &str = "loom-tests/tests/guest.rs";
const HOLD: &str = "src/pointer.rs";
const OBSERVER: &str = "src/ptr/observer.rs";
const FACE: &str = "src/generic/object_face.rs";
const HANDOFF: &str = "src/table/handoff.rs";
const HOOK: &str = "src/death/hook.rs";
const MODEL: &str = "src/sync/model.rs";
const PROBE: &str = "src/table/probe.rs";
const TABLE: &str = "src/table/mod.rs";
const WALK: &str = "src/table/walk.rs";
const WRITE: &str = "src/table/write.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    // The anchor's word.
    caught("an anchor's block is published relaxed", &["guest::first_register_or_first_register", "guest::list_or_first_register"], &[(ANCHOR, "block, Ordering::AcqRel, Ordering::Acquire)", "block, Ordering::Acquire, Ordering::Acquire)")]),
    missed("who makes an anchor's block acquires nothing", &["guest"], &[(ANCHOR, "block, Ordering::AcqRel, Ordering::Acquire)", "block, Ordering::Release, Ordering::Acquire)")], "it reads the null that the anchor was made with, which is all that came before; it would matter if the word went back to null"),
    caught("who comes second with an anchor's block acquires nothing", &["guest::first_register_or_first_register"], &[(ANCHOR, "block, Ordering::AcqRel, Ordering::Acquire)", "block, Ordering::AcqRel, Ordering::Relaxed)")]),
    caught("an anchor's block is read relaxed", &["guest::first_register_or_first_register", "guest::list_or_first_register"], &[(ANCHOR, "let block = self.block.load(Ordering::Acquire);", "let block = self.block.load(Ordering::Relaxed);")]),
    caught("an anchor's block is published by a store", &["guest::first_register_or_first_register"], &[(ANCHOR, "match self.block.compare_exchange(null_mut(), block, Ordering::AcqRel, Ordering::Acquire) {", "self.block.store(block, Ordering::Release);\n        match Ok::<*mut (), *mut ()>(block) {")]),
    caught("who comes second hooks to a block of its own", &["guest::first_register_or_first_register"], &[(ANCHOR, "Err(won) => ManuallyDrop::new(unsafe { Arc::from_raw(won) }),", "Err(_) => ManuallyDrop::new(new),")]),
    caught("who comes second keeps its block", &["guest::first_register_or_first_register"], &[(ANCHOR, "Err(won) => ManuallyDrop::new(unsafe { Arc::from_raw(won) }),", "Err(won) => {\n                std::mem::forget(new);\n                ManuallyDrop::new(unsafe { Arc::from_raw(won) })\n            }")]),
    caught("an entry takes the anchor's own count", &["guest::contains_or_replace_and_take_out", "guest::contains_or_replace_hand_on_and_take_out", "guest::first_register_or_first_register", "guest::get_or_replace_and_drop", "guest::get_or_replace_and_take_out", "guest::get_or_replace_hand_on_and_take_out", "guest::last_drop_or_clear", "guest::last_drop_or_insert", "guest::last_drop_or_map_drop", "guest::last_drop_or_remove", "guest::look_or_last_drop", "guest::look_or_taken_out_and_put_into_a_new_arc", "guest::moved_out_drop_or_insert", "guest::register_by_upgrade_or_last_drop", "guest::walk_or_replace_and_take_out"], &[(ANCHOR, "Arc::hold(&self.owner())", "Arc::hold(&ManuallyDrop::into_inner(self.owner()))")]),
    caught("an entry holds no weak count of the block", &["guest::an_owner_that_is_not_wanted", "guest::contains_or_replace_and_take_out", "guest::contains_or_replace_hand_on_and_take_out", "guest::first_register_or_first_register", "guest::get_or_replace_and_drop", "guest::get_or_replace_and_take_out", "guest::get_or_replace_hand_on_and_take_out", "guest::last_drop_or_clear", "guest::last_drop_or_insert", "guest::last_drop_or_last_handle_of_the_map", "guest::last_drop_or_map_drop", "guest::last_drop_or_remove", "guest::look_or_last_drop", "guest::look_or_taken_out_and_put_into_a_new_arc", "guest::moved_out_drop_or_insert", "guest::register_by_upgrade_or_last_drop", "guest::walk_or_replace_and_take_out"], &[(HOLD, "        this.header().downgrade(1);\n", "")]),
    caught("an anchor's drop is no death", &["guest::an_owner_that_is_not_wanted", "guest::cancel_or_last_drop", "guest::contains_or_replace_and_take_out", "guest::contains_or_replace_hand_on_and_take_out", "guest::first_register_or_first_register", "guest::get_or_replace_and_drop", "guest::get_or_replace_and_take_out", "guest::get_or_replace_hand_on_and_take_out", "guest::last_drop_or_clear", "guest::last_drop_or_insert", "guest::last_drop_or_last_handle_of_the_map", "guest::last_drop_or_map_drop", "guest::last_drop_or_remove", "guest::list_or_first_register", "guest::look_or_last_drop", "guest::look_or_taken_out_and_put_into_a_new_arc", "guest::moved_out_drop_or_insert", "guest::register_by_upgrade_or_last_drop", "guest::walk_or_replace_and_take_out"], &[(ANCHOR, "contain(|| drop(owner));", "std::mem::forget(owner);")]),
    // A look that fails.
    caught("a look at a dead guest has no fence", &["guest::get_or_replace_and_drop", "guest::get_or_replace_and_take_out", "guest::contains_or_replace_and_take_out", "guest::walk_or_replace_and_take_out", "guest::get_or_replace_hand_on_and_take_out", "guest::contains_or_replace_hand_on_and_take_out"], &[(POINTER, "    fence(Ordering::SeqCst);\n", "")]),
    caught("a look at a dead guest has a fence that only acquires", &["guest::get_or_replace_hand_on_and_take_out", "guest::contains_or_replace_hand_on_and_take_out"], &[(POINTER, "    fence(Ordering::SeqCst);\n", "    fence(Ordering::Acquire);\n")]),
    caught("a writer leaves its shard without a fence, and looks at its queue by a lock", &["guest::get_or_replace_hand_on_and_take_out", "guest::contains_or_replace_hand_on_and_take_out"], &[
        (HANDOFF, "        // SeqCst: pairs with the fence in `post`.\n        fence(Ordering::SeqCst);\n", ""),
        (MODEL, "        self.len() == 0\n", "        self.items.lock().unwrap().is_empty()\n"),
    ]),
    caught("a failed upgrade of a guest sees no death", &["guest::get_or_replace_and_drop", "guest::get_or_replace_and_take_out", "guest::get_or_replace_hand_on_and_take_out"], &[(STAND_IN, "        if revived.is_none() {\n            see_death();\n        }\n", "")]),
    caught("a look at a dead guest's count sees no death", &["guest::contains_or_replace_and_take_out", "guest::walk_or_replace_and_take_out", "guest::contains_or_replace_hand_on_and_take_out"], &[(STAND_IN, "        if !alive {\n            see_death();\n        }\n", "")]),
    missed("a failed upgrade of `std`'s own sees no death", &["guest::get_or_replace_and_take_out", "guest::contains_or_replace_and_take_out", "guest::walk_or_replace_and_take_out", "guest::get_or_replace_and_drop", "guest::get_or_replace_hand_on_and_take_out", "guest::contains_or_replace_hand_on_and_take_out"], &[(POINTER, "        if revived.is_none() {\n            see_death();\n        }\n", "")], "loom would have to see `std`'s `Arc`; what stands for it in the models has the same step, which is noticed: two rows above"),
    missed("a look at `std`'s own count sees no death", &["guest::get_or_replace_and_take_out", "guest::contains_or_replace_and_take_out", "guest::walk_or_replace_and_take_out", "guest::get_or_replace_and_drop", "guest::get_or_replace_hand_on_and_take_out", "guest::contains_or_replace_hand_on_and_take_out"], &[(POINTER, "        if !alive {\n            see_death();\n        }\n", "")], "as the row above"),
    caught("a dead guest's entry counts, whatever is in its slot now", &["guest::get_or_replace_and_drop", "guest::get_or_replace_and_take_out", "guest::contains_or_replace_and_take_out"], &[
        (PROBE, "Look::Dead if bucket.slot(slot) == found && self.array.load(Ordering::Acquire) == loaded => {}", "Look::Dead => {}"),
        (PROBE, "                        Look::Dead => continue 'again,\n", ""),
    ]),
    caught("a walk over guests never looks again", &["guest::walk_or_replace_and_take_out"], &[(WALK, "let doubtful = n > 1 || out.len() == start;", "let doubtful = false;")]),
    // Entries and callbacks, by way of the block.
    caught("a guest's death doesn't ask whose the entry is", &["guest::last_drop_or_clear"], &[(TABLE, "if node.as_ref().mark.claim(Cause::Died) {", "if { node.as_ref().mark.claim(Cause::Died); true } {")]),
    caught("a guest's death leaves its entry in the map", &["guest::an_owner_that_is_not_wanted", "guest::contains_or_replace_and_take_out", "guest::contains_or_replace_hand_on_and_take_out", "guest::first_register_or_first_register", "guest::get_or_replace_and_drop", "guest::get_or_replace_and_take_out", "guest::get_or_replace_hand_on_and_take_out", "guest::last_drop_or_clear", "guest::last_drop_or_insert", "guest::last_drop_or_last_handle_of_the_map", "guest::last_drop_or_map_drop", "guest::last_drop_or_remove", "guest::look_or_last_drop", "guest::look_or_taken_out_and_put_into_a_new_arc", "guest::moved_out_drop_or_insert", "guest::register_by_upgrade_or_last_drop", "guest::walk_or_replace_and_take_out"], &[(TABLE, "            shard.bury(core, node, guard);\n", "")]),
    caught("a guest's death closes its list before it pins", &["guest::last_drop_or_clear"], &[(HOOK, "        let guard = reclaim::pin();\n        let mut at = head.lock().close();", "        let mut at = head.lock().close();\n        let guard = reclaim::pin();")]),
    caught("an inserter overwrites a dead entry whose anchor has not dropped", &["guest::moved_out_drop_or_insert_and_map_drop"], &[(WRITE, "filter(|&dead| has_died(dead));", "filter(|&dead| has_died(dead) || true);")]),
    caught("a clear takes what guests' deaths have claimed", &["guest::last_drop_or_clear"], &[(WRITE, "if node.as_ref().mark.claim(Cause::Cleared) {", "if node.as_ref().mark.claim(Cause::Cleared) || true {")]),
    caught("a map's drop leaves its hooks with guests", &["guest::last_drop_or_clear", "guest::last_drop_or_map_drop"], &[(WRITE, "            Node::unregister(node, None);\n", "            if cause != Cause::Cleared {\n                Node::unregister(node, None);\n            }\n")]),
    caught("a map's core is freed while guests die", &["guest::last_drop_or_map_drop", "guest::last_drop_or_upgrade_or_map_drop"], &[(TABLE, "            guard.retire(size_of::<Core<E>>(), move || Core::leave(core));\n        }\n    }\n}", "            Core::leave(core);\n        }\n    }\n}")]),
    caught("a guest's callback runs though it was cancelled", &["guest::cancel_or_last_drop"], &[(OBSERVER, "if !self.armed.swap(false, Ordering::Relaxed) {", "let armed = self.armed.load(Ordering::Relaxed);\n        self.armed.store(false, Ordering::Relaxed);\n        if !armed {")]),
    caught("a guest that is not wanted goes under a guard", &["guest"], &[(FACE, "                    return after(($key, value), there);\n", "                    let _guard = self.hold();\n                    return after(($key, value), there);\n")]),
];
