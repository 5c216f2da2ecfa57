//! Many times, in little room: exact below 64 ns, and to a thirty-second above.

use std::time::Duration;

/// As powers of two are halved this often, a bucket is at most a thirty-second wide.
const FINE: u32 = 5;

/// How often each time was seen.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Histogram { counts: vec![0; bucket(u64::MAX) + 1], total: 0, max: 0 }
    }

    /// Sees one more.
    pub fn record(&mut self, time: Duration) {
        let nanos = time.as_nanos() as u64;
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    /// Nanoseconds that this share of them did not exceed.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.total as f64).ceil() as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        // No more than was seen: the bucket's end may lie beyond.
        found.map_or(self.max, |bucket| end(bucket).min(self.max)) as f64
    }

    /// The longest.
    pub fn max(&self) -> f64 {
        self.max as f64
    }
}

/// Where a time is counted.
fn bucket(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(FINE + 1);
    ((shift as usize) << FINE) + (nanos >> shift) as usize
}

/// The last time that is counted there.
fn end(bucket: usize) -> u64 {
    let shift = (bucket >> FINE).saturating_sub(1);
    let top = (bucket - (shift << FINE)) as u64;
    (top << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let last = bucket(u64::MAX);
        for index in 0..last {
            assert_eq!(bucket(end(index)), index);
            assert_eq!(bucket(end(index) + 1), index + 1);
        }
        assert_eq!(end(last), u64::MAX);
    }

    #[test]
    fn quantiles_are_near() {
        let mut seen = Histogram::new();
        (1..=10_000).for_each(|micros| seen.record(Duration::from_micros(micros)));
        for share in [0.5, 0.99, 0.999] {
            let exact = share * 10_000_000.0;
            assert!((exact..exact * 1.04).contains(&seen.quantile(share)), "{share}: {}", seen.quantile(share));
        }
        assert_eq!(seen.max(), 10_000_000.0);
        assert_eq!(seen.quantile(1.0), seen.max());
    }
}
