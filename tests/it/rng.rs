//! A small generator of numbers, for seeded runs.

/// splitmix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).
pub struct Rng(u64);

impl Rng {
    /// The generator of one thread of a seeded run.
    pub fn new(seed: u64, thread: usize) -> Self {
        Rng(seed ^ (thread as u64 + 1).wrapping_mul(0xa076_1d64_78bd_642f))
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}
