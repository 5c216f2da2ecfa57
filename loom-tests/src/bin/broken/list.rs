//! The list: `src/list`, and what it uses of `src/table`.

use super::{Break, caught, missed};

const ARRAY: &str = "src/list/array.rs";
const LIST: &str = "src/list/mod.rs";
const NODE: &str = "src/list/node.rs";
const WALK: &str = "src/list/walk.rs";
const WRITE: &str = "src/list/write.rs";
const HANDOFF: &str = "src/table/handoff.rs";
const MARK: &str = "src/table/node.rs";
const ROOT: &str = "src/table/root.rs";
const HOOK: &str = "src/death/hook.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    // The array.
    caught("the length is written relaxed", &["list::contains_push_again", "list::push_remove", "list::push_walk"], &[(ARRAY, "self.len.store(len + 1, Ordering::Release)", "self.len.store(len + 1, Ordering::Relaxed)")]),
    caught("the length is read relaxed", &["list::contains_push_again", "list::push_remove", "list::push_walk"], &[(ARRAY, "self.len.load(Ordering::Acquire)", "self.len.load(Ordering::Relaxed)")]),
    caught("the length is raised before the slot is written", &["list::contains_push_again", "list::push_remove", "list::push_walk"], &[
        (ARRAY, "        let len = self.len();\n        // SAFETY: nobody", "        let len = self.len();\n        self.len.store(len + 1, Ordering::Release);\n        // SAFETY: nobody"),
        (ARRAY, "        self.len.store(len + 1, Ordering::Release);\n    }\n", "    }\n"),
    ]),
    caught("a search looks behind the length", &["list::contains_push_again", "list::push_remove", "list::push_walk"], &[(ARRAY, "&self.slots[..self.len()]", "&self.slots[..]")]),
    caught("a slot is emptied relaxed", &["list::lost_remove_shows_what_came_before", "list::remove_seen_shows_what_came_before"], &[(ARRAY, "self.slots[at].node.store(null_mut(), Ordering::Release)", "self.slots[at].node.store(null_mut(), Ordering::Relaxed)")]),
    caught("an emptied slot is read relaxed", &["list::lost_remove_shows_what_came_before", "list::remove_seen_shows_what_came_before"], &[(ARRAY, "self.slots[at].node.load(Ordering::Acquire)", "self.slots[at].node.load(Ordering::Relaxed)")]),
    // The core.
    caught("a list's core is published by a store", &["list::push_push"], &[(ROOT, "match self.0.compare_exchange(null_mut(), new.as_ptr(), Ordering::AcqRel, Ordering::Acquire) {", "self.0.store(new.as_ptr(), Ordering::Release);\n        match Ok::<*mut C, *mut C>(new.as_ptr()) {")]),
    caught("a list's core is published relaxed", &["list::push_push"], &[(ROOT, "new.as_ptr(), Ordering::AcqRel, Ordering::Acquire)", "new.as_ptr(), Ordering::Acquire, Ordering::Acquire)")]),
    caught("a list's core is read relaxed", &["list::push_push"], &[(ROOT, "self.0.load(Ordering::Acquire)", "self.0.load(Ordering::Relaxed)")]),
    caught("who comes second with a list's core acquires nothing", &["list::push_push"], &[(ROOT, "Ordering::AcqRel, Ordering::Acquire)", "Ordering::AcqRel, Ordering::Relaxed)")]),
    caught("a list's core is freed at once", &["list::list_drop_death_of_its_only_element"], &[(LIST, "guard.retire(size_of::<Core<A>>(), move || drop(Box::from_raw(core.as_ptr())))", "drop(Box::from_raw(core.as_ptr()))")]),
    caught("a list's drop leaves its elements", &["list::list_drop_death"], &[(LIST, ".check(&guard);\n        self.clear(&guard);\n", ".check(&guard);\n")]),
    // The mark.
    caught("a claim doesn't release", &["list::lost_remove_shows_what_came_before", "list::remove_seen_shows_what_came_before"], &[(MARK, "compare_exchange_weak(word, word | state, Ordering::AcqRel,", "compare_exchange_weak(word, word | state, Ordering::Acquire,")]),
    missed("a claim doesn't acquire", &["list::remove_seen_shows_what_came_before", "list::clear_seen_shows_what_came_before", "list::lost_remove_shows_what_came_before", "list::remove_remove", "list::clear_death", "list::list_drop_death", "list::remove_death", "list::remove_post", "list::pop_remove"], &[(MARK, "compare_exchange_weak(word, word | state, Ordering::AcqRel,", "compare_exchange_weak(word, word | state, Ordering::Release,")], "a mark that is still LIVE was written by whoever made the node, and that comes with its slot; it would matter if who changes a live mark released it"),
    caught("a claim that comes too late acquires nothing", &["list::lost_remove_shows_what_came_before"], &[
        (MARK, "        let mut word = self.0.load(Ordering::Acquire);\n        while word & STATE == LIVE", "        let mut word = self.0.load(Ordering::Relaxed);\n        while word & STATE == LIVE"),
    ]),
    caught("a claim that fails acquires nothing", &["list::lost_remove_shows_what_came_before"], &[
        (MARK, "word | state, Ordering::AcqRel, Ordering::Acquire)", "word | state, Ordering::AcqRel, Ordering::Relaxed)"),
    ]),
    caught("a walk reads the mark relaxed", &["list::lost_remove_shows_what_came_before", "list::remove_seen_shows_what_came_before"], &[(MARK, "self.0.load(Ordering::Acquire) & STATE == LIVE", "self.0.load(Ordering::Relaxed) & STATE == LIVE")]),
    caught("a claim by load and store", &["list::clear_death", "list::clear_remove", "list::pop_remove", "list::remove_remove", "list::remove_remove_of_two"], &[(MARK, "            match self.0.compare_exchange_weak(word, word | state, Ordering::AcqRel, Ordering::Acquire) {\n                Ok(_) => return true,\n                Err(now) => word = now,\n            }\n", "            self.0.store(word | state, Ordering::Release);\n            word |= state;\n            return true;\n")]),
    // Who takes elements out.
    caught("a death doesn't ask whose the element is", &["list::clear_death", "list::clear_push_death", "list::list_drop_death", "list::list_drop_death_of_its_only_element"], &[(LIST, "if node.as_ref().mark.claim(Cause::Died) {", "if { node.as_ref().mark.claim(Cause::Died); true } {")]),
    caught("a death leaves its element in the list", &["list::death_death", "list::pinned_walk_death_rebuild", "list::pop_death", "list::push_death", "list::push_death_of_an_earlier_occurrence", "list::walk_death_rebuild"], &[(LIST, "            core.element_gone();\n            core.give_up(node, guard);\n        }\n    }\n}\n", "            core.element_gone();\n            _ = guard;\n        }\n    }\n}\n")]),
    caught("a death is not counted out", &["list::death_death", "list::pinned_walk_death_rebuild", "list::pop_death", "list::push_death", "list::push_death_of_an_earlier_occurrence", "list::walk_death_rebuild"], &[(LIST, "            core.element_gone();\n            core.give_up(node, guard);\n", "            core.give_up(node, guard);\n")]),
    caught("a remove doesn't ask whose the element is", &["list::clear_remove", "list::pop_remove", "list::remove_remove", "list::remove_remove_of_two"], &[(LIST, "let claimed = node.as_ref().mark.claim(Cause::Removed);\n", "let claimed = node.as_ref().mark.claim(Cause::Removed) || true;\n")]),
    caught("a remove leaves its hook", &["list::remove_death", "list::remove_remove"], &[(LIST, "                Node::unregister(node);\n                self.give_up(node, guard);\n", "                self.give_up(node, guard);\n")]),
    caught("a remove is not counted out", &["list::remove_remove", "list::remove_death"], &[(LIST, "                self.element_gone();\n                Node::unregister(node);\n                self.give_up", "                Node::unregister(node);\n                self.give_up")]),
    caught("a remove gives its element up before it unlinks the hook", &["list::contains_push_again", "list::contains_push_again_rebuild"], &[(LIST, "                Node::unregister(node);\n                self.give_up(node, guard);\n", "                self.give_up(node, guard);\n                Node::unregister(node);\n")]),
    caught("a remove ends at an occurrence that another has claimed", &["list::remove_remove_of_two"], &[(LIST, "occurrences.any(|node| unsafe { core.remove(node.raw(), guard) })", "occurrences.next().is_some_and(|node| unsafe { core.remove(node.raw(), guard) })")]),
    caught("a remove by number takes whatever is next", &["list::retain_remove"], &[(LIST, "core.walk(guard, seq..seq + 1).next()", "core.walk(guard, seq..u64::MAX).next()")]),
    caught("a pop doesn't ask whose the element is", &["list::pop_remove", "list::pop_remove_drop"], &[(LIST, "            if node.as_ref().mark.claim(Cause::Removed) {\n                return", "            if node.as_ref().mark.claim(Cause::Removed) || true {\n                return")]),
    caught("a pop looks before it has the lock", &["list::pop_push_remove"], &[
        (LIST, "        let mut holder = core.lock(guard);\n        // SAFETY: the lock keeps", "        let nodes: Vec<_> = core.lock(guard).newest_first().collect();\n        let mut holder = core.lock(guard);\n        // SAFETY: the lock keeps"),
        (LIST, "holder.newest_first().find_map(", "nodes.into_iter().find_map("),
    ]),
    caught("a pop takes the oldest", &["list::pop_push_remove"], &[(WRITE, "(0..array.map_or(0, Array::len)).rev();", "0..array.map_or(0, Array::len);")]),
    caught("a pop is not counted out", &["list::pop_pop", "list::pop_remove", "list::pop_death"], &[(LIST, "        core.element_gone();\n        // SAFETY: claimed, so", "        // SAFETY: claimed, so")]),
    caught("a pop leaves its element in the list", &["list::pop_pop", "list::pop_remove", "list::pop_death"], &[(LIST, "            Node::unregister(node);\n            holder.take_out(node);\n", "            Node::unregister(node);\n")]),
    caught("a pop leaves its hook", &["list::pop_death", "list::pop_pop", "list::pop_remove"], &[(LIST, "            Node::unregister(node);\n            holder.take_out(node);\n", "            holder.take_out(node);\n")]),
    caught("a pop drops an owner of no use at once", &["list::pop_remove_drop"], &[(LIST, "            later.owe(move || drop(object));\n", "            drop(object);\n            _ = &later;\n")]),
    caught("a clear takes what others have claimed", &["list::clear_remove", "list::clear_death", "list::list_drop_death"], &[(LIST, "                    && node.as_ref().mark.claim(Cause::Cleared)\n", "                    && (node.as_ref().mark.claim(Cause::Cleared) || true)\n")]),
    caught("a clear claims before it detaches", &["list::clear_push"], &[
        (LIST, "let Some(array) = core.lock(guard).detach() else { return };", "let Some(array) = NonNull::new(core.array.load(Ordering::Acquire)) else { return };"),
        (LIST, "                    Node::retire(node, guard);\n                }\n            }\n        }\n    }\n}\n", "                    Node::retire(node, guard);\n                }\n            }\n        }\n        core.lock(guard).detach();\n    }\n}\n"),
    ]),
    caught("a clear leaves the hooks", &["list::clear_death", "list::clear_push", "list::clear_remove", "list::list_drop_death", "list::remove_walk_of_a_death"], &[(LIST, "                    Node::unregister(node);\n                    Node::retire(node, guard);\n", "                    Node::retire(node, guard);\n")]),
    caught("a clear is not counted out", &["list::clear_death", "list::clear_push"], &[(LIST, "                    core.element_gone();\n                    Node::unregister(node);\n                    Node::retire", "                    Node::unregister(node);\n                    Node::retire")]),
    caught("a clear forgets nothing of its books", &["list::clear_death", "list::clear_push"], &[(WRITE, "        self.set_array(null_mut());\n        self.books().used = 0;\n", "        self.set_array(null_mut());\n")]),
    caught("a list's node is freed at once", &["list::remove_walk_of_a_death", "list::retain_push", "list::walk_compaction", "list::walk_death_rebuild"], &[(NODE, "guard.retire(bytes, move || drop(Box::from_raw(this.as_ptr())));", "let _ = (guard, bytes);\n            drop(Box::from_raw(this.as_ptr()));")]),
    caught("a death closes its hooks before it pins", &["list::clear_death", "list::remove_walk_of_a_death"], &[(HOOK, "        let guard = reclaim::pin();\n        let mut at = head.lock().close();", "        let mut at = head.lock().close();\n        let guard = reclaim::pin();")]),
    // Under the lock.
    caught("an array is published relaxed", &["list::clear_seen_shows_what_came_before", "list::contains_push_again_rebuild", "list::pinned_walk_death_rebuild", "list::walk_death_rebuild", "list::walk_push_rebuild"], &[(WRITE, "self.core.array.swap(array, Ordering::AcqRel)", "self.core.array.swap(array, Ordering::Acquire)")]),
    caught("an array is read relaxed", &["list::contains_push_again_rebuild", "list::pinned_walk_death_rebuild", "list::walk_death_rebuild", "list::walk_push_rebuild"], &[(WALK, "let array = self.array.load(Ordering::Acquire);", "let array = self.array.load(Ordering::Relaxed);")]),
    caught("an old array is freed at once", &["list::contains_push_again_rebuild", "list::pinned_walk_death_rebuild", "list::remove_post", "list::walk_death_rebuild", "list::walk_push_rebuild"], &[(WRITE, "self.guard.retire(old.as_ref().bytes(), move || Array::free(old))", "Array::free(old)")]),
    caught("an old array is never freed", &["list::push_push_rebuild", "list::walk_death_rebuild"], &[(WRITE, "unsafe { self.guard.retire(old.as_ref().bytes(), move || Array::free(old)) };", "_ = old;")]),
    caught("what was swept is never freed", &["list::death_death", "list::remove_remove"], &[(WRITE, "                Node::<A>::retire(Node::of_hook(hook), self.guard);\n", "")]),
    missed("what was swept is retired under the lock", &["list::death_death", "list::remove_remove", "list::push_death", "list::walk_death_rebuild"], &[(WRITE, "            if let Some(books) = self.books.take() {\n                self.core.posted.unlock(books);\n            }\n            self.dispose();\n", "            self.dispose();\n            if let Some(books) = self.books.take() {\n                self.core.posted.unlock(books);\n            }\n")], "what a retirement frees is memory and counts, and takes no lock: it only holds others up; it would matter if it ran users' code"),
    caught("a rebuild loses the last slot", &["list::push_push_rebuild", "list::walk_death_rebuild", "list::walk_push_rebuild"], &[(WRITE, "for at in 0..old.len() {", "for at in 0..old.len() - 1 {")]),
    caught("a rebuild copies empty slots", &["list::remove_post"], &[(WRITE, "                if !node.is_null() {\n", "                {\n")]),
    caught("a rebuild leaves what is claimed behind", &["list::remove_post"], &[(WRITE, "                if !node.is_null() {\n", "                if !node.is_null() && unsafe { (*node).mark.is_live() } {\n")]),
    caught("a rebuild numbers anew", &["list::retain_push"], &[(WRITE, "new.as_ref().push(old.seq(at), node)", "new.as_ref().push(new.as_ref().len() as u64, node)")]),
    caught("a rebuild publishes its array before it is filled", &["list::contains_push_again_rebuild", "list::pinned_walk_death_rebuild", "list::remove_post", "list::walk_push_rebuild"], &[
        (WRITE, "        if let Some(old) = self.array() {\n            for at", "        let old = self.core.array.load(Ordering::Relaxed);\n        self.set_array(new.as_ptr());\n        if let Some(old) = unsafe { old.as_ref() } {\n            for at"),
        (WRITE, "            }\n        }\n        self.set_array(new.as_ptr());\n", "            }\n        }\n"),
    ]),
    caught("numbers begin again with an array", &["list::push_push_rebuild", "list::remove_post", "list::walk_death_rebuild", "list::walk_push_rebuild"], &[(WRITE, "        self.set_array(new.as_ptr());\n    }", "        self.set_array(new.as_ptr());\n        self.books().next = 0;\n    }")]),
    caught("an element is registered after it is published", &["list::push_remove"], &[(WRITE, "            Node::register(node, seq);\n            self.array().expect(\"there is room in it\").push(seq, node.as_ptr());\n", "            self.array().expect(\"there is room in it\").push(seq, node.as_ptr());\n            Node::register(node, seq);\n")]),
    missed("an element is counted in after it is published", &["list::push_remove"], &[
        (WRITE, "        self.core.len.fetch_add(1, Ordering::Relaxed);\n", ""),
        (WRITE, ".push(seq, node.as_ptr());\n", ".push(seq, node.as_ptr());\n            self.core.len.fetch_add(1, Ordering::Relaxed);\n"),
    ], "the count is `std`'s under loom too, which never comes between it and the step before; who removes the element there and then would leave `len` below 0 for a moment, and a model could see that if the count were loom's"),
    caught("an element taken out stays in the books", &["list::death_death", "list::push_death", "list::remove_remove"], &[(WRITE, "                self.books().used -= 1;\n", "")]),
    caught("an element that comes is not in the books", &["list::push_push", "list::push_death"], &[(WRITE, "        books.used += 1;\n", "")]),
    caught("a dead element's neighbour is taken out", &["list::clear_push_death"], &[(WRITE, "            if at < end && array.node(at) == node.as_ptr() {\n", "            let _ = end;\n            if at < array.len() {\n")]),
    missed("a slot of a node's number is emptied whatever is in it", &["list::clear_push_death", "list::push_death", "list::remove_post", "list::clear_remove", "list::remove_remove_of_two", "list::pop_remove"], &[(WRITE, "if at < end && array.node(at) == node.as_ptr() {", "if at < end {")], "numbers are given out once, so that slot holds the node; it would matter if an owner took its node out twice, or numbers came again"),
    missed("a hold shrinks what it has just made", &["list::push_push_rebuild", "list::remove_post", "list::walk_push_rebuild", "list::pop_push_remove"], &[(WRITE, "            && self.old.is_null()\n", "")], "an array that a push has just made is full of nodes: it would matter if a hold took nodes out after its push"),
    missed("a sparse array stays", &["list::walk_compaction"], &[(WRITE, "            self.shrink_if_sparse();\n", "")], "too large an array is no wrong but of memory, which no model weighs; what a smaller one does to walks is noticed by the rows on rebuilds"),
    missed("a holder forgets what it swept before", &["list::death_death", "list::push_death"], &[(WRITE, "chain(self.swept) };", "chain(null_mut()) };")], "the models' holds sweep one node each, so that nothing is chained; it takes a hold that sweeps two"),
    // The hand-off.
    caught("a poster of an element doesn't try the lock again", &["list::push_death", "list::post_post_unlock"], &[(HANDOFF, "        lock.try_lock()\n", "        _ = lock;\n        None\n")]),
    caught("a list's holder doesn't look at the queue again", &["list::push_death"], &[(HANDOFF, "if self.is_empty() { None } else { lock.try_lock() }", "{ _ = lock; None }")]),
    caught("a poster of an element has no fence", &["list::push_death"], &[(HANDOFF, "        // SeqCst: pairs with the fence in `unlock`.\n        fence(Ordering::SeqCst);\n", "")]),
    caught("a list's holder has no fence", &["list::push_death"], &[(HANDOFF, "        // SeqCst: pairs with the fence in `post`.\n        fence(Ordering::SeqCst);\n", "")]),
    caught("a list's holder sweeps one batch and goes", &["list::post_post_unlock"], &[(WRITE, "            self.sweep();\n        }\n    }\n}", "            self.sweep();\n            self.books = None;\n            self.dispose();\n            return;\n        }\n    }\n}")]),
    // Walks.
    caught("a walk looks at no mark", &["list::remove_remove", "list::retain_remove"], &[(WALK, "seen.filter(|seen| seen.mark.is_live())", "seen")]),
    caught("a walk begins again at its last number", &["list::walk_compaction", "list::walk_death_rebuild", "list::walk_push_rebuild"], &[(WALK, "self.from.max(last + 1)", "self.from.max(last)")]),
    caught("a walk has no last number", &["list::walk_push_rebuild"], &[(WALK, "        self.number_before(self.end)\n", "        u64::MAX\n")]),
    caught("a search for an object doesn't look at the length again", &["list::contains_push_again", "list::remove_push_again"], &[(WALK, "let has_grown = ", "let has_grown = false && ")]),
    caught("a search for an object doesn't look at the array again", &["list::contains_push_again_rebuild"], &[(WALK, "!has_grown && self.core.array.load(Ordering::Acquire) == self.array", "!has_grown")]),
    missed("a search for an object looks at the array before the length", &["list::contains_push_again_rebuild", "list::contains_push_again"], &[
        (WALK, "        // SAFETY: the guard keeps an array that was the list's after it was taken.\n        let has_grown", "        let is_current = self.core.array.load(Ordering::Acquire) == self.array;\n        let has_grown"),
        (WALK, "!has_grown && self.core.array.load(Ordering::Acquire) == self.array", "!has_grown && is_current"),
    ], "either order will do: what is pushed before the walk looks makes its array longer, or goes to another; it would matter if a replaced array could come back"),
];
