//! Atomic slots: `src/atomic`, and what they rest on in `src/reclaim`.

use super::{Break, caught};

const SLOT: &str = "src/atomic/slot.rs";
const RECLAIM: &str = "src/reclaim/mod.rs";
const WEAK: &str = "src/atomic/weak.rs";
const ARC: &str = "src/atomic/arc.rs";
const SNAPSHOT: &str = "src/reclaim/snapshot.rs";
const DEATH: &str = "src/death/mod.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    // The word: orderings.
    caught("`peek` relaxed", &["slots"], &[(SLOT, "NonNull::new(self.word.load(Ordering::Acquire))", "NonNull::new(self.word.load(Ordering::Relaxed))")]),
    caught("a slot's `swap` without Release", &["slots"], &[(SLOT, "self.word.swap(new, Ordering::AcqRel)", "self.word.swap(new, Ordering::Acquire)")]),
    caught("a slot's `swap` without Acquire", &["slots"], &[(SLOT, "self.word.swap(new, Ordering::AcqRel)", "self.word.swap(new, Ordering::Release)")]),
    caught("a slot's exchange without Release", &["slots"], &[(SLOT, "match self.word.compare_exchange(current, new.word(), Ordering::AcqRel, Ordering::Acquire) {", "match self.word.compare_exchange(current, new.word(), Ordering::Acquire, Ordering::Acquire) {")]),
    caught("a slot's exchange without Acquire", &["slots"], &[(SLOT, "match self.word.compare_exchange(current, new.word(), Ordering::AcqRel, Ordering::Acquire) {", "match self.word.compare_exchange(current, new.word(), Ordering::Release, Ordering::Acquire) {")]),
    caught("a slot's exchange that fails, relaxed", &["slots"], &[(SLOT, "match self.word.compare_exchange(current, new.word(), Ordering::AcqRel, Ordering::Acquire) {", "match self.word.compare_exchange(current, new.word(), Ordering::AcqRel, Ordering::Relaxed) {")]),
    // The word: steps.
    caught("a slot's `swap` by load and store", &["slots"], &[(SLOT, "let old = self.word.swap(new, Ordering::AcqRel);", "let old = self.word.load(Ordering::Acquire);\n        self.word.store(new, Ordering::Release);")]),
    caught("a slot's exchange by load and swap", &["slots"], &[(SLOT, "match self.word.compare_exchange(current, new.word(), Ordering::AcqRel, Ordering::Acquire) {", "let there = self.word.load(Ordering::Acquire);\n            let same = there == current;\n            match if same { Ok(self.word.swap(new.word(), Ordering::AcqRel)) } else { Err(there) } {")]),
    caught("an update counts where its exchange has failed", &["slots"], &[(SLOT, "Err(lost) => current = lost.current,", "Err(lost) => return Ok(lost.current),")]),
    // The counts that go in and out.
    caught("what leaves a slot leaves no trace", &["slots"], &[(SLOT, "unsafe { retire_weak(&pin(), trace.value()) };", "let _ = || unsafe { retire_weak(&pin(), trace.value()) };\n        drop(ManuallyDrop::into_inner(trace));")]),
    caught("the trace is never given back", &["slots"], &[(SLOT, "unsafe { retire_weak(&pin(), trace.value()) };", "let _ = || unsafe { retire_weak(&pin(), trace.value()) };")]),
    caught("the trace doesn't wait for who holds a guard", &["slots"], &[(RECLAIM, "unsafe { guard.retire(bytes, move || release_weak(value.get())) };", "let _ = (guard, bytes);\n    unsafe { release_weak(value.get()) };")]),
    caught("a slot's end keeps its count", &["slots"], &[(SLOT, "drop(unsafe { self.take_out() });", "std::mem::forget(unsafe { self.take_out() });")]),
    caught("a load under no guard", &["slots"], &[
        (SLOT, "        let guard = pin();\n        loop {", "        loop {"),
        (SLOT, "self.peek(&guard).map_or", "self.peek(&pin()).map_or"),
    ]),
    caught("a slot's exchange under no guard", &["slots"], &[
        (SLOT, "        let guard = pin(); // for the failure, which follows the word that it finds\n", ""),
        (SLOT, "        drop(guard); // before anything of the user's runs\n", ""),
    ]),
    caught("a load from a weak slot takes no count", &["slots"], &[(WEAK, "unsafe { header(value) }.retain_weak();", "let _ = value;")]),
    // Dead or empty.
    caught("a load takes what is dead for an empty slot", &["slots"], &[(ARC, "alive.then(|| Some(unsafe { Arc::from_value(value) }))", "Some(alive.then(|| unsafe { Arc::from_value(value) }))")]),
    caught("a read takes what is dead for an empty slot", &["slots"], &[(ARC, "            // Dead, so it has left the slot: see what came after.\n", "            return None;\n")]),
    caught("a weak slot is not looked at again", &["slots"], &[(WEAK, "if now == seen {", "if now == seen || true {")]),
    // Initializers.
    caught("an initializer stores", &["slots"], &[(ARC, "let outcome = self.compare_exchange(None, mine.clone());", "let (outcome, ()) = (Ok::<_, CompareExchangeError<Option<Arc<T>>, Option<Arc<T>>>>(()), self.store(mine.clone()));")]),
    caught("a weak slot's initializer upgrades once", &["slots"], &[(WEAK, "winner = seen.upgrade();", "let _ = seen;")]),
    caught("a weak slot's initializer takes the place of nothing only", &["slots"], &[(WEAK, "winner.is_none().then(|| Arc::downgrade(&mine))", "(winner.is_none() && seen.is_nowhere()).then(|| Arc::downgrade(&mine))")]),
    // Snapshots and deferred values.
    caught("a snapshot of an ordinary value holds no count", &["slots"], &[(SNAPSHOT, "let counted = !header.hooks.is_deferred();", "let counted = !header.hooks.is_deferred() && false;")]),
    caught("a deferred value is destroyed at its death", &["slots"], &[(DEATH, "if unsafe { header(value) }.hooks.is_deferred() {", "if unsafe { header(value) }.hooks.is_deferred() && false {")]),
    caught("a deferred value doesn't wait for who holds a guard", &["slots"], &[(RECLAIM, "        guard.retire(bytes, move || Ripe::push(move || death::destroy_ripe(value.get())));\n", "        let _ = (guard, bytes);\n        Ripe::push(move || death::destroy_ripe(value.get()));\n")]),
];
