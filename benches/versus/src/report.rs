//! The tables, as Markdown.

use crate::harness::{Series, Side};
use crate::rows::{Goal, Shape};
use crate::stats::Spread;
use crate::table::table;
use std::fmt::Write;

/// What measuring one row brought.
pub struct Outcome {
    /// What the command line selects the row by.
    pub id: String,
    /// What the tables call it.
    pub title: String,
    /// A series for each entrant.
    pub series: Vec<Series>,
    /// The ratios that it is to reach.
    pub goals: Vec<Goal>,
}

impl Outcome {
    /// The series of an entrant.
    pub fn of(&self, name: &str) -> &Series {
        self.series.iter().find(|series| series.name == name).expect("an entrant of this row")
    }

    fn side(&self, side: Side) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(move |series| series.side == side)
    }

    fn remarks(&self) -> impl Iterator<Item = (&Series, &str)> {
        self.series.iter().filter_map(|series| Some((series, series.remark.as_deref()?)))
    }

    /// The peer among these with the lowest median time.
    fn fastest(&self, peers: &[&str]) -> &Series {
        let median = |series: &Series| Spread::of(series.nanos.clone()).median;
        let all = peers.iter().map(|peer| self.of(peer));
        all.min_by(|a, b| median(a).total_cmp(&median(b))).expect("a goal names a peer")
    }
}

/// All tables of a section.
pub fn section(title: &str, shape: &Shape, outcomes: &[Outcome]) -> String {
    let mut out = format!("## {title}\n");
    write!(out, "\n{}'s time / theirs: median (quartiles) of the rounds, above 1 is faster than {0}\n\n", shape.base)
        .expect(INFALLIBLE);
    out += &against_base(shape, outcomes);
    out += "\nPeer's time / ours: median (quartiles) of the rounds, above 1 is faster than the peer\n\n";
    out += &peer_by_ours(outcomes);
    out += "\nNanoseconds an operation, as its thread sees it: median (quartiles)\n\n";
    out += &nanoseconds(outcomes);
    if outcomes.iter().any(|outcome| outcome.remarks().next().is_some()) {
        out += "\nBeside the time\n\n";
        out += &remarks(outcomes);
    }
    if outcomes.iter().any(|outcome| !outcome.goals.is_empty()) {
        out += "\nGoals\n\n";
        out += &goals(outcomes);
    }
    out
}

fn against_base(shape: &Shape, outcomes: &[Outcome]) -> String {
    let mut head = vec!["workload".to_owned()];
    head.extend(shape.columns.iter().map(|&column| column.to_owned()));
    let line = |outcome: &Outcome| {
        let base = outcome.of(shape.base);
        let cell = |column: &&str| Spread::of_ratios(base, outcome.of(column)).to_string();
        let mut cells = vec![outcome.title.clone()];
        cells.extend(shape.columns.iter().map(cell));
        cells
    };
    table(head, outcomes.iter().map(line))
}

fn peer_by_ours(outcomes: &[Outcome]) -> String {
    let mut head = vec!["workload".to_owned(), "ours".to_owned()];
    head.extend(outcomes[0].side(Side::Peer).map(|peer| peer.name.to_owned()));
    let lines = outcomes.iter().flat_map(|outcome| {
        outcome.side(Side::Ours).map(|ours| {
            let mut cells = vec![outcome.title.clone(), ours.name.to_owned()];
            cells.extend(outcome.side(Side::Peer).map(|peer| Spread::of_ratios(peer, ours).to_string()));
            cells
        })
    });
    table(head, lines)
}

fn nanoseconds(outcomes: &[Outcome]) -> String {
    let mut head = vec!["workload".to_owned()];
    head.extend(outcomes[0].series.iter().map(|series| series.name.to_owned()));
    let lines = outcomes.iter().map(|outcome| {
        let mut cells = vec![outcome.title.clone()];
        cells.extend(outcome.series.iter().map(|series| {
            let Spread { low, median, high } = Spread::of(series.nanos.clone());
            format!("{median:.1} ({low:.1}..{high:.1})")
        }));
        cells
    });
    table(head, lines)
}

fn remarks(outcomes: &[Outcome]) -> String {
    let head = ["workload", "entrant", ""].map(str::to_owned).to_vec();
    let lines = outcomes.iter().flat_map(|outcome| {
        let line =
            |(series, remark): (&Series, &str)| vec![outcome.title.clone(), series.name.to_owned(), remark.into()];
        outcome.remarks().map(line)
    });
    table(head, lines)
}

fn goals(outcomes: &[Outcome]) -> String {
    let head = ["workload", "ours", "against", "ratio", "goal", ""].map(str::to_owned).to_vec();
    let lines = outcomes.iter().flat_map(|outcome| {
        outcome.goals.iter().map(|goal| {
            let peer = outcome.fastest(goal.peers);
            let ratio = Spread::of_ratios(peer, outcome.of(goal.face));
            let verdict = if ratio.median >= goal.ratio { "met" } else { "missed" };
            vec![
                outcome.title.clone(),
                goal.face.to_owned(),
                peer.name.to_owned(),
                ratio.to_string(),
                format!("{:.2}", goal.ratio),
                verdict.to_owned(),
            ]
        })
    });
    table(head, lines)
}

const INFALLIBLE: &str = "writing to a string does not fail";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_peer_has_the_lowest_median() {
        let series =
            |name, nanos: [f64; 3]| Series { name, side: Side::Peer, ops: 1, nanos: nanos.to_vec(), remark: None };
        let outcome = Outcome {
            id: String::new(),
            title: String::new(),
            series: vec![series("a", [1.0, 9.0, 9.0]), series("b", [5.0, 5.0, 50.0]), series("c", [1.0, 1.0, 1.0])],
            goals: Vec::new(),
        };
        assert_eq!(outcome.fastest(&["a", "b"]).name, "b");
    }
}
