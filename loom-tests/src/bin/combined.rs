//! `combined pairs|triples|cyclic|SCRIPT.. [--bound N] [--limit SECONDS] [--shard I/N] [--first]`
//!
//! Runs scripts of operations on one block against each other (see `loom_tests::scripts`): a set, or one scenario, with at
//! most N preemptions (default: any number), each scenario for at most so many seconds; a shard is every Nth scenario.
//! Prints failures, scenarios cut short, and a summary; exits with 1 if anything failed.

use loom_tests::{Bounds, scripts};
use std::process::exit;
use std::time::{Duration, Instant};

fn usage() -> ! {
    eprintln!("combined pairs|triples|cyclic|SCRIPT.. [--bound N] [--limit SECONDS] [--shard I/N] [--first]");
    exit(2)
}

fn main() {
    let (mut names, mut first) = (Vec::new(), false);
    let mut bounds = Bounds { preemptions: None, time: None };
    let (mut shard, mut shards) = (0, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| usage());
        match argument.as_str() {
            "--bound" => bounds.preemptions = Some(number() as usize),
            "--limit" => bounds.time = Some(Duration::from_secs(number())),
            "--first" => first = true,
            "--shard" => {
                let of = arguments.next().unwrap_or_else(|| usage());
                let Some((i, n)) = of.split_once('/') else { usage() };
                (shard, shards) = (i.parse().unwrap_or_else(|_| usage()), n.parse().unwrap_or_else(|_| usage()));
            }
            _ => names.push(argument),
        }
    }
    let scenarios = match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => usage(),
        ["pairs"] => scripts::pairs(),
        ["triples"] => scripts::triples(),
        ["cyclic"] => scripts::cyclic(),
        ref scenario => vec![scenario.to_vec()],
    };
    let start = Instant::now();
    let (mut whole, mut failed, mut cut, mut executions, mut largest) = (0, 0, 0, 0, 0);
    for scenario in scenarios.iter().skip(shard).step_by(shards) {
        let outcome = scripts::run(scenario, bounds);
        executions += outcome.executions;
        largest = largest.max(outcome.executions);
        match outcome.failure {
            None if outcome.cut => {
                cut += 1;
                println!("cut short: {} after {} executions", scenario.join(" "), outcome.executions);
            }
            None => whole += 1,
            Some(failure) => {
                failed += 1;
                println!("FAILED: {}, execution {}: {failure}", scenario.join(" "), outcome.executions);
                if first {
                    break;
                }
            }
        }
    }
    let bound = bounds.preemptions.map_or("no bound".to_owned(), |n| format!("bound {n}"));
    println!(
        "{} shard {shard}/{shards}, {bound}: {whole} whole, {failed} failed, {cut} cut short; {executions} executions, \
         the largest {largest}, {:.0} s",
        names.join(" "),
        start.elapsed().as_secs_f64()
    );
    exit(i32::from(failed > 0));
}
