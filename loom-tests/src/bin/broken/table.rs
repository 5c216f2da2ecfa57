//! The table, what listeners are told, and the deaths that come to entries: `src/table`, `src/queue.rs`.

use super::{Break, caught};

const PROBE: &str = "src/table/probe.rs";
const STATE: &str = "src/block/state.rs";
const NODE: &str = "src/table/node.rs";
const SHARD: &str = "src/table/shard.rs";
const BUCKET: &str = "src/table/bucket.rs";
const RESIZE: &str = "src/table/resize.rs";
const WRITE: &str = "src/table/write.rs";
const ITER: &str = "src/generic/base.rs";
const TABLE: &str = "src/table/mod.rs";
const HOOK: &str = "src/death/hook.rs";
const WALK: &str = "src/table/walk.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    caught("a dead node counts, whatever is in its slot now", &["table::read_replace_death"], &[
        (PROBE, "Look::Dead if bucket.slot(slot) == found && self.array.load(Ordering::Acquire) == loaded => {}", "Look::Dead => {}"),
        (PROBE, "                        Look::Dead => continue 'again,\n", ""),
    ]),
    caught("a dead node counts, whatever the shard's array is now", &["table::get_grow_replace_death"], &[(PROBE, " && self.array.load(Ordering::Acquire) == loaded => {}", " => {}")]),
    caught("`State::take` doesn't release", &["table::read_replace_taken_out", "table::walk_replace_taken_out"], &[(STATE, "compare_exchange(1, DEAD, Ordering::AcqRel, Ordering::Relaxed)", "compare_exchange(1, DEAD, Ordering::Acquire, Ordering::Relaxed)")]),
    caught("a node is freed at once", &["table::get_remove_insert_again", "table::remove_walk_of_a_death"], &[(NODE, "            guard.retire(bytes, move || {\n                if E::DROPS_USER_CODE {\n                    Ripe::push(move || drop(Box::from_raw(this.as_ptr())));\n                } else {\n                    drop(Box::from_raw(this.as_ptr()));\n                }\n            });", "            let _ = (guard, bytes);\n            drop(Box::from_raw(this.as_ptr()));")]),
    caught("a replaced array is freed at once", &["table::get_grow", "table::get_shrink"], &[(SHARD, "unsafe { self.guard.retire(old.as_ref().bytes(), move || Array::free(old)) };", "unsafe { Array::free(old) };")]),
    caught("a slot is written relaxed", &["table::get_publish_over"], &[(BUCKET, "self.slots[i].store(node, Ordering::Release);", "self.slots[i].store(node, Ordering::Relaxed);")]),
    caught("slot and tag are written relaxed", &["table::get_publish", "table::get_publish_over"], &[
        (BUCKET, "self.slots[i].store(node, Ordering::Release);", "self.slots[i].store(node, Ordering::Relaxed);"),
        (BUCKET, "            self.set_word(word.with_tag(i, tag));\n        }", "            self.word.store(word.with_tag(i, tag).0, Ordering::Relaxed);\n        }"),
    ]),
    caught("a slot is written before its tag", &["table::get_again_remove_insert_again"], &[
        (BUCKET, "        let word = self.word();\n        if word.tag(i) != tag {\n            self.set_word(word.with_tag(i, tag));\n        }\n", ""),
        (BUCKET, "self.slots[i].store(node, Ordering::Release);\n    }\n\n    /// Empties", "self.slots[i].store(node, Ordering::Release);\n        let word = self.word();\n        self.set_word(word.with_tag(i, tag));\n    }\n\n    /// Empties"),
    ]),
    caught("a slot is read relaxed", &["table::get_publish_over"], &[(BUCKET, "        self.slots[i].load(Ordering::Acquire)", "        self.slots[i].load(Ordering::Relaxed)")]),
    caught("a node that went past is not counted", &["table::get_past_a_full_bucket"], &[(RESIZE, "            Array::bucket(array, passed).raise();\n", "")]),
    caught("a commit doesn't look for nodes that its survey has not seen", &["table::insert_insert"], &[(WRITE, "if shard.version() != self.version && holder.has_unseen(self.hash, &self.seen) {", "if false {")]),
    caught("an insert doesn't count in the version", &["table::insert_insert"], &[(SHARD, "        self.shard.version.store(version + 1, Ordering::Release);\n", "        let _ = version;\n")]),
    caught("a survey takes the version after its look-up", &["table::insert_insert"], &[
        (WRITE, "        let version = shard.version();\n", ""),
        (WRITE, "        Survey { hit, dead, seen, version,", "        let version = shard.version();\n        Survey { hit, dead, seen, version,"),
    ]),
    caught("a replacement doesn't look whether its node is still there", &["table::replace_replace"], &[(WRITE, "let claimed = holder.holds(*seen).filter(|old| unsafe { old.as_ref() }.mark.claim(Cause::Replaced));", "let claimed = Some(*seen).filter(|old| unsafe { old.as_ref() }.mark.claim(Cause::Replaced) || true);")]),
    caught("growing leaves a node of each bucket behind", &["table::insert_grow", "table::get_grow", "table::walk_death_grow"], &[(RESIZE, "                    for slot in word.taken() {", "                    for slot in word.taken().take(1) {")]),
    caught("a successor doesn't know its place", &["table::insert_over_a_dead_entry_successor_dies"], &[(WRITE, "        node.as_ref().mark.set_place(place);\n", "")]),
    caught("a walk's owners go under its guard", &["table::last_owner_unpinned"], &[(ITER, "        let (mut taken, mut debts, mut made) = (Vec::new(), Debts::<E>::new(), Made::default());\n        let guard = pin();", "        let guard = pin();\n        let (mut taken, mut debts, mut made) = (Vec::new(), Debts::<E>::new(), Made::default());")]),
    caught("the core is published by a store", &["table::first_insert_first_insert"], &[("src/table/root.rs", "match self.0.compare_exchange(null_mut(), new.as_ptr(), Ordering::AcqRel, Ordering::Acquire) {", "self.0.store(new.as_ptr(), Ordering::Release);\n        match Ok::<*mut C, *mut C>(new.as_ptr()) {")]),
    caught("an inserter overwrites a dead node whose death has not claimed it", &["table::insert_over_a_dead_entry_map_drop"], &[(WRITE, "let over = self.dead.and_then(|dead| holder.holds(dead)).filter(|&dead| has_died(dead));", "let over = self.dead.and_then(|dead| holder.holds(dead)).filter(|&dead| has_died(dead) || true);")]),
    caught("a dead node's slot is emptied whatever is in it", &["table::insert_death_of_the_old_value", "table::scripts"], &[(SHARD, "            if bucket >= array.as_ref().len() || Array::bucket(array, bucket).slot(slot) != node.as_ptr() {\n                return;", "            if bucket >= array.as_ref().len() || Array::bucket(array, bucket).slot(slot).is_null() {\n                return;")]),
    caught("a dead node's neighbour is unlinked", &["table::unlink_insert"], &[
        (SHARD, "            let (bucket, slot) = Array::<E>::split(node.as_ref().mark.place());\n            // An", "            let (bucket, slot) = Array::<E>::split(node.as_ref().mark.place());\n            let slot = slot ^ 1;\n            // An"),
        (SHARD, "            if bucket >= array.as_ref().len() || Array::bucket(array, bucket).slot(slot) != node.as_ptr() {\n                return;", "            if bucket >= array.as_ref().len() || Array::bucket(array, bucket).slot(slot).is_null() {\n                return;"),
    ]),
    caught("a poster doesn't try the lock again", &["table::post_unlock"], &[("src/table/handoff.rs", "        lock.try_lock()\n", "        _ = lock;\n        None\n")]),
    caught("a holder doesn't look at the queue again", &["table::post_unlock", "table::death_death"], &[("src/table/handoff.rs", "if self.is_empty() { None } else { lock.try_lock() }", "{ _ = lock; None }")]),
    caught("a poster has no fence", &["table::post_unlock"], &[("src/table/handoff.rs", "        // SeqCst: pairs with the fence in `unlock`.\n        fence(Ordering::SeqCst);\n", "")]),
    caught("a holder has no fence", &["table::post_unlock"], &[("src/table/handoff.rs", "        // SeqCst: pairs with the fence in `post`.\n        fence(Ordering::SeqCst);\n", "")]),
    caught("a holder sweeps one batch in all", &["table::post_post_unlock"], &[(SHARD, "            self.sweep();\n        }\n    }\n}", "            self.sweep();\n            self.books = None;\n            self.dispose();\n            return;\n        }\n    }\n}")]),
    caught("a death closes its list before it pins", &["table::clear_walk_of_a_death", "table::map_drop_death"], &[(HOOK, "        let guard = reclaim::pin();\n        let mut at = head.lock().close();", "        let mut at = head.lock().close();\n        let guard = reclaim::pin();")]),
    caught("a death doesn't ask whose the node is", &["table::clear_death"], &[(TABLE, "if node.as_ref().mark.claim(Cause::Died) {", "if { node.as_ref().mark.claim(Cause::Died); true } {")]),
    caught("clear leaves the hooks linked", &["table::map_drop_death", "table::into_iter_death"], &[(WRITE, "            Node::unregister(node, None);\n", "            if cause != Cause::Cleared {\n                Node::unregister(node, None);\n            }\n")]),
    caught("a clear takes what deaths have claimed", &["table::clear_death"], &[(WRITE, "if node.as_ref().mark.claim(Cause::Cleared) {", "if node.as_ref().mark.claim(Cause::Cleared) || true {")]),
    caught("a clear forgets nothing of its count", &["table::clear_insert"], &[(WRITE, "                    *holder.books() = Default::default();\n", "")]),
    caught("the core is freed at once", &["table::map_drop_death"], &[(TABLE, "            guard.retire(size_of::<Core<E>>(), move || Core::leave(core));\n        }\n    }\n}", "            Core::leave(core);\n        }\n    }\n}")]),
    caught("a node stays in the other object's list", &["table::two_lists_death_death"], &[(NODE, "        let hooks = (0..node.hooks.as_ref().len()).filter(|&i| Some(i) != but);", "        let hooks = (0..node.hooks.as_ref().len()).filter(|&i| but.is_none() && Some(i) != but);")]),
    caught("a death shares the core with no other", &["table::two_lists_death_death_map_drop"], &[(TABLE, "            if !Node::unregister(node, Some(I)) {", "            if !Node::unregister(node, Some(I)) && false {")]),
    caught("an object's own list is waited for twice", &["table::twice_in_one_list_death_map_drop"], &[
        (NODE, ".filter(|&i| Some(i) != but);", ".filter(|&i| Some(i) != but || true);"),
        (HOOK, "        if list.is_closed() {\n            return false;\n        }\n        // SAFETY: the lock bit is ours and the list is open", "        // SAFETY: the lock bit is ours and the list is open"),
    ]),
    caught("a walk never looks again", &["table::walk_replace_death"], &[(WALK, "let doubtful = n > 1 || out.len() == start;", "let doubtful = false;")]),
    caught("a walk doesn't look at its array again", &["table::walk_grow_replace_death"], &[(WALK, "same.iter().all(Found::is_there) && group.is_current()", "same.iter().all(Found::is_there)")]),
    caught("a walk looks again only at a node that gave nothing", &["table::walk_remove_insert_again"], &[(WALK, "let doubtful = n > 1 || out.len() == start;", "let doubtful = out.len() == start;")]),
    caught("a walk waits until a claimed node is out", &["table::walk_remove_in_a_group"], &[
        (WALK, "        std::ptr::eq(self.bucket.slot(self.slot), self.node)", "        std::ptr::eq(self.bucket.slot(self.slot), self.node) && !self.node.mark.is_taken()"),
        (NODE, "    /// A dead node gets a second owner.", "    /// Claimed by a writer.\n    pub fn is_taken(&self) -> bool {\n        let state = self.0.load(Ordering::Acquire) & STATE;\n        state != LIVE && state != DIED && state != TWICE\n    }\n\n    /// A dead node gets a second owner."),
    ]),
    caught("a walk goes by buckets of an array it loaded before", &["table::walk_grow_replace_death"], &[(WALK, "            let Some(array) = NonNull::new(shard.array.load(Ordering::Acquire)) else {\n                at = next_shard;\n                continue;\n            };\n            group.from = Some((shard, array));", "            let loaded = group.from.map(|(_, array)| array).or(NonNull::new(shard.array.load(Ordering::Acquire)));\n            let Some(array) = loaded else {\n                at = next_shard;\n                continue;\n            };\n            group.from = Some((shard, array));")]),
    caught("a step gathers what is before its cursor", &["table::walk_shrink"], &[(WALK, "(at..end.0).contains(&u64::from(node.position))", "u64::from(node.position) < end.0")]),
    caught("a death takes the listeners after its claim", &["table::try_next_death_map_drop"], &[(TABLE, "        let told = core.listeners.all();\n        if node.as_ref().mark.claim(Cause::Died) {", "        let claimed = node.as_ref().mark.claim(Cause::Died);\n        let told = core.listeners.all();\n        if claimed {")]),
    caught("a death that tells doesn't share its node", &["table::notice_remove_death", "table::subscribe_post_sweep"], &[(NODE, "            this.as_ref().mark.share();\n", "")]),
    caught("a death that lost drops the listeners it took at once", &["table::listener_dropped_death"], &[(TABLE, "            later.owe(move || drop(told)); // the", "            drop(told); // the")]),
    caught("a map's drop leaves its address", &["table::unsubscribe_death_map_drop"], &[(TABLE, "            core.as_ref().address.vacate();\n", "")]),
];
