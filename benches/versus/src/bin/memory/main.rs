//! `cargo run --release --bin memory` counts what maps and death watches allocate. It times nothing: its allocator, which
//! counts, is slower than any.

mod counting;
mod entries;
mod watches;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// What maps and death watches allocate.
#[derive(Parser)]
struct Args {
    /// Entries of each map
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..))]
    entries: u32,
}

fn main() {
    let args = Args::parse();
    println!("{}", entries::tables(args.entries as usize));
    println!("{}", watches::tables());
}
