//! What is printed in the end, and the last look at the books.

use crate::Error;
use crate::accounting::{Figures, Outcome};
use crate::cache::TileCache;
use crate::clients::Seen;
use crate::options::Load;
use crate::tile::TileId;
use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

/// Prints the clients' part of the table; what they saw must be what the cache has counted.
pub fn clients(seen: &Seen, load: &Load, figures: &Figures) -> Result<(), Error> {
    let tiles = TileId::count(load.zoom);
    say(format_args!(
        "\n{} requests by {} clients for {tiles} tiles in {:.1} s (--seed {})\n",
        load.requests,
        load.clients,
        seen.took.as_secs_f64(),
        load.seed
    ))?;
    row("requests/s", format!("{:.0}", load.requests as f64 / seen.took.as_secs_f64()), "")?;
    for (name, share) in [("latency p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("longest", 1.0)] {
        row(name, format!("{:.2} ms", millis(percentile(&seen.latencies, share))), "")?;
    }
    row("bad addresses", seen.refused.to_string(), "each refused with a reason")?;
    row("tiles forgotten", seen.forgets.to_string(), "by DELETE, alive or not")?;

    let asked = seen.latencies.len() as u64;
    if asked != figures.requests() || asked + seen.forgets != load.requests {
        return Err(format!("the clients asked for {asked} tiles, the cache counted otherwise: {figures:?}").into());
    }
    Ok(())
}

/// Prints the cache's part, and checks the books twice: with the recent tiles alive, and without.
pub fn cache(cache: &TileCache) -> Result<(), Error> {
    let figures = cache.figures();
    let served = |outcome| figures.served(outcome).to_string();
    let hit_rate = format!("{:.1} % of the requests found their tile alive", 100.0 * figures.hit_rate());
    let sources = format!("{} rendered, {} read back from the spill directory", figures.rendered, figures.reread);
    row("hits", served(Outcome::Hit), &hit_rate)?;
    row("loads", served(Outcome::Load), &sources)?;
    row("coalesced", served(Outcome::Coalesced), "got the tile that another request was loading")?;
    for (cause, count) in figures.notices() {
        row(cause, count.to_string(), "")?;
    }
    row("live now", figures.live.to_string(), "")?;
    row("pending", figures.pending.to_string(), "")?;

    say(format_args!("\n  {}", balance(&figures)))?;
    figures.check()?;
    cache.release_recent();
    let figures = cache.figures();
    say(format_args!("  {}, with the recent tiles let go", balance(&figures)))?;
    figures.check()?;
    if figures.live != 0 {
        return Err(format!("nobody holds a tile, but some live: {figures:?}").into());
    }
    say("  never two loads of one tile at once\n")?;
    Ok(())
}

fn row(name: &str, value: String, note: &str) -> io::Result<()> {
    say(format!("  {name:<16}{value:>12}  {note}").trim_end())
}

/// `println!` that returns an error where that panics, say when the reader of a pipe has gone.
pub fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// `inserted = live + notices by cause`, in figures.
fn balance(figures: &Figures) -> String {
    let gone: String = figures.notices().map(|(cause, count)| format!(" + {count} {cause}")).collect();
    format!("{} inserted = {} live{gone}", figures.inserted(), figures.live)
}

/// The shortest latency that so large a share of all stays within.
fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
