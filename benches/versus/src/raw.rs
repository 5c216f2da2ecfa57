//! Every slice of a run, for plots and for comparing runs.

use crate::report::Outcome;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

/// Writes the data: JSON if the file's name ends so, else CSV.
pub fn write(file: &Path, outcomes: &[Outcome]) -> io::Result<()> {
    let text = match file.extension() {
        Some(extension) if extension == "json" => json(outcomes),
        _ => csv(outcomes),
    };
    fs::write(file, text)
}

/// A line for each slice.
fn csv(outcomes: &[Outcome]) -> String {
    let mut out = "row,entrant,side,round,ops,nanoseconds\n".to_owned();
    for outcome in outcomes {
        for series in &outcome.series {
            for (round, nanos) in series.nanos.iter().enumerate() {
                // An entrant's name may hold a comma, never a quote.
                writeln!(out, "{},\"{}\",{:?},{round},{},{nanos:.3}", outcome.id, series.name, series.side, series.ops)
                    .expect("writing to a string does not fail");
            }
        }
    }
    out
}

/// An object for each row.
fn json(outcomes: &[Outcome]) -> String {
    let rows: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let entrants: Vec<_> = outcome
                .series
                .iter()
                .map(|s| json!({ "name": s.name, "side": format!("{:?}", s.side), "ops": s.ops, "nanoseconds": s.nanos }))
                .collect();
            json!({ "row": outcome.id, "title": outcome.title, "entrants": entrants })
        })
        .collect();
    format!("{:#}\n", json!(rows))
}
