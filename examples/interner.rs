//! Interned words: equal ones are one object, compared by address, and gone with the last text that has them.
//!
//! ```text
//! cargo run --example interner
//! ```

use std::collections::HashMap;
use std::sync::LazyLock;
use std::thread;
use weakly::{Interned, Interner};

/// A word: a pointer, equal and hashed by address.
type Word = Interned<str>;

static WORDS: LazyLock<Interner<str>> = LazyLock::new(Interner::new);

/// A text as its words. On a hit nothing is allocated for a word.
fn words(text: &str) -> Vec<Word> {
    text.split_whitespace().map(|word| WORDS.intern_ref(word)).collect()
}

/// How often each word is there. Hashing a word hashes an address.
fn frequencies(text: &[Word]) -> HashMap<Word, usize> {
    let mut frequencies = HashMap::new();
    for word in text {
        *frequencies.entry(word.clone()).or_default() += 1;
    }
    frequencies
}

const TEXT: &str = "the quick brown fox jumps over the lazy dog and the dog lets the fox jump";

fn main() {
    // Four threads intern the same words at once: one winner for each.
    let texts: Vec<Vec<Word>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| words(TEXT))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(texts.iter().all(|text| *text == texts[0]), "by address");
    let all: usize = texts.iter().map(Vec::len).sum();
    assert_eq!((all, WORDS.len()), (64, 11));
    println!("{all} words in {} texts are {} objects", texts.len(), WORDS.len());

    let frequencies = frequencies(&texts[0]);
    let the = WORDS.get("the").expect("it is in use");
    assert_eq!(frequencies[&the], 4);
    assert!(WORDS.get("cat").is_none(), "a look-up makes nothing");
    println!("{:?} is there {} times", &*the, frequencies[&the]);

    // Words go with their texts; one that somebody keeps stays.
    drop((texts, frequencies));
    assert!(WORDS.iter().eq([the.clone()]));
    println!("without the texts: {:?}", *WORDS);
    drop(the);
    assert!(WORDS.is_empty());
}
