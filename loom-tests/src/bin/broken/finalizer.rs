//! The finalizer: `src/finalizer`.

use super::{Break, caught};

const HANDLE: &str = "src/finalizer/handle.rs";
const EXIT: &str = "src/finalizer/exit.rs";

#[rustfmt::skip]
pub const BREAKS: &[Break] = &[
    // The word.
    caught("`end` relaxed", &["finalizer"], &[(HANDLE, "self.0.fetch_or(ENDED, Ordering::Release)", "self.0.fetch_or(ENDED, Ordering::Relaxed)")]),
    caught("`has_ended` relaxed", &["finalizer"], &[(HANDLE, "self.0.load(Ordering::Acquire) & ENDED != 0", "self.0.load(Ordering::Relaxed) & ENDED != 0")]),
    caught("`claim` by load and store", &["finalizer"], &[(HANDLE, "        self.0.fetch_or(CLAIMED, Ordering::Relaxed) & CLAIMED == 0", "        let before = self.0.load(Ordering::Relaxed);\n        self.0.store(before | CLAIMED, Ordering::Relaxed);\n        before & CLAIMED == 0")]),
    caught("an exit claims what is switched off", &["finalizer"], &[(HANDLE, "self.0.compare_exchange(AT_EXIT, AT_EXIT | CLAIMED, Ordering::Relaxed, Ordering::Relaxed).is_ok()", "self.claim()")]),
    caught("an exit claims by load and store", &["finalizer"], &[(HANDLE, "self.0.compare_exchange(AT_EXIT, AT_EXIT | CLAIMED, Ordering::Relaxed, Ordering::Relaxed).is_ok()", "self.0.load(Ordering::Relaxed) == AT_EXIT && {\n            self.0.store(AT_EXIT | CLAIMED, Ordering::Relaxed);\n            true\n        }")]),
    caught("`set_atexit` by load and store", &["finalizer"], &[(HANDLE, "self.0.fetch_and(!AT_EXIT, Ordering::Relaxed);", "let word = self.0.load(Ordering::Relaxed);\n            self.0.store(word & !AT_EXIT, Ordering::Relaxed);")]),
    // Claimers.
    caught("a death doesn't claim", &["finalizer"], &[(HANDLE, "if self.0.mark().claim() {", "{")]),
    caught("`call` doesn't claim", &["finalizer"], &[(HANDLE, "        let claimed = self.claim()?;\n        let call", "        let claimed = Claimed(&self.0);\n        let call")]),
    caught("`detach` doesn't claim", &["finalizer"], &[(HANDLE, "        let claimed = self.claim()?;\n        Some(", "        let claimed = Claimed(&self.0);\n        Some(")]),
    caught("the job is put in after the registry has it", &["finalizer"], &[(HANDLE, "        *shared.job.lock() = Some(Job { call, watch });\n        registry().insert(Shared::erased(&shared));\n", "        registry().insert(Shared::erased(&shared));\n        *shared.job.lock() = Some(Job { call, watch });\n")]),
    caught("a claimer forgets it before it has run", &["finalizer"], &[(HANDLE, "        let claimed = Claimed(self);\n", "        let claimed = Claimed(self);\n        registry().forget(self.mark.id);\n")]),
    caught("a claimer never says that it is through", &["finalizer"], &[(HANDLE, "        self.0.mark.state.end();\n", "")]),
    caught("a look takes what is not claimed for there", &["finalizer"], &[(HANDLE, "self.0.job.lock().as_ref().is_some_and(|job| job.watch.is_alive())", "self.0.job.lock().as_ref().expect(\"not claimed, so there\").watch.is_alive()")]),
    // An exit.
    caught("an exit waits for nobody", &["finalizer"], &[(EXIT, "mark.runs_elsewhere() && !wait(", "mark.runs_elsewhere() && false && !wait(")]),
    caught("an exit runs the oldest first", &["finalizer"], &[(EXIT, "while let Some(id) = self.turns.pop() {", "while let Some(id) = (!self.turns.is_empty()).then(|| self.turns.remove(0)) {")]),
    caught("an exit doesn't run what it makes itself", &["finalizer"], &[(EXIT, "                self.collect_new();\n", "")]),
];
