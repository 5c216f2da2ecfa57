//! `broken [WORD]`: breaks the crate on purpose, one place at a time, and says which models notice.
//!
//! Works on a copy of the repository under `target/`. For each break whose name contains WORD (default: all) it runs the
//! named models, and the scripts, at the bound of the environment, and prints a row of README.md's table. Exits with 1 if
//! a break that is marked as caught is not, or one that is marked as missed is caught. About half a minute a break.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// One thing broken.
struct Break {
    what: &'static str,
    /// File, what stands there (once), what shall stand there.
    edits: &'static [(&'static str, &'static str, &'static str)],
    /// Why no model can notice, if none does.
    missed: Option<&'static str>,
}

const fn caught(what: &'static str, edits: &'static [(&'static str, &'static str, &'static str)]) -> Break {
    Break { what, edits, missed: None }
}

const fn missed(
    what: &'static str,
    edits: &'static [(&'static str, &'static str, &'static str)],
    why: &'static str,
) -> Break {
    Break { what, edits, missed: Some(why) }
}

const STATE: &str = "src/block/state.rs";
const BLOCK: &str = "src/block/mod.rs";
const HEAD: &str = "src/block/head.rs";
const HOOK: &str = "src/death/hook.rs";
const DEATH: &str = "src/death/mod.rs";
const ARC: &str = "src/ptr/arc.rs";
const OBSERVER: &str = "src/ptr/observer.rs";
const RECLAIM: &str = "src/reclaim/mod.rs";

#[rustfmt::skip]
const BREAKS: &[Break] = &[
    // The strong word: orderings.
    caught("`publish` relaxed", &[(STATE, "self.0.swap(1, Ordering::Release)", "self.0.swap(1, Ordering::Relaxed)")]),
    caught("`upgrade` relaxed", &[(STATE, "let before = self.0.fetch_add(1, Ordering::Acquire)", "let before = self.0.fetch_add(1, Ordering::Relaxed)")]),
    caught("`release` relaxed", &[(STATE, "self.0.fetch_sub(1, Ordering::Release) == 1", "self.0.fetch_sub(1, Ordering::Relaxed) == 1")]),
    caught("`settle`'s exchange relaxed", &[(STATE, "compare_exchange(0, DEAD, Ordering::Acquire,", "compare_exchange(0, DEAD, Ordering::Relaxed,")]),
    caught("`settle`'s toggle relaxed", &[(STATE, "self.0.fetch_xor(HELD, Ordering::Release)", "self.0.fetch_xor(HELD, Ordering::Relaxed)")]),
    caught("`is_empty` relaxed", &[(STATE, "self.0.load(Ordering::Acquire) == 0", "self.0.load(Ordering::Relaxed) == 0")]),
    caught("`take` without Acquire", &[(STATE, "compare_exchange(1, DEAD, Ordering::AcqRel,", "compare_exchange(1, DEAD, Ordering::Release,")]),
    caught("`take` without Release", &[(STATE, "compare_exchange(1, DEAD, Ordering::AcqRel,", "compare_exchange(1, DEAD, Ordering::Acquire,")]),
    caught("`is_sole` relaxed", &[(STATE, "self.0.load(Ordering::Acquire) == 1", "self.0.load(Ordering::Relaxed) == 1")]),
    caught("`is_alive` relaxed", &[(STATE, "self.0.load(Ordering::Acquire) & DEAD == 0", "self.0.load(Ordering::Relaxed) & DEAD == 0")]),
    // The strong word: steps.
    caught("`publish` by a store", &[(STATE, "self.0.swap(1, Ordering::Release)", "self.0.store(1, Ordering::Release)")]),
    caught("an upgrade from 0 hands nothing back", &[(STATE, "self.0.fetch_xor(HELD, Ordering::Relaxed);", "")]),
    caught("an upgrade hands back beside HELD as well", &[(STATE, "if before == 0 {", "if before & !HELD == 0 {")]),
    caught("a failed upgrade is undone", &[(STATE, "return false; // and", "self.0.fetch_sub(1, Ordering::Relaxed);\n            return false; // and")]),
    caught("the pending dropper leaves without its toggle", &[(STATE, "if self.0.fetch_xor(HELD, Ordering::Release) != HELD {", "{")]),
    caught("the pending dropper leaves whatever its toggle found", &[(STATE, "if self.0.fetch_xor(HELD, Ordering::Release) != HELD {", "{\n                self.0.fetch_xor(HELD, Ordering::Release);")]),
    caught("`take` goes 1 -> 0", &[(STATE, "compare_exchange(1, DEAD, Ordering::AcqRel,", "compare_exchange(1, 0, Ordering::AcqRel,")]),
    // The weak word.
    missed("`downgrade` relaxed", &[(BLOCK, "compare_exchange_weak(weak, weak + n, Ordering::Acquire,", "compare_exchange_weak(weak, weak + n, Ordering::Relaxed,")], "whoever got a `&mut` was the only owner, so whoever downgrades after comes from it by something that orders; kept as `std` has it"),
    caught("`release_weak` relaxed", &[(BLOCK, "self.weak.fetch_sub(1, Ordering::Release)", "self.weak.fetch_sub(1, Ordering::Relaxed)")]),
    caught("`release_weak` without its fence", &[(BLOCK, "        fence(Ordering::Acquire);\n", "")]),
    caught("`has_weak` relaxed", &[(BLOCK, "self.weak.load(Ordering::Acquire) != 1", "self.weak.load(Ordering::Relaxed) != 1")]),
    caught("`is_unique`'s lock relaxed", &[(BLOCK, "compare_exchange(1, LOCKED, Ordering::Acquire,", "compare_exchange(1, LOCKED, Ordering::Relaxed,")]),
    caught("`is_unique`'s unlock relaxed", &[(BLOCK, "self.weak.store(1, Ordering::Release)", "self.weak.store(1, Ordering::Relaxed)")]),
    caught("`is_unique` without the look at the state", &[(BLOCK, "let sole = self.state.is_sole();", "let sole = true;")]),
    caught("`is_unique` looks at the state before it locks", &[
        (BLOCK, "        let sole = self.state.is_sole();\n", ""),
        (BLOCK, "        // Acquire: pairs with the Release of `release_weak`. Relaxed on failure", "        let sole = self.state.is_sole();\n        // Acquire: pairs with the Release of `release_weak`. Relaxed on failure"),
    ]),
    caught("`is_unique` doesn't lock", &[
        (BLOCK, "self.weak.compare_exchange(1, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_err()", "self.has_weak()"),
        (BLOCK, "        self.weak.store(1, Ordering::Release);\n", ""),
    ]),
    // The last drop.
    caught("the last drop looks at the weak count first", &[(ARC, "if header.state.is_empty() && !header.has_weak()", "if !header.has_weak()")]),
    caught("the last drop doesn't look at the state again", &[(ARC, "!header.has_weak() && header.state.is_empty()", "!header.has_weak()")]),
    caught("the last drop doesn't look at the weak count", &[(ARC, " && !header.has_weak() && header.state.is_empty()", "")]),
    caught("the last drop doesn't look at the hooks", &[(ARC, " && header.hooks.is_plain() {", " {")]),
    missed("`into_inner` gives its count up at once", &[(ARC, "state.take() || (state.release() && state.settle())", "state.release() && state.settle()")], "no promise hangs on it: an upgrade may then come between, and is the owner"),
    missed("`new_cyclic` publishes before it writes", &[
        (ARC, "            block.write(value);\n", ""),
        (ARC, "            header(block).state.publish();\n", "            header(block).state.publish();\n            block.write(value);\n"),
    ], "the move is plain memory, which loom doesn't watch; the ordering is watched by the rows on `publish`"),
    caught("the destructor comes before the callbacks", &[
        (DEATH, "    unsafe { tell(batch, later) };\n", ""),
        (DEATH, "        unsafe { drop_in_place(value.as_ptr()) }\n    }\n}\n\n/// Steps 3 and 4.", "        unsafe {\n            drop_in_place(value.as_ptr());\n            tell(batch, later);\n        }\n    }\n}\n\n/// Steps 3 and 4."),
    ]),
    // The hooks.
    caught("the list's lock relaxed", &[(HEAD, "compare_exchange_weak(word, locked, Ordering::Acquire,", "compare_exchange_weak(word, locked, Ordering::Relaxed,")]),
    caught("the list's unlock relaxed", &[(HEAD, "self.head.0.store(self.word, Ordering::Release)", "self.head.0.store(self.word, Ordering::Relaxed)")]),
    caught("the death doesn't close its list", &[(HEAD, "        self.word = self.word.map_addr(|a| a | CLOSED);\n", "")]),
    caught("a canceller changes a closed list", &[(HOOK, "        if list.is_closed() {\n            return false;\n        }\n        // SAFETY: the lock bit is ours and the list is open", "        // SAFETY: the lock bit is ours and the list is open")]),
    caught("a hook holds no weak count", &[
        (OBSERVER, "arc.header().downgrade(2);", "arc.header().downgrade(1);"),
        (OBSERVER, "            Callback::leave(this);\n            release_weak(object);\n", "            Callback::leave(this);\n            let _ = object;\n"),
        (OBSERVER, "                Callback::leave(self.callback);\n                release_weak(self.weak.value());\n", "                Callback::leave(self.callback);\n"),
    ]),
    caught("`armed` by load and store", &[(OBSERVER, "if !self.armed.swap(false, Ordering::Relaxed) {", "let armed = self.armed.load(Ordering::Relaxed);\n        self.armed.store(false, Ordering::Relaxed);\n        if !armed {")]),
    caught("a canceller gives up the list's share of a closed list", &[(OBSERVER, "if cancelled && Hook::unlink(&header(self.weak.value()).hooks, self.callback.cast::<Hook>()) {", "if cancelled {\n                let _ = Hook::unlink(&header(self.weak.value()).hooks, self.callback.cast::<Hook>());")]),
    caught("a callback's share relaxed", &[(OBSERVER, "shares.fetch_sub(1, Ordering::Release) == 1", "shares.fetch_sub(1, Ordering::Relaxed) == 1")]),
    caught("a callback's last share without its fence", &[(OBSERVER, "            fence(Ordering::Acquire); // pairs with the Release of the other share\n", "")]),
    // The epoch.
    caught("a retired weak count doesn't wait", &[(RECLAIM, "unsafe { guard.retire(bytes, move || release_weak(value.get())) };", "let _ = (guard, bytes);\n    unsafe { release_weak(value.get()) };")]),
];

/// Copies a folder, without what is built or kept by git.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the copy");
    for entry in fs::read_dir(from).expect("the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if path.is_dir() {
            if name != "target" && name != ".git" {
                copy(&path, &to.join(name));
            }
        } else {
            fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// Runs cargo in the copy, and returns what it said.
fn cargo(package: &Path, arguments: &[&str]) -> String {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(package).env_remove("RUSTFLAGS").env("CARGO_TARGET_DIR", package.join("target"));
    let text = said(cargo.args(arguments));
    assert!(!text.contains("could not compile"), "{text}");
    text
}

/// All that a command says.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("the command runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What the named models say, each in a process of its own: a failed one may abort.
fn named(package: &Path) -> Option<String> {
    let text = cargo(package, &["test", "--profile", "broken", "--no-run", "--test", "state", "--test", "hooks"]);
    let programs = text.lines().filter_map(|line| line.trim().strip_prefix("Executable ")?.split(['(', ')']).nth(1));
    let (mut first, mut failed) = (None, 0);
    for program in programs {
        let list = said(Command::new(program).args(["--list", "--format", "terse"]));
        for test in list.lines().filter_map(|line| line.strip_suffix(": test")) {
            let text = said(Command::new(program).args(["--exact", test]));
            if let Some(failure) = text.lines().find_map(|line| line.strip_prefix("failed in ")) {
                failed += 1;
                first.get_or_insert_with(|| format!("`{test}`, {}", short(failure)));
            }
        }
    }
    first.map(|first| if failed == 1 { first } else { format!("{failed} models; {first}") })
}

/// What the scripts say: the first scenario that fails.
fn scripts(package: &Path) -> Option<String> {
    [["pairs", "2"], ["cyclic", "2"], ["triples", "1"], ["pairs", "3"]].iter().find_map(|[set, bound]| {
        let arguments = ["run", "--profile", "broken", "--bin", "combined", "--", set, "--bound", bound, "--first"];
        let text = cargo(package, &arguments);
        let failure = text.lines().find_map(|line| line.strip_prefix("failed in "))?;
        let scenario = text.lines().find_map(|line| line.strip_prefix("FAILED: ")?.split(',').next()).unwrap_or(set);
        Some(format!("scripts `{scenario}`, {}", short(failure)))
    })
}

/// A message without the place where it was thrown.
fn short(message: &str) -> &str {
    let message = message.split(" (/").next().unwrap_or(message);
    message.split(" (src").next().unwrap_or(message)
}

fn main() {
    let word = std::env::args().nth(1).unwrap_or_default();
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().expect("the repository");
    let scratch = package.join("target/broken");
    copy(root, &scratch);
    let mut surprises = 0;
    println!("| broken | where | noticed by |\n|---|---|---|");
    for broken in BREAKS.iter().filter(|broken| broken.what.contains(&word)) {
        for (file, from, to) in broken.edits {
            let path = scratch.join(file);
            let whole = fs::read_to_string(&path).expect("a source file");
            assert_eq!(whole.matches(from).count(), 1, "{}: not once in {file}: {from}", broken.what);
            fs::write(&path, whole.replace(from, to)).expect("the copy is writable");
        }
        let copied = scratch.join("loom-tests");
        let verdict = named(&copied).or_else(|| scripts(&copied));
        for (file, ..) in broken.edits {
            fs::copy(root.join(file), scratch.join(file)).expect("the copy is writable");
        }
        surprises += usize::from(verdict.is_none() != broken.missed.is_some());
        let said = verdict.unwrap_or_else(|| format!("nothing: {}", broken.missed.unwrap_or("**it should be**")));
        println!("| {} | `{}` | {said} |", broken.what, broken.edits[0].0.trim_start_matches("src/"));
    }
    exit(i32::from(surprises > 0));
}
