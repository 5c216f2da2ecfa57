//! Bugs that no ordering is to blame for, put before the ordinary tests: whole steps of a protocol left out, done twice, or done
//! at a bad place. `cargo BINARY FILTER` names a test binary of the repository, and which of its tests; where models know the bug
//! too they are named after it.

use super::{Break, caught};

const ANCHOR: &str = "src/std_arc/anchor.rs";
const BASE: &str = "src/block/state.rs";
const CALL: &str = "src/death/call.rs";
const DEATH: &str = "src/death/mod.rs";
const EXIT: &str = "src/finalizer/exit.rs";
const FLIGHT: &str = "src/flight.rs";
const GUARD: &str = "src/reclaim/guard.rs";
const HANDLE: &str = "src/finalizer/handle.rs";
const HOOK: &str = "src/death/hook.rs";
const LOAD: &str = "src/generic/load.rs";
const NODE: &str = "src/table/node.rs";
const OBSERVER: &str = "src/ptr/observer.rs";
const POINTER: &str = "src/pointer.rs";
const REGISTRY: &str = "src/finalizer/registry.rs";
const RESIZE: &str = "src/table/resize.rs";
const SHARD: &str = "src/table/shard.rs";
const SLOT: &str = "src/atomic/slot.rs";
const SYNC: &str = "src/sync/mod.rs";
const TABLE: &str = "src/table/mod.rs";
const WEAK: &str = "src/ptr/weak.rs";
const WRITE: &str = "src/table/write.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    // Removal goes by identity.
    caught("a dead node empties whatever slot it once had", &["table::insert_death_of_the_old_value", "cargo it history::"], &[(SHARD, "if bucket >= array.as_ref().len() || Array::bucket(array, bucket).slot(slot) != node.as_ptr() {", "if bucket >= array.as_ref().len() || Array::bucket(array, bucket).slot(slot).is_null() {")]),
    caught("`remove_exact` removes whoever has the key", &["cargo museum successors"], &[("src/generic/object_face.rs", "let is_it = |entry: &$Entry, alive: &_| <$A>::is_named_by(entry.pair(alive).1, exact).then_some(());", "let is_it = |entry: &$Entry, alive: &_| (<$A>::is_named_by(entry.pair(alive).1, exact) || true).then_some(());")]),
    // Notices: once, with their cause, without a lock.
    caught("a death's notice is lost", &["cargo museum events"], &[(NODE, "this.as_ref().entry.with_key(|key| told.tell(key, Cause::Died));", "drop(told);")]),
    caught("a death's notice comes twice", &["cargo museum accounts", "cargo it history::"], &[(NODE, "this.as_ref().entry.with_key(|key| told.tell(key, Cause::Died));", "this.as_ref().entry.with_key(|key| told.tell(key, Cause::Died));\n                this.as_ref().entry.with_key(|key| told.tell(key, Cause::Died));")]),
    caught("a replaced entry is told of as removed", &["cargo museum events", "cargo it history::"], &[(WRITE, "Ok(unsafe { self.core.dispose(old, Cause::Replaced, guard, later) })", "Ok(unsafe { self.core.dispose(old, Cause::Removed, guard, later) })")]),
    caught("a listener is told under the shard's lock", &["cargo it promises::p05"], &[(WRITE, "            holder.published();\n            old\n        };\n        // SAFETY: claimed, and out of its slot.\n        Ok(unsafe { self.core.dispose(old, Cause::Replaced, guard, later) })", "            holder.published();\n            let old = unsafe { self.core.dispose(old, Cause::Replaced, guard, later) };\n            drop(std::mem::take(later));\n            old\n        };\n        Ok(old)")]),
    caught("a listener's panic stops the others", &["cargo it hostile::"], &[("src/queue.rs", "contain(|| listener(key, cause));", "listener(key, cause);"), (HOOK, "            contain(owed);", "            owed();")]),
    // Users' destructors: unpinned, once, in time.
    caught("a key's destructor runs inside the collector", &["table::get_remove_destroy_the_key", "cargo it promises::p05"], &[(NODE, "if E::DROPS_USER_CODE {", "if false {")]),
    caught("a key map's value is dropped under the death's guard", &["cargo it key_life::", "cargo it promises::"], &[(TABLE, "later.drop_share(node.as_ref().entry.take_share());", "drop(node.as_ref().entry.take_share());")]),
    caught("a deferred value is destroyed at once", &["cargo it slots::"], &[(DEATH, "if unsafe { header(value) }.hooks.is_deferred() {", "if false && unsafe { header(value) }.hooks.is_deferred() {")]),
    caught("what is ripe is never destroyed", &["cargo alloc_ledger"], &[("src/reclaim/ripe.rs", "    if !RIPE.is_empty() {", "    if !RIPE.is_empty() && false {")]),
    caught("a thread holds back whatever it has retired", &["cargo it promises::", "cargo alloc_ledger"], &[(GUARD, "if things + 1 >= HELD_BACK || held + bytes >= HELD_BACK_BYTES {", "if things + 1 >= HELD_BACK && held + bytes >= usize::MAX {")]),
    caught("a chain of watched deaths is not flattened", &["cargo it promises::", "cargo it ptr::"], &[(SYNC, "pub const NESTED_DEATHS: usize = if cfg!(weakly_loom) { 2 } else { 16 };", "pub const NESTED_DEATHS: usize = usize::MAX;")]),
    // Hooks and callbacks.
    caught("an entry's hook holds no weak count of its object", &["table::map_drop_death", "cargo it promises::"], &[(POINTER, "        this.header().downgrade(1);\n        Held(Arc::value(this))", "        Held(Arc::value(this))")]),
    caught("a hook is lost as it is registered", &["cargo it promises::"], &[(HOOK, "                next.as_ref().prev.set(hook.as_ptr());\n            }\n        }\n        list.set_first(hook.as_ptr());", "                next.as_ref().prev.set(hook.as_ptr());\n                return;\n            }\n        }\n        list.set_first(hook.as_ptr());")]),
    caught("a hook is lost in the walk of a death", &["cargo it promises::"], &[(HOOK, "Some(last) => last.as_ref().prev.set(hook.as_ptr()),", "Some(_) => {}")]),
    caught("a cancel says that it came first, always", &["cargo it ptr::callbacks"], &[(OBSERVER, "        unsafe { this.cancel_once() }\n    }", "        unsafe { this.cancel_once() || true }\n    }")]),
    caught("a callback's panic goes on to whoever dropped the object", &["cargo it hostile::", "cargo cpython"], &[(OBSERVER, "contain(|| call(this.as_ref().object.as_ref()));", "call(this.as_ref().object.as_ref());")]),
    caught("a panicking work of a nested death stops the others", &["cargo it ptr::deaths"], &[(CALL, "        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {\n            match first {\n                None => first = Some(panic),\n                Some(_) => report(panic),\n            }\n        }", "        if first.is_none() {\n            first = catch_unwind(AssertUnwindSafe(work)).err();\n        }")]),
    // Counts.
    caught("a failed upgrade leaks a weak count", &["cargo alloc_ledger", "cargo it ptr::"], &[(WEAK, "        let alive = self.header()?.state.upgrade();\n", "        let alive = self.header()?.state.upgrade();\n        if !alive {\n            self.header()?.retain_weak();\n        }\n")]),
    caught("an upgrade revives the dead", &["cargo it ptr::", "cargo it promises::"], &[(BASE, "            return false; // and the increment stays: taking it back could make a live word of a dead one", "            return before & HELD == 0;")]),
    caught("a slot leaks what was in it", &["cargo alloc_ledger", "cargo it slots::"], &[(SLOT, "        // SAFETY: this is the slot's end.\n        drop(unsafe { self.take_out() });", "        // SAFETY: this is the slot's end.\n        std::mem::forget(unsafe { self.take_out() });")]),
    caught("a slot leaves no trace of what has left it", &["slots::a_load_finds_its_object_whole_while_a_swap_takes_it_out"], &[(SLOT, "    if !trace.is_nowhere() {", "    if !trace.is_nowhere() && false {")]),
    // The table's books.
    caught("the length doesn't go down with a death", &["cargo museum accounts"], &[(SHARD, "        self.len.fetch_sub(1, Ordering::Relaxed);\n        self.left", "        if cause != Cause::Died {\n            self.len.fetch_sub(1, Ordering::Relaxed);\n        }\n        self.left")]),
    caught("a removal isn't counted", &["cargo museum accounts", "cargo it stress::"], &[(SHARD, "        self.left[cause as usize].fetch_add(1, Ordering::Relaxed);\n    }", "        if cause != Cause::Removed {\n            self.left[cause as usize].fetch_add(1, Ordering::Relaxed);\n        }\n    }")]),
    caught("overflow counts aren't lowered", &["cargo museum tables"], &[(SHARD, "stuck += usize::from(!Array::bucket(array, at).lower());", "stuck += 1;")]),
    caught("growing leaves a node of each bucket behind", &["cargo museum tables"], &[(RESIZE, "                    for slot in word.taken() {", "                    for slot in word.taken().take(6) {")]),
    caught("a table never shrinks", &["cargo museum tables"], &[(RESIZE, "        if buckets > 1 && keep < room / SPARSE {", "        if buckets > 1 && keep < room / SPARSE && false {")]),
    caught("inserts aren't counted in the version", &["table::insert_insert", "cargo it history::"], &[(SHARD, "        self.shard.version.store(version + 1, Ordering::Release);\n", "        let _ = version;\n")]),
    // Loads.
    caught("every load flies alone", &["cargo it flight::"], &[(FLIGHT, "Some(key) if same(key) => return Joined::Wait(Arc::clone(flight)),", "Some(key) if same(key) && false => return Joined::Wait(Arc::clone(flight)),")]),
    caught("a load that panics never lands", &["cargo museum loads"], &[(LOAD, "        self.flights.land(self.hash.0, &self.flight, self.outcome.take());", "        if !std::thread::panicking() {\n            self.flights.land(self.hash.0, &self.flight, self.outcome.take());\n        }")]),
    caught("a loader that waits for itself isn't told so", &["cargo it flight::"], &[(FLIGHT, "            if on.leader == me {", "            if on.leader == me && false {")]),
    // Finalizers and the exit.
    caught("a finalizer runs twice", &["cargo it finalizer::", "cargo process_exit"], &[(HANDLE, "        self.0.fetch_or(CLAIMED, Ordering::Relaxed) & CLAIMED == 0\n", "        self.0.fetch_or(CLAIMED, Ordering::Relaxed) & CLAIMED == 0 || true\n")]),
    caught("the oldest finalizer runs first at an exit", &["cargo process_exit"], &[(EXIT, "while let Some(id) = self.turns.pop() {", "while let Some(id) = (!self.turns.is_empty()).then(|| self.turns.remove(0)) {")]),
    caught("a forked child runs its parent's finalizers", &["cargo process_exit"], &[(REGISTRY, "self.process == process() && !self.is_closed()", "!self.is_closed()")]),
    caught("an exit runs what was to be left alone", &["cargo process_exit", "cargo it finalizer::"], &[(HANDLE, "        self.0.compare_exchange(AT_EXIT, AT_EXIT | CLAIMED, Ordering::Relaxed, Ordering::Relaxed).is_ok()", "        self.claim()")]),
    // Guests.
    caught("an anchor's end is no death", &["cargo it guest::"], &[(ANCHOR, "            contain(|| drop(owner));", "            std::mem::forget(owner);")]),
];
