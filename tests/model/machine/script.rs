//! A script: bytes, and what they mean. Proptest draws and shrinks them, a fuzzer mutates them, and both come here.
//!
//! Three bytes say how the collection is made; each four after them are a command. A command says by itself whether it is run
//! in its turn or inside the user code that is called next, so leaving any of them out gives another script.

use super::objects::tell;
use std::fmt;
use std::hash::{BuildHasher, DefaultHasher, Hasher};

/// How the collections of one run are made.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub hashing: Hashing,
    pub shards: usize,
    /// Are a key map's values deferred?
    pub deferred: bool,
    /// How many objects there are at first.
    pub objects: u8,
}

/// A hasher: one that spreads, one that sends every key to one place, one that knows sixteen places.
#[derive(Clone, Copy, Debug)]
pub enum Hashing {
    Good,
    Constant,
    FourBit,
}

impl BuildHasher for Hashing {
    type Hasher = Hashed;
    fn build_hasher(&self) -> Hashed {
        Hashed(*self, DefaultHasher::new())
    }
}

/// One hash in the making.
pub struct Hashed(Hashing, DefaultHasher);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.1.write(bytes);
    }
    /// An address: by the object that lies there, so that a script can be run again.
    fn write_usize(&mut self, address: usize) {
        self.1.write_u32(tell(|machine| machine.id_at(address)));
    }
    fn finish(&self) -> u64 {
        match self.0 {
            Hashing::Good => self.1.finish(),
            Hashing::Constant => 0,
            Hashing::FourBit => self.1.finish() % 16,
        }
    }
}

impl Setup {
    const BYTES: usize = 3;

    fn of(bytes: &[u8]) -> Self {
        let at = |i: usize| bytes.get(i).copied().unwrap_or_default();
        Setup {
            hashing: [Hashing::Good, Hashing::Constant, Hashing::FourBit][usize::from(at(0) % 3)],
            shards: [1, 2, 64][usize::from(at(1) % 3)],
            deferred: at(2) % 2 == 1,
            objects: [6, 2, 16][usize::from(at(2) / 2 % 3)],
        }
    }
}

/// What a command does; each machine knows what that means for its collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// An object, perhaps deferred, perhaps with a child.
    Make,
    CloneHandle,
    DropHandle,
    /// Takes an object's value out, if one handle is all there is.
    Unwrap,
    Insert,
    /// Every object that has a handle goes in.
    Fill,
    TryInsert,
    GetOrInsert,
    /// The single flight: `get_or_try_insert_with`.
    Load,
    Remove,
    RemoveIf,
    RemoveExact,
    RemoveEntry,
    Compute,
    Update,
    Retain,
    Extract,
    Drain,
    Pop,
    Clear,
    Reserve,
    Shrink,
    Walk,
    /// A callback or a finalizer at an object's death.
    Watch,
    /// One of those is cancelled, detached or called.
    Settle,
    Subscribe,
    /// Reads a subscription, or ends it.
    Removals,
    Flush,
    /// A guard is taken, or let go.
    Guard,
    /// One collection's entries go into the other.
    Join,
    /// The two are compared.
    Compare,
    /// A collection is taken apart; a new one takes its place.
    Dismantle,
}

/// Acts by their number; the common ones come more than once.
#[rustfmt::skip]
const ACTS: [Act; 48] = {
    use Act::*;
    [
        Make, Make, Make, CloneHandle, DropHandle, DropHandle, DropHandle, DropHandle,
        Insert, Insert, Insert, Fill, TryInsert, TryInsert, GetOrInsert, Load,
        Load, Remove, Remove, RemoveIf, RemoveIf, RemoveExact, RemoveEntry, Compute,
        Compute, Compute, Update, Update, Retain, Retain, Extract, Drain,
        Pop, Clear, Reserve, Shrink, Walk, Walk, Walk, Watch,
        Watch, Watch, Settle, Subscribe, Removals, Flush, Guard, Unwrap,
    ]
};

/// What comes so seldom that a byte of its own decides.
const RARE: [Act; 3] = [Act::Join, Act::Compare, Act::Dismantle];

/// One command: what, to what, in which form, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Command {
    pub act: Act,
    pub a: u8,
    pub b: u8,
    /// Which of two collections, and which of several ways to say the same.
    pub how: u8,
}

impl Command {
    const BYTES: usize = 4;

    fn of(bytes: &[u8]) -> Self {
        let at = |i: usize| bytes.get(i).copied().unwrap_or_default();
        let act = match at(0) {
            n @ 250.. => RARE[usize::from(n) % RARE.len()],
            n => ACTS[usize::from(n) % ACTS.len()],
        };
        Command { act, a: at(1), b: at(2), how: at(3) }
    }

    /// Does it wait for user code to be called, to be run in there?
    pub fn is_nested(self) -> bool {
        self.how & 2 != 0
    }

    /// The collection that is meant: one in four times the second, for the first is to become large.
    pub fn which(self) -> usize {
        usize::from(self.how & 0x81 == 0x81)
    }

    /// The form of the call that is meant.
    pub fn form(self) -> u8 {
        self.how >> 2
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command { act, a, b, .. } = self;
        let nested = if self.is_nested() { " in user code" } else { "" };
        write!(f, "{act:?}({a}, {b}) on {} as {}{nested}", self.which(), self.form())
    }
}

/// The commands of one run, as they are taken.
#[derive(Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub fn of(bytes: &'a [u8]) -> (Setup, Self) {
        (Setup::of(bytes), Script(bytes.get(Setup::BYTES..).unwrap_or_default()))
    }

    /// All of it, to be shown.
    pub fn commands(&self) -> Vec<Command> {
        self.0.chunks(Command::BYTES).map(Command::of).collect()
    }
}
