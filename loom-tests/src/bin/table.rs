//! `table <preemptions | none> <seconds> <scenario>.. | all`: explores scenarios of `table_scripts`, one line each.

use loom_tests::{Bounds, table_scripts};
use std::time::Duration;

fn main() {
    let mut args = std::env::args().skip(1);
    let usage = "table <preemptions | none> <seconds a scenario> <scenario>.. | all";
    let preemptions = args.next().expect(usage).parse().ok();
    let time = Some(Duration::from_secs(args.next().expect(usage).parse().expect(usage)));
    let mut scenarios: Vec<String> = args.collect();
    if scenarios == ["all"] {
        scenarios = table_scripts::SCENARIOS.iter().map(|s| s.to_string()).collect();
    }
    let (mut executions, mut failed, mut cut) = (0, 0, 0);
    for scenario in &scenarios {
        let outcome = table_scripts::run(scenario, Bounds { preemptions, time });
        executions += outcome.executions;
        failed += usize::from(outcome.failure.is_some());
        cut += usize::from(outcome.cut);
        let end = outcome.failure.unwrap_or_else(|| if outcome.cut { "cut short" } else { "whole" }.to_string());
        println!("{scenario:<12} {:>9} executions {:>7.1} s {end}", outcome.executions, outcome.time.as_secs_f64());
    }
    println!("{} scenarios, {executions} executions, {failed} failed, {cut} cut short", scenarios.len());
    assert_eq!(failed, 0, "a scenario failed");
}
