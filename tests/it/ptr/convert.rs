//! Conversions: moves and clones, and user code that panics half way.

use super::{Entry, Ledger, broken, panics, sized};
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt::Display;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use weakly::Arc;

#[test]
fn values_and_boxes_are_moved() {
    let ledger = Ledger::default();
    let a: Arc<Entry> = ledger.entry().into();
    let b: Arc<Entry> = Box::new(ledger.entry()).into();
    let slice: Arc<[Entry]> = vec![ledger.entry(), ledger.entry()].into_boxed_slice().into();
    let display: Arc<dyn Display> = Arc::from(Box::new(5) as Box<dyn Display>);
    let text: Arc<str> = Box::<str>::from("x").into();
    assert_eq!((slice.len(), display.to_string().as_str(), &*text), (2, "5", "x"));
    assert_eq!((ledger.live(), ledger.clones()), (4, 0));
    drop((a, b, slice));
    assert_eq!(ledger.live(), 0);
}

#[test]
fn boxes_of_any_alignment_and_of_no_size_are_moved() {
    #[repr(align(4096))]
    #[derive(Debug, PartialEq)]
    struct Page(u8);
    assert_eq!(*Arc::<Page>::from(Box::new(Page(7))), Page(7));
    assert_eq!(*Arc::<()>::from(Box::new(())), ());
    assert_eq!(*Arc::<[u8]>::from(Box::<[u8]>::default()), []);
    let page: Arc<dyn std::fmt::Debug> = Arc::from(Box::new(Page(8)) as Box<dyn std::fmt::Debug>);
    assert_eq!((format!("{page:?}").as_str(), Arc::as_ptr(&page).addr() % 4096), ("Page(8)", 0));
}

#[test]
fn the_elements_of_vectors_and_arrays_are_moved() {
    let ledger = Ledger::default();
    let mut values = Vec::with_capacity(10);
    values.extend([ledger.entry(), ledger.entry(), ledger.entry()]);
    let a: Arc<[Entry]> = values.into();
    let b: Arc<[Entry]> = [ledger.entry(), ledger.entry()].into();
    assert_eq!((a.len(), b.len(), ledger.live(), ledger.clones()), (3, 2, 5, 0));
    drop((a, b));
    assert_eq!(ledger.live(), 0);
    assert!(Arc::<[u8]>::from(Vec::new()).is_empty());
    assert_eq!(Arc::<[()]>::from(vec![(); 9]).len(), 9);
    assert!(Arc::<[String]>::from([]).is_empty());
}

#[test]
fn what_is_behind_a_reference_is_cloned() {
    let ledger = Ledger::default();
    let mut values = [ledger.entry(), ledger.entry()];
    let a = Arc::<[Entry]>::from(&values[..]);
    let b = Arc::<[Entry]>::from(&mut values[..]);
    assert_eq!((a.len() + b.len(), ledger.live(), ledger.clones()), (4, 6, 4));
    drop((a, b, values));
    assert_eq!(ledger.live(), 0);

    assert_eq!(&*Arc::<str>::from("text"), "text");
    assert_eq!(&*Arc::<str>::from(&mut *String::from("text")), "text");
    assert_eq!(&*Arc::<str>::from(""), "");
    assert_eq!(&*Arc::<CStr>::from(c"text"), c"text");
    assert_eq!(&*Arc::<OsStr>::from(OsStr::new("text")), "text");
    assert_eq!(&*Arc::<Path>::from(Path::new("a/b")), Path::new("a/b"));
    let mut path = PathBuf::from("a/b").into_boxed_path();
    assert_eq!(&*Arc::<Path>::from(&mut *path), Path::new("a/b"));
    let mut os = OsString::from("text").into_boxed_os_str();
    assert_eq!(&*Arc::<OsStr>::from(&mut *os), "text");
    let mut c = CString::from(c"text").into_boxed_c_str();
    assert_eq!(&*Arc::<CStr>::from(&mut *c), c"text");
}

#[test]
fn owned_strings_and_cows_convert() {
    assert_eq!(&*Arc::<str>::from(String::from("text")), "text");
    assert_eq!(&*Arc::<CStr>::from(CString::from(c"text")), c"text");
    assert_eq!(&*Arc::<OsStr>::from(OsString::from("text")), "text");
    assert_eq!(&*Arc::<Path>::from(PathBuf::from("a/b")), Path::new("a/b"));
    assert_eq!(&*Arc::<str>::from(Cow::Borrowed("text")), "text");
    assert_eq!(&*Arc::<str>::from(Cow::<str>::Owned("text".into())), "text");
    assert_eq!(*Arc::<[u8]>::from(Cow::Borrowed(&[1, 2][..])), [1, 2]);
    assert_eq!(*Arc::<[u8]>::from(Cow::<[u8]>::Owned(vec![1, 2])), [1, 2]);
}

#[test]
fn a_str_becomes_its_bytes_and_a_slice_its_array_in_place() {
    let text = Arc::<str>::from("text");
    let place = Arc::as_ptr(&text).addr();
    let bytes = Arc::<[u8]>::from(text);
    assert_eq!((&*bytes, Arc::as_ptr(&bytes).addr()), (&b"text"[..], place));
    let bytes = Arc::<[u8; 3]>::try_from(bytes).unwrap_err();
    let array = Arc::<[u8; 4]>::try_from(bytes).unwrap();
    assert_eq!((*array, Arc::as_ptr(&array).addr()), (*b"text", place));
}

#[test]
fn an_iterator_is_collected_whatever_length_it_claims() {
    struct Liar(usize, (usize, Option<usize>));
    impl Iterator for Liar {
        type Item = String;
        fn next(&mut self) -> Option<String> {
            self.0 = self.0.checked_sub(1)?;
            Some(self.0.to_string())
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.1
        }
    }
    for hint in [(0, None), (3, Some(3)), (0, Some(0)), (9, Some(9)), (100, None)] {
        let all: Arc<[String]> = Liar(3, hint).collect();
        assert_eq!(*all, ["2", "1", "0"]);
    }
    let n = sized(10_000, 100);
    assert_eq!((0..n).collect::<Arc<[usize]>>().len(), n);
    assert!(std::iter::empty::<u8>().collect::<Arc<[u8]>>().is_empty());
    assert_eq!((0..7).map(|_| ()).collect::<Arc<[()]>>().len(), 7);
}

/// Panics when the third of them is cloned.
struct Fragile(usize, Entry);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        if self.0 == 2 {
            broken("a clone");
        }
        Fragile(self.0, self.1.clone())
    }
}

#[test]
fn a_clone_that_panics_half_way_leaves_nothing_behind() {
    let ledger = Ledger::default();
    let values: Vec<_> = (0..5).map(|i| Fragile(i, ledger.entry())).collect();
    assert_eq!(panics(|| Arc::<[Fragile]>::from(&values[..])), "a clone");
    assert_eq!((ledger.live(), ledger.clones()), (5, 2));
    let cow = Cow::Borrowed(&values[..]);
    assert_eq!(panics(|| Arc::<[Fragile]>::from(cow)), "a clone");
    assert_eq!((ledger.live(), ledger.clones()), (5, 4));
}

#[test]
fn an_iterator_that_panics_half_way_leaves_nothing_behind() {
    let ledger = Ledger::default();
    let values = (0..5).map(|i| if i == 3 { broken("an iterator") } else { ledger.entry() });
    assert_eq!(panics(|| values.collect::<Arc<[Entry]>>()), "an iterator");
    assert_eq!(ledger.live(), 0);
}

#[test]
fn defaults_are_the_values_defaults() {
    assert_eq!(*Arc::<u8>::default(), 0);
    assert_eq!(&*Arc::<str>::default(), "");
    assert_eq!(&*Arc::<CStr>::default(), c"");
    assert!(Arc::<[String]>::default().is_empty());
    assert_eq!(*Pin::<Arc<u8>>::default(), 0);
    assert_eq!(&*Pin::<Arc<str>>::default(), "");
}

#[test]
fn a_boxed_value_can_be_deferred_at_any_size() {
    let text: Arc<str> = Arc::from_box_deferred("text".into());
    let shown = Arc::from_box_deferred(Box::new(5) as Box<dyn Display + Send>);
    let five: Arc<u8> = Arc::from_box_deferred(Box::new(5));
    assert!(Arc::is_deferred(&text) && Arc::is_deferred(&shown) && Arc::is_deferred(&five));
    assert_eq!((&*text, shown.to_string().as_str(), *five), ("text", "5", 5));
    let weak = Arc::downgrade(&text);
    drop(text);
    assert!(!weak.is_alive());
}

#[test]
fn a_shared_file_reads_writes_and_seeks() {
    let path = std::env::temp_dir().join(format!("weakly-ptr-{}", std::process::id()));
    let open = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(&path);
    let mut file: Arc<std::fs::File> = open.unwrap().into();
    let mut same = file.clone();
    file.write_all(b"one two").unwrap();
    file.flush().unwrap();
    assert_eq!(same.stream_position().unwrap(), 7);
    same.seek(SeekFrom::Start(4)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "two");
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd, AsRawFd};
        assert_eq!(file.as_fd().as_raw_fd(), same.as_raw_fd());
    }
    drop((file, same));
    std::fs::remove_file(path).unwrap();
}
