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

#[cfg(test)]
mod tests {
    use super::*;
    use counting::{calls, live, peak};

    // One test: what another one allocates meanwhile would be counted too.
    #[test]
    fn what_is_allocated_is_counted() {
        let before = live();
        let block = vec![0_u8; 1_000_000];
        assert!((1_000_000..1_010_000).contains(&(live() - before)));
        let most = peak(|| drop(vec![0_u8; 2_000_000]));
        assert!((3_000_000..3_010_000).contains(&(most - before)));
        drop(block);
        assert!(live() < before + 10_000);
        assert_eq!(calls(|| drop(Box::new(7))), 1);

        let tables = entries::tables(1_000);
        assert!(!tables.contains("NaN") && !tables.contains("inf"), "{tables}");
    }
}
