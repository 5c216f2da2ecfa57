//! `cargo run --release` here measures `weakly` beside what people use in its place, and prints the tables.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use weakly_versus::harness::{self, Plan};
use weakly_versus::report::{self, Outcome};
use weakly_versus::{raw, rows, tables};

/// Paired benchmarks of weakly against the maps people use in its place.
#[derive(Parser)]
struct Args {
    /// Rows to measure: parts of their names, as `--list` shows them; none means all
    rows: Vec<String>,
    /// Print the names of the rows and do nothing
    #[arg(long)]
    list: bool,
    /// Rounds for each row: in each, every entrant has one slice of the time
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Time for each row, without filling and warming up
    #[arg(long, default_value_t = 6.0, value_parser = positive)]
    seconds: f64,
    /// Write the time of every slice to this file, as JSON if it ends in .json, else as CSV
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(seconds),
        Ok(_) => Err("must be above 0, and a day at most".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Args {
    fn wants(&self, id: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|part| id.contains(part.as_str()))
    }

    fn plan(&self) -> Plan {
        Plan { rounds: self.rounds.into(), time: Duration::from_secs_f64(self.seconds) }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut sections = rows::all();
    for section in &mut sections {
        section.rows.retain(|row| args.wants(&row.id));
    }
    sections.retain(|section| !section.rows.is_empty());
    let mut tables = tables::all();
    tables.retain(|table| args.wants(table.id));
    if sections.is_empty() && tables.is_empty() {
        eprintln!("no row is called that; `--list` names them");
        return ExitCode::FAILURE;
    }
    if args.list {
        for row in sections.iter().flat_map(|section| &section.rows) {
            println!("{}", row.id);
        }
        for table in &tables {
            println!("{}", table.id);
        }
        return ExitCode::SUCCESS;
    }

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, {} rounds, {} s a row; one hasher, one allocator for all\n", args.rounds, args.seconds);
    let mut all = Vec::new();
    for section in sections {
        let outcomes: Vec<Outcome> = section.rows.into_iter().map(|row| measure(row, args.plan())).collect();
        println!("{}", report::section(section.title, &section.shape, &outcomes));
        all.extend(outcomes);
    }
    for table in tables {
        eprintln!("{}", table.id);
        println!("{}", (table.run)(args.plan()));
    }
    if let Some(file) = &args.raw
        && let Err(error) = raw::write(file, &all)
    {
        eprintln!("cannot write {}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn measure(row: rows::Row, plan: Plan) -> Outcome {
    eprintln!("{}", row.id);
    let (id, title) = (row.id.clone(), row.title.clone());
    let (entrants, goals) = row.prepare();
    Outcome { id, title, series: harness::measure(entrants, plan), goals }
}
