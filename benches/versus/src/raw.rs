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

/// What one entrant of a row took in all rounds, read back.
#[derive(Debug, PartialEq)]
pub struct Times {
    /// The row's name.
    pub row: String,
    /// The entrant's.
    pub entrant: String,
    /// Its side, as a word.
    pub side: String,
    /// For each round, nanoseconds of one operation.
    pub nanos: Vec<f64>,
}

/// Reads what [`write`] has written as CSV; an error says in which line it is something else.
pub fn read(csv: &str) -> Result<Vec<Times>, String> {
    let mut all: Vec<Times> = Vec::new();
    for (number, line) in csv.lines().enumerate().skip(1) {
        let (row, entrant, side, nanos) = slice(line).ok_or_else(|| format!("line {}: not of --raw's", number + 1))?;
        match all.last_mut() {
            Some(last) if last.row == row && last.entrant == entrant => last.nanos.push(nanos),
            _ => all.push(Times {
                row: row.to_owned(),
                entrant: entrant.to_owned(),
                side: side.to_owned(),
                nanos: vec![nanos],
            }),
        }
    }
    Ok(all)
}

/// The row, the entrant, its side and the time in a line of [`csv`].
fn slice(line: &str) -> Option<(&str, &str, &str, f64)> {
    let (row, rest) = line.split_once(",\"")?;
    let (entrant, rest) = rest.split_once("\",")?;
    let mut fields = rest.split(',');
    let side = fields.next()?;
    let nanos = fields.nth(2)?.parse().ok()?;
    Some((row, entrant, side, nanos))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Series, Side};

    #[test]
    fn what_is_written_is_read_back() {
        let series =
            |name, nanos: &[f64]| Series { name, side: Side::Peer, ops: 9, nanos: nanos.to_vec(), remark: None };
        let outcome = Outcome {
            id: "a/b".to_owned(),
            title: String::new(),
            series: vec![series("x, held", &[1.5, 2.0]), series("y", &[3.0])],
            goals: Vec::new(),
        };
        let times = |entrant: &str, nanos: &[f64]| Times {
            row: "a/b".to_owned(),
            entrant: entrant.to_owned(),
            side: "Peer".to_owned(),
            nanos: nanos.to_vec(),
        };
        assert_eq!(read(&csv(&[outcome])), Ok(vec![times("x, held", &[1.5, 2.0]), times("y", &[3.0])]));
        assert!(read("head\nno line of it").is_err());
    }
}
