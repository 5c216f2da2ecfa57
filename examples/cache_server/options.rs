//! The command line.

use crate::tile::MAX_ZOOM;
use lexopt::prelude::*;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

pub const USAGE: &str = "\
A Mandelbrot tile server whose cache holds its tiles weakly.

Usage: cache_server [OPTIONS]
       cache_server --serve ADDR [--keep N] [--access-log FILE]

Without --serve it starts on a free port of 127.0.0.1, asks itself for tiles,
prints what came of it, checks the books and ends.

  --requests N       requests in all                         [20000]
  --clients N        clients that ask at the same time       [32]
  --zoom Z           ask for tiles of the zoom levels 0..=Z  [5]
  --skew S           exponent of the Zipf distribution that
                     picks the tiles; 0 picks them evenly    [1.0]
  --seed N           seed of that choice                     [from the clock]
  --keep N           recent tiles kept alive                 [128]
  --access-log FILE  where the access log goes               [the spill directory]
  --serve ADDR       keep serving, say on 127.0.0.1:8080, until Ctrl-C
  -h, --help         print this";

pub enum Command {
    Help,
    Run(Options),
}

pub struct Options {
    pub mode: Mode,
    pub keep: usize,
    pub access_log: Option<PathBuf>,
}

pub enum Mode {
    /// Keep serving at this address.
    Serve(String),
    /// Serve these clients, then end.
    Drive(Load),
}

/// What the built-in clients ask for.
#[derive(Clone)]
pub struct Load {
    pub requests: u64,
    pub clients: u64,
    pub zoom: u8,
    pub skew: f64,
    pub seed: u64,
}

/// Reads the command line; the error is the reason why it can't be used.
pub fn parse() -> Result<Command, String> {
    let mut load = Load { requests: 20_000, clients: 32, zoom: 5, skew: 1.0, seed: clock_seed() };
    let (mut keep, mut access_log) = (128, None);
    let (mut serve, mut load_option) = (None, None);

    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        let Long(name) = argument else {
            match argument {
                Short('h') => return Ok(Command::Help),
                other => return Err(other.unexpected().to_string()),
            }
        };
        let name = name.to_owned();
        let mut text = || {
            let value = parser.value().map_err(|e| e.to_string())?;
            value.into_string().map_err(|v| format!("--{name}: not text: {v:?}"))
        };
        match name.as_str() {
            "help" => return Ok(Command::Help),
            "requests" => load.requests = within(&name, &text()?, 1..=10_000_000)?,
            "clients" => load.clients = within(&name, &text()?, 1..=256)?,
            "zoom" => load.zoom = within(&name, &text()?, 0..=MAX_ZOOM.min(12))?,
            "skew" => load.skew = within(&name, &text()?, 0.0..=10.0)?,
            "seed" => load.seed = within(&name, &text()?, 0..=u64::MAX)?,
            "keep" => keep = within(&name, &text()?, 1..=1_000_000)?,
            "access-log" => access_log = Some(text()?.into()),
            "serve" => serve = Some(text()?),
            _ => return Err(Long(&name).unexpected().to_string()),
        }
        if ["requests", "clients", "zoom", "skew", "seed"].contains(&name.as_str()) {
            load_option = Some(name);
        }
    }
    let mode = match (serve, load_option) {
        (Some(_), Some(name)) => {
            return Err(format!("--{name} is for the built-in clients, which --serve does not start"));
        }
        (Some(address), None) => Mode::Serve(address),
        (None, _) => Mode::Drive(load),
    };
    Ok(Command::Run(Options { mode, keep, access_log }))
}

fn within<T>(name: &str, text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr<Err: std::fmt::Display> + PartialOrd + std::fmt::Display,
{
    let number: T = text.parse().map_err(|why| format!("--{name} {text}: {why}"))?;
    if !range.contains(&number) {
        return Err(format!("--{name} {text}: not from {} to {}", range.start(), range.end()));
    }
    Ok(number)
}

/// A different run each time; it is printed, so that a run can be had again.
fn clock_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_micros() as u64 % 1_000_000)
}
