//! What is alive is written, under no lock; what is read has an owner.

use serde::de::DeserializeSeed;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, from_str, from_value, json, to_value};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use weakly::atomic::{AtomicArc, AtomicWeak};
use weakly::{
    Arc, Interned, Interner, PtrWeakKeyMap, PtrWeakSet, PtrWeakWeakMap, Weak, WeakKeyMap, WeakList, WeakSet,
    WeakValueMap, WeakWeakMap,
};

/// A JSON array, sorted.
fn sorted(value: impl Serialize) -> Vec<Value> {
    let Ok(Value::Array(mut items)) = to_value(value) else { panic!("not a sequence") };
    items.sort_by_key(Value::to_string);
    items
}

#[test]
fn an_arc_is_written_as_its_value_and_read_as_a_new_object() {
    let arc = Arc::new(vec![1, 2]);
    assert_eq!(to_value(&arc).unwrap(), json!([1, 2]));
    let read: Arc<Vec<u8>> = from_str("[1, 2]").unwrap();
    assert_eq!(read, arc);
    assert_eq!(&*from_str::<Arc<str>>("\"ann\"").unwrap(), "ann");
    assert_eq!(*from_str::<Arc<[u8]>>("[1, 2]").unwrap(), [1, 2]);
    assert!(from_str::<Arc<u8>>("\"ann\"").is_err());
    assert_eq!(to_value(Arc::<str>::from("ann")).unwrap(), json!("ann"));
}

#[test]
fn a_weak_is_written_as_its_value_while_that_lives_and_read_dead() {
    let arc = Arc::new(5);
    let weak = Arc::downgrade(&arc);
    assert_eq!(to_value(&weak).unwrap(), json!(5));
    drop(arc);
    assert_eq!(to_value(&weak).unwrap(), json!(null));
    assert!(!from_str::<Weak<u8>>("5").unwrap().is_alive());
    assert!(from_str::<Weak<u8>>("\"ann\"").is_err());
}

#[test]
fn slots_are_written_as_what_is_in_them() {
    let slot: AtomicArc<u8> = from_str("5").unwrap();
    assert_eq!(slot.load().as_deref(), Some(&5));
    assert_eq!(to_value(&slot).unwrap(), json!(5));
    let weak = AtomicWeak::new(&slot.load().unwrap());
    assert_eq!(to_value(&weak).unwrap(), json!(5));
    slot.store(None);
    assert_eq!((to_value(&slot).unwrap(), to_value(&weak).unwrap()), (json!(null), json!(null)));
    assert!(from_value::<AtomicArc<u8>>(json!(null)).unwrap().load().is_none());
}

#[test]
fn a_collection_is_written_as_its_live_entries() {
    let keep = [Arc::new("a".to_string()), Arc::new("b".to_string())];
    let gone = Arc::new("c".to_string());
    let all = || keep.iter().chain([&gone]);

    let values: WeakValueMap<String, String> = all().map(|v| (v.to_uppercase(), v)).collect();
    let keys: WeakKeyMap<String, usize> = all().enumerate().map(|(i, k)| (k, i)).collect();
    let pointers: PtrWeakKeyMap<String, usize> = all().enumerate().map(|(i, k)| (k, i)).collect();
    let both: WeakWeakMap<String, String> = all().map(|o| (o, o)).collect();
    let by_pointer: PtrWeakWeakMap<String, String> = all().map(|o| (o, o)).collect();
    let set: WeakSet<String> = all().collect();
    let objects: PtrWeakSet<String> = all().collect();
    let list: WeakList<String> = all().collect();
    assert_eq!(to_value(&list).unwrap(), json!(["a", "b", "c"]));
    drop(gone);

    assert_eq!(to_value(&values).unwrap(), json!({"A": "a", "B": "b"}));
    assert_eq!(to_value(&keys).unwrap(), json!({"a": 0, "b": 1}));
    assert_eq!(to_value(&pointers).unwrap(), json!({"a": 0, "b": 1}));
    assert_eq!(to_value(&both).unwrap(), json!({"a": "a", "b": "b"}));
    assert_eq!(to_value(&by_pointer).unwrap(), json!({"a": "a", "b": "b"}));
    assert_eq!(sorted(&set), ["a", "b"]);
    assert_eq!(sorted(&objects), ["a", "b"]);
    assert_eq!(to_value(&list).unwrap(), json!(["a", "b"]));
}

#[test]
fn a_key_maps_values_need_not_be_clone() {
    struct Flag(bool);
    impl Serialize for Flag {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_bool(self.0)
        }
    }
    let key = Arc::new("a".to_string());
    let map: WeakKeyMap<String, Flag> = WeakKeyMap::from([(&key, Flag(true))]);
    assert_eq!(to_value(&map).unwrap(), json!({"a": true}));
}

#[test]
fn a_guest_is_written_as_others_are() {
    use std::sync::Arc;
    use weakly::std_arc::{Anchor, Anchored, WeakList, WeakSet};

    #[derive(Default, PartialEq, Eq, Hash)]
    struct Guest(u8, Anchor);
    impl Anchored for Guest {
        fn anchor(&self) -> &Anchor {
            &self.1
        }
    }
    impl Serialize for Guest {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_u8(self.0)
        }
    }
    let (one, two) = (Arc::new(Guest(1, Anchor::new())), Arc::new(Guest(2, Anchor::new())));
    let (set, list) = (WeakSet::from([&one, &two]), WeakList::from([&two, &one, &two]));
    drop(one);
    assert_eq!(to_value(&set).unwrap(), json!([2]));
    assert_eq!(to_value(&list).unwrap(), json!([2, 2]));
}

thread_local! {
    /// Owners for [`Killer`]s to drop, and a map for them to use.
    static OWNERS: RefCell<Vec<Arc<Killer>>> = const { RefCell::new(Vec::new()) };
    static KILLERS: WeakValueMap<u8, Killer> = WeakValueMap::new();
}

/// Drops all owners there are when it is written.
struct Killer(u8);

impl Serialize for Killer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        drop(OWNERS.take());
        KILLERS.with(|map| map.insert(self.0 + 100, &Arc::new(Killer(0))));
        to.serialize_u8(self.0)
    }
}

#[test]
fn writing_uses_no_lock_and_what_dies_meanwhile_is_written() {
    OWNERS.set((0..10).map(|n| Arc::new(Killer(n))).collect());
    KILLERS.with(|map| {
        OWNERS.with_borrow(|owners| map.extend(owners.iter().map(|killer| (killer.0, killer))));
        let written = to_value(map).unwrap();
        assert_eq!(written.as_object().unwrap().len(), 10);
        assert!(map.is_empty());
        assert_eq!(to_value(map).unwrap(), json!({}));
    });
}

#[test]
fn a_panic_while_writing_leaves_the_collection_as_it_was() {
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("no")
        }
    }
    let panics = Arc::new(Panics);
    let map = WeakValueMap::from([(1, &panics)]);
    assert!(catch_unwind(AssertUnwindSafe(|| to_value(&map))).is_err());
    assert_eq!(map.len(), 1);
    drop(panics);
    assert!(map.is_empty());
}

#[test]
fn an_interner_interns_what_it_reads() {
    let names: Interner<str> = Interner::new();
    let ann = names.intern("ann");
    let read = |text: &str| (&names).deserialize(&mut serde_json::Deserializer::from_str(text));
    assert_eq!(read("\"ann\"").unwrap(), ann);
    let (bob, again) = (read("\"bob\"").unwrap(), read("\"bob\"").unwrap());
    assert_eq!(bob, again);
    assert_eq!(names.len(), 2);
    assert!(read("5").is_err());
    assert_eq!(to_value(&bob).unwrap(), json!("bob"));
    drop((bob, again));
    assert_eq!(sorted(&names), ["ann"]);
}

#[test]
fn a_fields_deserializer_can_intern() {
    use serde::Deserializer;
    use std::sync::LazyLock;

    static NAMES: LazyLock<Interner<String>> = LazyLock::new(Interner::new);
    fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Interned<String>, D::Error> {
        (&*NAMES).deserialize(from)
    }
    struct Named(Interned<String>);
    impl<'de> Deserialize<'de> for Named {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            name(from).map(Named)
        }
    }
    let all: Vec<Named> = from_str(r#"["ann", "bob", "ann"]"#).unwrap();
    assert!(all[0].0 == all[2].0 && all[0].0 != all[1].0);
    assert_eq!(NAMES.len(), 2);
}
