//! `broken [WORD..]`: breaks the crate on purpose, one place at a time, and says which models, or which ordinary tests, notice.
//!
//! Works on a copy under the repository's `target/`. For each break of a group WORD, or whose name contains a WORD that is no
//! group (default: all), it runs the tests named for it, models at the bound of the environment, and prints a row of a table.
//! Exits with 1 if a break that is marked as caught is not, by each model that is named for it; if one that is marked as
//! missed is caught; and, after a run of a whole group, if one of its models was never seen to fail. About five seconds a
//! break, and half a minute for one that only the scripts notice.

mod block;
mod epoch;
mod finalizer;
mod flight;
mod guest;
mod list;
mod slots;
mod suite;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::Instant;

/// One thing broken.
struct Break {
    what: &'static str,
    /// What to run: a file of `tests/`, of whose models one at least must notice; one model of it, as `file::model`, which
    /// must; `scripts`, which are run only if nothing has noticed before; or `cargo BINARY FILTER`, ordinary tests, likewise.
    tests: &'static [&'static str],
    edits: &'static [Edit],
    /// Why no model can notice, if none does.
    missed: Option<&'static str>,
}

/// A file, what stands there (once), what shall stand there.
type Edit = (&'static str, &'static str, &'static str);

const fn caught(what: &'static str, tests: &'static [&'static str], edits: &'static [Edit]) -> Break {
    Break { what, tests, edits, missed: None }
}

const fn missed(
    what: &'static str,
    tests: &'static [&'static str],
    edits: &'static [Edit],
    why: &'static str,
) -> Break {
    Break { what, tests, edits, missed: Some(why) }
}

/// Breaks of one part of the crate, and the files of `tests/` each model of which must fail for one of them.
struct Group {
    name: &'static str,
    files: &'static [&'static str],
    breaks: &'static [Break],
}

const GROUPS: &[Group] = &[
    Group { name: "block", files: &["state", "hooks"], breaks: block::BREAKS },
    Group { name: "slots", files: &["slots"], breaks: slots::BREAKS },
    Group { name: "table", files: &["table"], breaks: table::BREAKS },
    Group { name: "list", files: &["list"], breaks: list::BREAKS },
    Group { name: "guest", files: &["guest"], breaks: guest::BREAKS },
    Group { name: "flight", files: &["flight"], breaks: flight::BREAKS },
    Group { name: "finalizer", files: &["finalizer"], breaks: finalizer::BREAKS },
    Group { name: "suite", files: &[], breaks: suite::BREAKS },
    Group { name: EPOCH, files: &[EPOCH], breaks: epoch::BREAKS },
];

/// The file whose models run over the real epoch, and its group.
const EPOCH: &str = "epoch";

/// A model, as `file::model`, and what it said when it failed.
type Failure = (String, String);

/// So many models are named in a row.
const NAMED: usize = 3;

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

/// All that a command says.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("the command runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs cargo in the copy, with the package's own flags or these, and returns what it said.
fn cargo(package: &Path, flags: Option<&str>, arguments: &[&str]) -> String {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(package).env_remove("RUSTFLAGS").env("CARGO_TARGET_DIR", package.join("target"));
    cargo.envs(flags.map(|flags| ("RUSTFLAGS", flags)));
    let text = said(cargo.args(arguments));
    if text.contains("could not compile") {
        eprintln!("{text}"); // and then nothing fails, where it should
    }
    text
}

/// Builds files of `tests/`: each file's name and program.
fn build(package: &Path, files: &BTreeSet<&str>) -> Vec<(String, PathBuf)> {
    if files.is_empty() {
        return Vec::new(); // else cargo builds them all
    }
    let mut arguments = vec!["test", "--profile", "broken", "--no-run"];
    arguments.extend(files.iter().flat_map(|file| ["--test", file]));
    // As in ci/epoch.sh.
    let flags = files.contains(EPOCH).then_some("--cfg weakly_loom --cfg crossbeam_loom");
    let text = cargo(package, flags, &arguments);
    let programs = text.lines().filter_map(|line| {
        let (file, program) = line.trim().strip_prefix("Executable tests/")?.split_once(".rs (")?;
        Some((file.to_string(), package.join(program.trim_end_matches(')'))))
    });
    programs.collect()
}

/// The models of a program, as `file::model`.
fn models(file: &str, program: &Path) -> Vec<String> {
    let list = said(Command::new(program).args(["--list", "--format", "terse"]));
    list.lines().filter_map(|line| Some(format!("{file}::{}", line.strip_suffix(": test")?))).collect()
}

/// Who of `tests` notices. Each model runs in a process of its own, for one that fails may abort.
fn failures(package: &Path, tests: &[&str]) -> Vec<Failure> {
    let is_model = |test: &&&str| **test != "scripts" && !test.starts_with("cargo ");
    let files = tests.iter().filter(is_model).map(|test| test.split("::").next().unwrap_or(test));
    let mut failures = Vec::new();
    for (file, program) in build(package, &files.collect()) {
        for model in models(&file, &program) {
            if tests.iter().any(|&test| test == file || test == model) {
                let name = &model[file.len() + "::".len()..];
                // A model that hangs is ended by loom, which looks at the time now and then.
                let text = said(Command::new(&program).args(["--exact", name]).env("LOOM_MAX_DURATION", "60"));
                failures.extend(failure(&text).map(|said| (model, said)));
            }
        }
    }
    if failures.is_empty() && tests.contains(&"scripts") {
        failures.extend(scripts(package));
    }
    let ordinary = tests.iter().filter_map(|test| test.strip_prefix("cargo "));
    for test in ordinary {
        if failures.is_empty() {
            failures = ordinary_failures(package.parent().expect("the copy"), test);
        }
    }
    failures
}

/// A test that hangs is ended by then, in seconds: a run takes a few.
const PATIENCE: &str = "120";

/// Which ordinary tests fail of those that `BINARY FILTER` names: all of them in one process, which may abort or hang.
fn ordinary_failures(copy: &Path, test: &str) -> Vec<Failure> {
    let (binary, filter) = test.split_once(' ').unwrap_or((test, ""));
    let mut cargo = Command::new("cargo");
    if std::env::var_os("CARGO_TARGET_DIR").is_none() {
        // The repository's own, where all that isn't broken is built already: the copy is in it.
        cargo.env("CARGO_TARGET_DIR", copy.parent().expect("the copy is in `target`"));
    }
    let text = said(cargo.current_dir(copy).args(["test", "--locked", "--no-run", "--test", binary]));
    let mut lines = text.lines();
    let Some(program) =
        lines.find_map(|line| line.trim().strip_prefix("Executable ")?.split_once('(')?.1.strip_suffix(')'))
    else {
        eprintln!("{text}");
        return Vec::new();
    };
    let mut run = Command::new("timeout");
    run.current_dir(copy).env("RUST_BACKTRACE", "0").args(["--kill-after=1", PATIENCE, program, filter]);
    let output = run.output().expect("`timeout` is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let failed = |line: &str| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_string());
    let message =
        text.lines().skip_while(|line| !line.contains("panicked at")).nth(1).unwrap_or("it fails").to_string();
    let mut failures: Vec<_> = text.lines().filter_map(failed).map(|test| (test, message.clone())).collect();
    if failures.is_empty() && !output.status.success() {
        let how = if output.status.code() == Some(124) { "it hangs".to_string() } else { output.status.to_string() };
        failures.push((test.to_string(), how));
    }
    failures
}

/// The first scenario of the scripts that fails.
fn scripts(package: &Path) -> Option<Failure> {
    [["pairs", "2"], ["cyclic", "2"], ["triples", "1"], ["pairs", "3"]].iter().find_map(|[set, bound]| {
        let arguments = ["run", "--profile", "broken", "--bin", "combined", "--", set, "--bound", bound, "--first"];
        let text = cargo(package, None, &arguments);
        let scenario = text.lines().find_map(|line| line.strip_prefix("FAILED: ")?.split(',').next()).unwrap_or(set);
        Some((format!("scripts {scenario}"), failure(&text)?))
    })
}

/// What a model that failed said, the first of it and without the place where it was thrown, and the execution.
fn failure(text: &str) -> Option<String> {
    // Not at the line's start on a machine of one processor, where the harness says before which test it runs.
    let (_, line) = text.lines().find_map(|line| line.split_once("failed in execution "))?;
    let (execution, message) = line.split_once(": ")?;
    let ends = [" (/", " (src", " (tests", "; threads", ". This is"];
    let message = ends.iter().fold(message, |m, end| m.split(end).next().unwrap_or(m));
    Some(format!("{message}, at {execution}"))
}

/// The function in which `at` stands.
fn function(whole: &str, at: usize) -> &str {
    let code = whole[..at].lines().rev().filter(|line| !line.trim_start().starts_with("//"));
    let mut names = code.filter_map(|line| line.split_once("fn ")?.1.split(['(', '<']).next());
    names.next().unwrap_or("")
}

/// Breaks the copy, asks who notices, and mends it: where it was broken, and who did.
fn run(root: &Path, scratch: &Path, broken: &Break) -> (String, Vec<Failure>) {
    let start = Instant::now();
    let mut place = None;
    for (file, from, to) in broken.edits {
        let path = scratch.join(file);
        let whole = fs::read_to_string(&path).expect("a source file");
        let places: Vec<usize> = whole.match_indices(from).map(|(at, _)| at).collect();
        assert_eq!(places.len(), 1, "{}: not once in {file}: {from}", broken.what);
        place
            .get_or_insert_with(|| format!("`{}`, `{}`", file.trim_start_matches("src/"), function(&whole, places[0])));
        fs::write(&path, whole.replace(from, to)).expect("the copy is writable");
    }
    let mut failures = failures(&scratch.join("loom-tests"), broken.tests);
    for (file, ..) in broken.edits {
        fs::copy(root.join(file), scratch.join(file)).expect("the copy is writable");
    }
    if broken.tests.iter().any(|test| test.starts_with("cargo "))
        && let Some((_, said)) = failures.first_mut()
    {
        said.push_str(&format!(", after {} s", start.elapsed().as_secs()));
    }
    (place.expect("a break has an edit"), failures)
}

/// Is it as the break says? And a row of the table.
fn judge(broken: &Break, place: &str, failures: &[Failure]) -> bool {
    let who: Vec<_> = failures.iter().take(NAMED).map(|(model, _)| format!("`{model}`")).collect();
    let who = match failures.len() {
        0 => "none".to_string(),
        n if n > NAMED => format!("{} and {} more", who.join(", "), n - NAMED),
        _ => who.join(", "),
    };
    let failed = |test: &&str| failures.iter().any(|(model, _)| model == test);
    let must = |test: &&str| test.contains("::") && !test.starts_with("cargo ");
    let silent: Vec<_> = broken.tests.iter().copied().filter(|test| must(test) && !failed(test)).collect();
    let (said, right) = match (failures.first(), broken.missed) {
        (None, Some(why)) => (why.to_string(), true),
        (None, None) => ("**it should be noticed**".to_string(), false),
        (Some((_, said)), Some(_)) => (format!("{said}: **it is marked as missed**"), false),
        (Some((_, said)), None) if silent.is_empty() => (said.clone(), true),
        (Some((_, said)), None) => (format!("{said}; **not noticed by {}**", silent.join(", ")), false),
    };
    println!("| {who} | {}: {place} | {said} |", broken.what);
    right
}

fn main() {
    if std::env::var_os("LOOM_MAX_PREEMPTIONS").is_none() {
        eprintln!("broken: no bound is set; `cargo run --release --bin broken` in this package sets it");
        exit(2);
    }
    let words: Vec<_> = std::env::args().skip(1).collect();
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().expect("the repository");
    let scratch = root.join("target/broken"); // outside this package, whose flags are the models'
    copy(root, &scratch);
    let (mut breaks, mut surprises) = (0, 0);
    println!(
        "| models | what was broken, and where | what the first of them said, at which execution |\n|---|---|---|"
    );
    let mut silent = Vec::new();
    let is_group = |word: &str| GROUPS.iter().any(|group| group.name == word);
    for group in GROUPS {
        let all = words.is_empty() || words.iter().any(|word| word == group.name);
        let mut seen = BTreeSet::new();
        let is_named = |broken: &Break| words.iter().any(|word| !is_group(word) && broken.what.contains(word.as_str()));
        for broken in group.breaks.iter().filter(|broken| all || is_named(broken)) {
            let (place, failures) = run(root, &scratch, broken);
            breaks += 1;
            surprises += usize::from(!judge(broken, &place, &failures));
            seen.extend(failures.into_iter().map(|(model, _)| model));
        }
        if all {
            let programs = build(&scratch.join("loom-tests"), &group.files.iter().copied().collect());
            let models = programs.iter().flat_map(|(file, program)| models(file, program));
            silent.extend(models.filter(|model| !seen.contains(model)));
        }
    }
    println!("\n{breaks} breaks, {surprises} of them not as they are marked");
    for model in &silent {
        println!("never seen to fail: {model}");
    }
    exit(i32::from(surprises + silent.len() > 0));
}

/// The source moves on; a break that fits it no more would be found only by the long run.
#[test]
fn every_break_fits_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let edits =
        GROUPS.iter().flat_map(|group| group.breaks).flat_map(|broken| broken.edits.iter().map(|e| (broken.what, e)));
    let unfit: Vec<_> = edits
        .filter(|(_, (file, from, _))| {
            let whole = fs::read_to_string(root.join(file)).unwrap_or_default();
            whole.matches(from).count() != 1
        })
        .collect();
    assert!(unfit.is_empty(), "not there just once: {unfit:#?}");
}
