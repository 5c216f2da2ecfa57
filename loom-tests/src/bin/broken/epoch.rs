//! The crate over the real epoch: what is given up too early, or looked at under no guard, or under one that was taken too late.

use super::{Break, caught};

const SLOT: &str = "src/atomic/slot.rs";
const RECLAIM: &str = "src/reclaim/mod.rs";
const HOOK: &str = "src/death/hook.rs";
const NODE: &str = "src/table/node.rs";
const SHARD: &str = "src/table/shard.rs";
const TABLE: &str = "src/table/mod.rs";
const WRITE: &str = "src/table/write.rs";
const LIST_NODE: &str = "src/list/node.rs";
const LIST_WRITE: &str = "src/list/write.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    caught("a load under no guard", &["epoch::load_take", "epoch::weak_load_death_take"], &[
        (SLOT, "        let guard = pin();\n        loop {", "        loop {"),
        (SLOT, "self.peek(&guard).map_or", "self.peek(&pin()).map_or"),
    ]),
    caught("the trace doesn't wait for who holds a guard", &["epoch::load_take"], &[(RECLAIM, "unsafe { guard.retire(bytes, move || release_weak(value.get())) };", "let _ = (guard, bytes);\n    unsafe { release_weak(value.get()) };")]),
    caught("the trace is never given back", &["epoch::load_take", "epoch::weak_load_death_take"], &[(SLOT, "unsafe { retire_weak(&pin(), trace.value()) };", "let _ = || unsafe { retire_weak(&pin(), trace.value()) };")]),
    caught("the trace is retired before the exchange", &["epoch::load_take"], &[
        (SLOT, "        let old = self.word.swap(new, Ordering::AcqRel);\n", "        let trace = ManuallyDrop::new(self.load().to_weak());\n        if !trace.is_nowhere() {\n            unsafe { retire_weak(&pin(), trace.value()) };\n        }\n        let old = self.word.swap(new, Ordering::AcqRel);\n"),
        (SLOT, "    let trace = ManuallyDrop::new(old.to_weak());\n    if !trace.is_nowhere() {\n        // SAFETY: the weak count just taken.\n        unsafe { retire_weak(&pin(), trace.value()) };\n    }\n", ""),
    ]),
    caught("a deferred value doesn't wait for who holds a guard", &["epoch::read_of_a_deferred_value_take", "epoch::read_repin_read_take"], &[(RECLAIM, "        guard.retire(bytes, move || Ripe::push(move || death::destroy_ripe(value.get())));\n", "        let _ = (guard, bytes);\n        Ripe::push(move || death::destroy_ripe(value.get()));\n")]),
    caught("a node is freed at once", &["epoch::get_remove", "epoch::get_death", "epoch::death_clear", "epoch::death_cancel_clear"], &[(NODE, "            guard.retire(bytes, move || {\n                if E::DROPS_USER_CODE {\n                    Ripe::push(move || drop(Box::from_raw(this.as_ptr())));\n                } else {\n                    drop(Box::from_raw(this.as_ptr()));\n                }\n            });", "            let _ = (guard, bytes);\n            drop(Box::from_raw(this.as_ptr()));")]),
    caught("a node is retired before it is unlinked", &["epoch::get_remove"], &[(WRITE, "                holder.unlink(node);\n                node\n            };\n            Some(self.dispose(node, Cause::Removed, guard, later))", "                drop(holder);\n                node\n            };\n            let share = self.dispose(node, Cause::Removed, guard, later);\n            shard.lock(self, guard).unlink(node);\n            Some(share)")]),
    caught("a replaced array is freed at once", &["epoch::get_grow"], &[(SHARD, "unsafe { self.guard.retire(old.as_ref().bytes(), move || Array::free(old)) };", "unsafe { Array::free(old) };")]),
    caught("the core is freed at once", &["epoch::death_map_drop"], &[(TABLE, "            guard.retire(size_of::<Core<E>>(), move || Core::leave(core));\n        }\n    }\n}", "            Core::leave(core);\n        }\n    }\n}")]),
    caught("a death closes its list before it pins", &["epoch::death_clear", "epoch::death_cancel_clear", "epoch::death_map_drop"], &[(HOOK, "        let guard = reclaim::pin();\n        let mut at = head.lock().close();", "        let mut at = head.lock().close();\n        let guard = reclaim::pin();")]),
    caught("a list's node is freed at once", &["epoch::walk_remove"], &[(LIST_NODE, "guard.retire(bytes, move || drop(Box::from_raw(this.as_ptr())));", "let _ = (guard, bytes);\n            drop(Box::from_raw(this.as_ptr()));")]),
    caught("an old array of a list is freed at once", &["epoch::walk_rebuild"], &[(LIST_WRITE, "self.guard.retire(old.as_ref().bytes(), move || Array::free(old))", "Array::free(old)")]),
];
