//! One object: its two counts and its hooks.

use super::{Break, caught, missed};

/// What notices: by name, or else the scripts.
const TESTS: &[&str] = &["state", "hooks", "scripts"];

const STATE: &str = "src/block/state.rs";
const BLOCK: &str = "src/block/mod.rs";
const HEAD: &str = "src/block/head.rs";
const HOOK: &str = "src/death/hook.rs";
const DEATH: &str = "src/death/mod.rs";
const ARC: &str = "src/ptr/arc.rs";
const OBSERVER: &str = "src/ptr/observer.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    // The strong word: orderings.
    caught("`publish` relaxed", TESTS, &[(STATE, "self.0.swap(1, Ordering::Release)", "self.0.swap(1, Ordering::Relaxed)")]),
    caught("`upgrade` relaxed", TESTS, &[(STATE, "let before = self.0.fetch_add(1, Ordering::Acquire)", "let before = self.0.fetch_add(1, Ordering::Relaxed)")]),
    caught("`release` relaxed", TESTS, &[(STATE, "self.0.fetch_sub(1, Ordering::Release) == 1", "self.0.fetch_sub(1, Ordering::Relaxed) == 1")]),
    caught("`settle`'s exchange relaxed", TESTS, &[(STATE, "compare_exchange(0, DEAD, Ordering::Acquire,", "compare_exchange(0, DEAD, Ordering::Relaxed,")]),
    caught("`settle`'s toggle relaxed", TESTS, &[(STATE, "self.0.fetch_xor(HELD, Ordering::Release)", "self.0.fetch_xor(HELD, Ordering::Relaxed)")]),
    caught("`is_empty` relaxed", TESTS, &[(STATE, "self.0.load(Ordering::Acquire) == 0", "self.0.load(Ordering::Relaxed) == 0")]),
    caught("`take` without Acquire", TESTS, &[(STATE, "compare_exchange(1, DEAD, Ordering::AcqRel,", "compare_exchange(1, DEAD, Ordering::Release,")]),
    caught("`take` without Release", TESTS, &[(STATE, "compare_exchange(1, DEAD, Ordering::AcqRel,", "compare_exchange(1, DEAD, Ordering::Acquire,")]),
    caught("`is_sole` relaxed", TESTS, &[(STATE, "self.0.load(Ordering::Acquire) == 1", "self.0.load(Ordering::Relaxed) == 1")]),
    caught("`is_alive` relaxed", TESTS, &[(STATE, "self.0.load(Ordering::Acquire) & DEAD == 0", "self.0.load(Ordering::Relaxed) & DEAD == 0")]),
    // The strong word: steps.
    caught("`publish` by a store", TESTS, &[(STATE, "self.0.swap(1, Ordering::Release)", "self.0.store(1, Ordering::Release)")]),
    caught("an upgrade from 0 hands nothing back", TESTS, &[(STATE, "self.0.fetch_xor(HELD, Ordering::Relaxed);", "")]),
    caught("an upgrade hands back beside HELD as well", TESTS, &[(STATE, "if before == 0 {", "if before & !HELD == 0 {")]),
    caught("a failed upgrade is undone", TESTS, &[(STATE, "return false; // and", "self.0.fetch_sub(1, Ordering::Relaxed);\n            return false; // and")]),
    caught("the pending dropper leaves without its toggle", TESTS, &[(STATE, "if self.0.fetch_xor(HELD, Ordering::Release) != HELD {", "{")]),
    caught("the pending dropper leaves whatever its toggle found", TESTS, &[(STATE, "if self.0.fetch_xor(HELD, Ordering::Release) != HELD {", "{\n                self.0.fetch_xor(HELD, Ordering::Release);")]),
    caught("`take` goes 1 -> 0", TESTS, &[(STATE, "compare_exchange(1, DEAD, Ordering::AcqRel,", "compare_exchange(1, 0, Ordering::AcqRel,")]),
    // The weak word.
    missed("`downgrade` relaxed", TESTS, &[(BLOCK, "compare_exchange_weak(weak, weak + n, Ordering::Acquire,", "compare_exchange_weak(weak, weak + n, Ordering::Relaxed,")], "whoever got a `&mut` was the only owner, so whoever downgrades after comes from it by something that orders; kept as `std` has it"),
    caught("`release_weak` relaxed", TESTS, &[(BLOCK, "self.weak.fetch_sub(1, Ordering::Release)", "self.weak.fetch_sub(1, Ordering::Relaxed)")]),
    caught("`release_weak` without its fence", TESTS, &[(BLOCK, "        acquire(&self.weak);\n", "")]),
    caught("`has_weak` relaxed", TESTS, &[(BLOCK, "self.weak.load(Ordering::Acquire) != 1", "self.weak.load(Ordering::Relaxed) != 1")]),
    caught("`is_unique`'s lock relaxed", TESTS, &[(BLOCK, "compare_exchange(1, LOCKED, Ordering::Acquire,", "compare_exchange(1, LOCKED, Ordering::Relaxed,")]),
    caught("`is_unique`'s unlock relaxed", TESTS, &[(BLOCK, "self.weak.store(1, Ordering::Release)", "self.weak.store(1, Ordering::Relaxed)")]),
    caught("`is_unique` without the look at the state", TESTS, &[(BLOCK, "let sole = self.state.is_sole();", "let sole = true;")]),
    caught("`is_unique` looks at the state before it locks", TESTS, &[
        (BLOCK, "        let sole = self.state.is_sole();\n", ""),
        (BLOCK, "        // Acquire: pairs with the Release of `release_weak`. Relaxed on failure", "        let sole = self.state.is_sole();\n        // Acquire: pairs with the Release of `release_weak`. Relaxed on failure"),
    ]),
    caught("`is_unique` doesn't lock", TESTS, &[
        (BLOCK, "self.weak.compare_exchange(1, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_err()", "self.has_weak()"),
        (BLOCK, "        self.weak.store(1, Ordering::Release);\n", ""),
    ]),
    // The last drop.
    caught("the last drop looks at the weak count first", TESTS, &[(ARC, "if header.state.is_empty() && !header.has_weak()", "if !header.has_weak()")]),
    caught("the last drop doesn't look at the state again", TESTS, &[(ARC, "!header.has_weak() && header.state.is_empty()", "!header.has_weak()")]),
    caught("the last drop doesn't look at the weak count", TESTS, &[(ARC, " && !header.has_weak() && header.state.is_empty()", "")]),
    caught("the last drop doesn't look at the hooks", TESTS, &[(ARC, " && header.hooks.is_plain() {", " {")]),
    missed("`into_inner` gives its count up at once", TESTS, &[(ARC, "state.take() || (state.release() && state.settle())", "state.release() && state.settle()")], "no promise hangs on it: an upgrade may then come between, and is the owner"),
    missed("`new_cyclic` publishes before it writes", TESTS, &[
        (ARC, "            block.write(value);\n", ""),
        (ARC, "            header(block).publish();\n", "            header(block).publish();\n            block.write(value);\n"),
    ], "the move is plain memory, which loom doesn't watch; the ordering is watched by the rows on `publish`"),
    caught("the destructor comes before the callbacks", TESTS, &[
        (DEATH, "    unsafe { tell(batch, later) };\n", ""),
        (DEATH, "        unsafe { drop_in_place(value.as_ptr()) }\n    }\n}\n\n/// Steps 3 and 4.", "        unsafe {\n            drop_in_place(value.as_ptr());\n            tell(batch, later);\n        }\n    }\n}\n\n/// Steps 3 and 4."),
    ]),
    // The hooks.
    caught("the list's lock relaxed", TESTS, &[(HEAD, "compare_exchange_weak(word, locked, Ordering::Acquire,", "compare_exchange_weak(word, locked, Ordering::Relaxed,")]),
    caught("the list's unlock relaxed", TESTS, &[(HEAD, "self.head.0.store(self.word, Ordering::Release)", "self.head.0.store(self.word, Ordering::Relaxed)")]),
    caught("the death doesn't close its list", TESTS, &[(HEAD, "        self.word = self.word.map_addr(|a| a | CLOSED);\n", "")]),
    caught("a canceller changes a closed list", TESTS, &[(HOOK, "        if list.is_closed() {\n            return false;\n        }\n        // SAFETY: the lock bit is ours and the list is open", "        // SAFETY: the lock bit is ours and the list is open")]),
    caught("a hook holds no weak count", TESTS, &[
        (OBSERVER, "arc.header().downgrade(2);", "arc.header().downgrade(1);"),
        (OBSERVER, "            Callback::leave(this);\n            release_weak(object);\n", "            Callback::leave(this);\n            let _ = object;\n"),
        (OBSERVER, "                Callback::leave(self.callback);\n                release_weak(self.weak.value());\n", "                Callback::leave(self.callback);\n"),
    ]),
    caught("`armed` by load and store", TESTS, &[(OBSERVER, "if !self.armed.swap(false, Ordering::Relaxed) {", "let armed = self.armed.load(Ordering::Relaxed);\n        self.armed.store(false, Ordering::Relaxed);\n        if !armed {")]),
    caught("a canceller gives up the list's share of a closed list", TESTS, &[(OBSERVER, "if cancelled && Hook::unlink(&header(self.weak.value()).hooks, self.callback.cast::<Hook>()) {", "if cancelled {\n                let _ = Hook::unlink(&header(self.weak.value()).hooks, self.callback.cast::<Hook>());")]),
    caught("a callback's share relaxed", TESTS, &[(OBSERVER, "shares.fetch_sub(1, Ordering::Release) == 1", "shares.fetch_sub(1, Ordering::Relaxed) == 1")]),
    caught("a callback's last share without its fence", TESTS, &[(OBSERVER, "            acquire(shares); // Acquire: pairs with the Release of the other share\n", "")]),
];
