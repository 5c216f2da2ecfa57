//! Interning strings that are there already: text comes in, a shared pointer goes out, one byte of it is read.

use super::{Goal, Row, Section, Shape, asking, short, thread_count};
use crate::harness::{Entrant, Side};
use crate::keys::{Choice, Stream, key};
use crate::subjects::{Consign, Interner, Internment, Interns, SharedSet};
use std::hint::black_box;
use std::sync::Arc;

const OURS: &str = "Interner<str>";
const INTERNMENT: &str = "internment ArcIntern<str>";
const SHARED_SET: &str = "RwLock<weak_table set>";
const CONSIGN: &str = "hashconsing HConsign<String>";

pub fn section() -> Section {
    let shape = Shape { base: INTERNMENT, columns: &[SHARED_SET, CONSIGN, OURS] };
    Section { title: "Interning", shape, rows: [1, 2].map(|threads| row(10_000, threads)).into() }
}

fn row(strings: usize, threads: usize) -> Row {
    let id = format!("interning/hit-{}/{threads}t", short(strings)).to_lowercase().replace(' ', "");
    let title = format!("hit, uniform {} strings, {}", short(strings), thread_count(threads));
    let ratio = if threads == 1 { 1.5 } else { 3.0 };
    let goals = vec![Goal { face: OURS, peers: &[INTERNMENT, SHARED_SET, CONSIGN], ratio }];
    Row::new(id, title, goals, move || entrants(strings, threads))
}

fn entrants(strings: usize, threads: usize) -> Vec<Entrant> {
    use Side::{Ours, Peer};
    let texts: Vec<Box<str>> = (0..strings as u64).map(|rank| text(key(rank))).collect();
    let draw = |thread| Stream::draw(Choice::Uniform, 0..strings, thread).map(|&key| text(key));
    let streams: Vec<_> = (0..threads).map(draw).collect();
    vec![
        entrant::<Interner>(OURS, Ours, &texts, &streams),
        entrant::<Internment>(INTERNMENT, Peer, &texts, &streams),
        entrant::<SharedSet>(SHARED_SET, Peer, &texts, &streams),
        entrant::<Consign>(CONSIGN, Peer, &texts, &streams),
    ]
}

/// Twenty bytes, as a longish name has them.
fn text(key: u64) -> Box<str> {
    format!("key-{key:016x}").into()
}

fn entrant<I: Interns>(name: &'static str, side: Side, texts: &[Box<str>], streams: &[Stream<Box<str>>]) -> Entrant {
    let table = I::empty();
    let kept: Vec<_> = texts.iter().map(|text| table.intern(text)).collect();
    asking(name, side, streams, &Arc::new((table, kept)), usize::MAX, |(table, _), texts| {
        for text in texts {
            black_box(table.intern(text).as_ref().as_bytes()[4]);
        }
    })
}
