//! How often being told of a death allocates.

use crate::counting::calls;
use weakly_versus::table::table;
use weakly_versus::watches::{Dropping, Finalized, Observed, Watched};

/// Enough that what is allocated once, or once in a while, disappears.
const TIMES: usize = 100_000;

/// The table.
pub fn tables() -> String {
    let head = ["", "watch, cancel", "new, watch, death"].map(str::to_owned).to_vec();
    let lines = [
        line::<Observed>("Arc::observe"),
        line::<Finalized>("finalize"),
        line::<Dropping>("Drop calls a boxed closure"),
    ];
    format!(
        "## Allocations of a death watch\n\nThe object's own is among those of its death\n\n{}",
        table(head, lines.into_iter())
    )
}

fn line<W: Watched>(name: &str) -> Vec<String> {
    let object = W::new();
    let canceled = each(|| object.watch_and_cancel(drop));
    let died = each(|| W::watch_and_die(drop));
    vec![name.to_owned(), canceled, died]
}

fn each(mut operation: impl FnMut()) -> String {
    let calls = calls(|| (0..TIMES).for_each(|_| operation()));
    format!("{:.2}", calls as f64 / TIMES as f64)
}
