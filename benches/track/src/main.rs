//! `compare.sh` beside this package runs it: every row of both commits in turns, and a table of their ratios.

use paired::harness::{Entrant, Plan, measure};
use paired::stats::Spread;
use paired::table::table;
use std::process::ExitCode;
use std::time::Duration;

/// One commit's slice of a row: with 21 rounds the rows take a minute together.
const SLICE: Duration = Duration::from_millis(75);

/// One kind of work, as one commit does it.
struct Row {
    name: &'static str,
    /// An entrant of this name.
    entrant: fn(&'static str) -> Entrant,
}

mod old_rows {
    use old as weakly;
    include!("rows.rs");
}

mod new_rows {
    use new as weakly;
    include!("rows.rs");
}

fn main() -> ExitCode {
    let Some(rounds) = std::env::args().nth(1).and_then(|n| n.parse().ok()).filter(|n| (1..=1_000_u32).contains(n))
    else {
        eprintln!("how many rounds? 1 to 1000");
        return ExitCode::FAILURE;
    };
    let plan = Plan { rounds: rounds as usize, time: SLICE * 2 * rounds };
    let head = ["row", "old, ns", "new, ns", "old / new", ""].map(str::to_owned).to_vec();
    let line = |(old, new): (&Row, &Row)| {
        let series = measure(vec![(old.entrant)("old"), (new.entrant)("new")], plan);
        let nanos = |i: usize| format!("{:.1}", Spread::of(series[i].nanos.clone()).median);
        let ratio = Spread::of_ratios(&series[0], &series[1]);
        eprintln!("{}: {ratio}", old.name);
        vec![old.name.to_owned(), nanos(0), nanos(1), ratio.to_string(), verdict(ratio).to_owned()]
    };
    let lines: Vec<_> = old_rows::ROWS.iter().zip(new_rows::ROWS).map(line).collect();
    println!("{}", table(head, lines.into_iter()));
    ExitCode::SUCCESS
}

/// What a ratio says: nothing, unless the middle half of the rounds agree and differ by a fiftieth.
fn verdict(ratio: Spread) -> &'static str {
    match ratio {
        Spread { low, median, .. } if low > 1.0 && median > 1.02 => "faster",
        Spread { high, median, .. } if high < 1.0 && median < 0.98 => "slower",
        _ => "",
    }
}
