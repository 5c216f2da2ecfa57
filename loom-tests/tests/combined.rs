//! Scripts of operations on one block, all against each other: see `loom_tests::scripts`. `src/bin/combined.rs` runs the same
//! for longer.

use loom_tests::{Bounds, scripts};
use std::io::Write;
use std::time::Duration;

/// Runs every scenario, prints a line, and panics if one failed.
fn all(name: &str, scenarios: &[Vec<&str>], bounds: Bounds) {
    let (mut executions, mut time) = (0, Duration::ZERO);
    for scenario in scenarios {
        let outcome = scripts::run(scenario, bounds);
        executions += outcome.executions;
        time += outcome.time;
        if let Some(failure) = outcome.failure {
            panic!("{}, execution {}: {failure}", scenario.join(" "), outcome.executions);
        }
    }
    let name = format!("{name}: {} scenarios", scenarios.len());
    let seconds = time.as_secs_f64();
    let _ = writeln!(std::io::stdout(), "{name:<56} {executions:>9} executions {seconds:>7.1} s");
}

#[test]
fn pairs() {
    all("pairs of scripts", &scripts::pairs(), Bounds::from_env());
}

#[test]
fn births() {
    all("scripts beside a birth", &scripts::cyclic(), Bounds::from_env());
}

/// Every fifth, at one preemption less than elsewhere: there are five thousand.
#[test]
fn triples() {
    let bounds = Bounds::from_env();
    let bounds = Bounds { preemptions: bounds.preemptions.map(|n| n.saturating_sub(1)), ..bounds };
    let some: Vec<_> = scripts::triples().into_iter().step_by(5).collect();
    all("triples of scripts, every fifth", &some, bounds);
}
