//! Symbols of a compiler, hash-consed types, paths: one object for equal values.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use weakly::{Arc, Interned, Interner};

type Symbol = Interned<str>;
static SYMBOLS: LazyLock<Interner<str>> = LazyLock::new(Interner::new);

fn symbol(name: &str) -> Symbol {
    SYMBOLS.intern_ref(name)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Type {
    name: String,
    args: Vec<Interned<Type>>,
}

#[test]
fn symbols_compare_by_address_and_read_as_text() {
    let (a, b) = (symbol("alpha"), symbol("alpha"));
    assert!(a == b && a.len() == 5 && a.starts_with("al"));
    assert_ne!(a, symbol("beta"));
    let mut counts: HashMap<Symbol, u32> = HashMap::new();
    for name in [&a, &b] {
        *counts.entry(name.clone()).or_default() += 1;
    }
    assert_eq!((counts[&a], format!("{a} {b:?}")), (2, "alpha \"alpha\"".to_string()));
    let sorted: BTreeSet<Symbol> = [symbol("c"), symbol("a"), symbol("b"), symbol("a")].into();
    assert_eq!(sorted.iter().map(|s| &**s).collect::<String>(), "abc");
}

#[test]
fn whatever_is_at_hand_is_interned() {
    let owned = SYMBOLS.intern(String::from("one"));
    assert_eq!(owned, SYMBOLS.intern("one"));
    assert_eq!(owned, SYMBOLS.intern_box("one".into()));
    assert_eq!(owned, SYMBOLS.intern(Cow::Borrowed("one")));
    assert_eq!(owned, SYMBOLS.intern(Arc::<str>::from("one")));
    assert!(SYMBOLS.iter().any(|s| s == owned));
    let mut found = 0;
    for s in &*SYMBOLS {
        found += usize::from(s == owned);
    }
    assert_eq!(found, 1);
    let held: Arc<str> = Interned::as_arc(&owned).clone();
    assert!(Arc::ptr_eq(&held, &Interned::into_arc(owned)));
}

#[test]
fn numbers_strings_paths_and_bytes() {
    let numbers: Interner<u64> = Interner::new();
    let five = numbers.intern(5);
    assert_eq!((numbers.intern_ref(&5), numbers.get(&5)), (five.clone(), Some(five)));
    assert!(numbers.is_empty(), "nobody uses it any more");

    let names: Interner<String> = Interner::new();
    let n = names.intern_ref("n");
    assert_eq!(names.get("n"), Some(n));
    let upper = names.intern_with("k", |k| Arc::new(k.to_uppercase()));
    assert_eq!((&**upper, names.get("k")), ("K", None));

    let paths: Interner<Path> = Interner::new();
    let etc = paths.intern_ref(Path::new("etc"));
    assert_eq!(paths.intern(PathBuf::from("etc")), etc);

    let bytes: Interner<[u8]> = Interner::new();
    let abc = bytes.intern_ref(b"abc");
    assert_eq!(bytes.intern_ref(&b"abc"[..]), abc);
}

#[test]
fn types_that_hold_interned_types() {
    let types: Interner<Type> = Interner::new();
    let int = types.intern(Type { name: "int".into(), args: vec![] });
    let list = types.intern(Type { name: "list".into(), args: vec![int.clone()] });
    assert_eq!(types.intern_ref(&*list), list);
    drop(int);
    assert_eq!(types.len(), 2, "the list holds its element's type");
    drop(list);
    assert!(types.is_empty());
}
