//! Tests that are programs of their own: this very binary started again with a program's name. For tests of how a process ends.

use std::env;
use std::io::Read;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The variable that tells a child which program it is.
pub const PROGRAM: &str = "WEAKLY_PROGRAM";

/// The status of a process that has aborted.
pub const ABORTED: i32 = if cfg!(windows) { 0xC000_0409_u32.cast_signed() } else { -6 };

/// How a child ended.
pub struct Ended {
    /// Its standard output and error.
    pub printed: String,
    pub errors: String,
    /// Its exit status, or less than 0: the signal that ended it.
    pub status: i32,
}

/// Runs a child to its end. One that hangs is killed, and that is a failure.
pub fn run(command: &mut Command) -> Ended {
    const LIMIT: Duration = Duration::from_secs(120);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (done, ended) = channel();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = thread::spawn(move || (read(out), done.send(()).is_ok()).0);
    let err = thread::spawn(move || read(err));
    let in_time = ended.recv_timeout(LIMIT).is_ok();
    let status = end_of(&mut child, in_time);
    let (printed, errors) = (out.join().unwrap(), err.join().unwrap());
    assert!(in_time, "it hangs: {printed} {errors}");
    Ended { printed, errors, status }
}

fn read(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn end_of(child: &mut Child, in_time: bool) -> i32 {
    if !in_time {
        child.kill().unwrap();
    }
    number(child.wait().unwrap())
}

/// A status as one number.
fn number(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        status.code().unwrap_or_else(|| -status.signal().unwrap())
    }
    #[cfg(not(unix))]
    status.code().unwrap()
}

/// This binary again, as the program of this name.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(PROGRAM, name).env("RUST_BACKTRACE", "0"); // which takes longer than all else
    command
}

/// The `main` of the test binary. A child runs its `program`; otherwise each test that the command line chooses by its name is run
/// by `test`, which says how it went, or panics.
pub fn main<T: RefUnwindSafe>(
    tests: &[T],
    name: impl Fn(&T) -> &'static str,
    program: impl Fn(&T),
    test: impl Fn(&T) -> String + RefUnwindSafe,
) -> ExitCode {
    if let Ok(this) = env::var(PROGRAM) {
        program(tests.iter().find(|test| name(test) == this).expect("a test's name"));
        return ExitCode::SUCCESS;
    }
    let choice = Choice::of_command_line();
    let mut failures = 0;
    for (name, one) in tests.iter().map(|test| (name(test), test)).filter(|(name, _)| choice.has(name)) {
        if choice.list {
            println!("{name}: test");
            continue;
        }
        match catch_unwind(|| test(one)) {
            Ok(how) => println!("test {name} ... {how}"),
            Err(_) => {
                failures += 1;
                println!("test {name} ... FAILED");
            }
        }
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What libtest's command line can choose: filters, `--skip`, `--exact`, `--list`, `--ignored` (none here is). Its other
/// options change nothing.
#[derive(Default)]
struct Choice {
    filters: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
    ignored: bool,
}

impl Choice {
    fn of_command_line() -> Self {
        let mut choice = Choice::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => choice.exact = true,
                "--list" => choice.list = true,
                "--ignored" => choice.ignored = true,
                "--skip" => choice.skipped.extend(arguments.next()),
                "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" => _ = arguments.next(),
                option if option.starts_with('-') => (),
                _ => choice.filters.push(argument),
            }
        }
        choice
    }

    fn has(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        let wanted = self.filters.is_empty() || self.filters.iter().any(fits);
        wanted && !self.skipped.iter().any(fits) && !self.ignored
    }
}
