//! Which keys a row asks for: the same for every entrant, and drawn before the clock runs.

use std::ops::Range;
use std::sync::Arc;

/// The key of a rank. An odd factor, so no two ranks share a key, and keys are not small numbers in a row.
pub fn key(rank: u64) -> u64 {
    rank.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A small random generator (SplitMix64), seeded, so that every run draws the same.
pub struct Rng(u64);

impl Rng {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// In `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// In `0.0..1.0`.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Puts the items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// How often each rank is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// All alike.
    Uniform,
    /// Rank r in proportion to 1 / r^0.99, as in YCSB.
    Zipf,
    /// One rank only.
    Hot,
}

/// The keys one thread asks for, or things made of them, drawn beforehand and walked round and round.
#[derive(Clone)]
pub struct Stream<K = u64> {
    keys: Arc<[K]>,
    at: usize,
}

impl Stream {
    /// Draws the keys of one thread among those of these ranks.
    pub fn draw(choice: Choice, ranks: Range<usize>, thread: usize) -> Self {
        let n = ranks.len();
        let key = |rank: usize| key((ranks.start + rank) as u64);
        let mut rng = Rng::new(thread as u64 + 1);
        // Enough to meet nearly all of them; no more, for the stream goes through the caches too.
        let draws = 2 * n;
        let keys = match choice {
            Choice::Uniform => (0..draws).map(|_| key(rng.below(n))).collect(),
            Choice::Hot => vec![key(n / 2); 1_000].into(),
            Choice::Zipf => {
                let weights = (1..=n).map(|rank| (rank as f64).powf(-0.99));
                let upto: Vec<f64> = weights
                    .scan(0.0, |sum, weight| {
                        *sum += weight;
                        Some(*sum)
                    })
                    .collect();
                let rank = |x: f64| upto.partition_point(|&sum| sum <= x).min(n - 1);
                (0..draws).map(|_| key(rank(rng.unit() * upto[n - 1]))).collect()
            }
        };
        Stream { keys, at: 0 }
    }
}

impl<K> Stream<K> {
    /// What `make` makes of each key.
    pub fn map<L>(&self, make: impl FnMut(&K) -> L) -> Stream<L> {
        Stream { keys: self.keys.iter().map(make).collect(), at: self.at }
    }

    /// The next keys, between one and `most` of them.
    pub fn batch(&mut self, most: usize) -> &[K] {
        let start = self.at;
        let end = start.saturating_add(most).min(self.keys.len());
        self.at = end % self.keys.len();
        &self.keys[start..end]
    }

    /// The next `ops` keys, at most `most` at a time.
    pub fn batches(&mut self, ops: u64, most: usize, mut ask: impl FnMut(&[K])) {
        let mut left = ops as usize;
        while left > 0 {
            let keys = self.batch(left.min(most));
            ask(keys);
            left -= keys.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_round_and_stays_among_its_ranks() {
        for choice in [Choice::Uniform, Choice::Zipf, Choice::Hot] {
            let known: Vec<u64> = (100..200).map(key).collect();
            let mut stream = Stream::draw(choice, 100..200, 0);
            let mut seen = 0;
            while seen < 5_000 {
                let batch = stream.batch(300);
                assert!((1..=300).contains(&batch.len()));
                assert!(batch.iter().all(|k| known.contains(k)), "{choice:?}");
                seen += batch.len();
            }
        }
    }

    #[test]
    fn zipf_asks_most_for_the_first_rank() {
        let mut stream = Stream::draw(Choice::Zipf, 0..1_000, 0);
        let all = stream.batch(usize::MAX);
        let share = |rank| all.iter().filter(|&&k| k == key(rank)).count() as f64 / all.len() as f64;
        // The harmonic sum of 1,000 terms is about 7.7.
        assert!((0.10..0.16).contains(&share(0)), "{}", share(0));
        assert!(share(0) > share(1) && share(1) > share(9));
    }
}
