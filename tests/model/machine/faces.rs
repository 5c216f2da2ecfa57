//! One face for all keyed collections: what each calls the operations of [`Keyed`], and what goes in and comes out.

use super::keyed::{Key, Keyed, Mailbox, Outcome, Told, Value, Wish};
use super::objects::{Class, Id, Kind, Name, Object, Owner, id_of, tell};
use super::script::{Act, Hashing, Setup};
use std::hash::BuildHasher;
use weakly::generic::{self, Rule};
use weakly::{ByEq, ByPointer, Compute, Computed, Cursor, Lookup, Removed, Stats};

/// How keys that are objects are told apart.
pub trait Way<A: Kind>: Rule<Object> + 'static {
    const TOLD: Told;
    /// `get_or_try_insert_with`, which only a set by equality has.
    fn load(_: &generic::Set<A, Self, Hashing>, _: &A, _: &mut dyn FnMut() -> Option<Owner<A>>) -> Option<Owner<A>> {
        unreachable!("a set by address has no loads")
    }
    /// `get_or_insert`, likewise.
    fn get_or_insert(_: &generic::Set<A, Self, Hashing>, _: Owner<A>) -> Owner<A> {
        unreachable!("a set by address has no `get_or_insert`")
    }
}

impl<A: Kind> Way<A> for ByEq {
    const TOLD: Told = Told::ByEq;

    fn load(
        set: &generic::Set<A, Self, Hashing>,
        key: &A,
        load: &mut dyn FnMut() -> Option<Owner<A>>,
    ) -> Option<Owner<A>> {
        set.get_or_try_insert_with(&Class(key.class), |_| load().map(Owner::give).ok_or(())).ok().map(Owner::adopt)
    }

    fn get_or_insert(set: &generic::Set<A, Self, Hashing>, element: Owner<A>) -> Owner<A> {
        Owner::adopt(set.get_or_insert(element.give()))
    }
}

impl<A: Kind> Way<A> for ByPointer {
    const TOLD: Told = Told::ByAddress;
}

/// What comes out as a value.
trait Out<A: Kind> {
    fn owner(self) -> Owner<A>;
}

impl<A: Kind> Out<A> for A {
    fn owner(self) -> Owner<A> {
        Owner::adopt(self)
    }
}

impl<A: Kind> Out<A> for Owner<A> {
    fn owner(self) -> Owner<A> {
        self
    }
}

impl<A: Kind> Out<A> for Removed<Owner<A>> {
    fn owner(self) -> Owner<A> {
        self.into_inner().unwrap_or_else(|deferred| deferred.clone())
    }
}

/// What a map is given of an owner: the pointer, or the owner to keep.
trait Given<A: Kind> {
    fn of(owner: Owner<A>) -> Self;
}

impl<A: Kind> Given<A> for A {
    fn of(owner: Owner<A>) -> A {
        owner.give()
    }
}

impl<A: Kind> Given<A> for Owner<A> {
    fn of(owner: Owner<A>) -> Owner<A> {
        owner
    }
}

impl<A: Kind> PartialEq for Owner<A> {
    fn eq(&self, other: &Self) -> bool {
        ***self == ***other
    }
}

/// The plain face's call, or the pinned one's.
macro_rules! faced {
    ($form:expr, $map:expr, $name:ident($($arg:expr),*)) => {
        if $form & 1 == 0 { $map.$name($($arg),*) } else { $map.pin().$name($($arg),*) }
    };
}

/// What all collections have under one name. `$Plain` is the type with the default hasher; listeners are told a `$Key`.
macro_rules! common {
    ($Plain:ty, |$told:ident: &$Key:ty| $id:expr $(, if $setup:ident.$flag:ident $deferred:ident)?) => {
        fn build(setup: &Setup, which: usize) -> Self {
            let builder = <$Plain>::builder().hasher(setup.hashing).shards(setup.shards);
            $(let builder = if setup.$flag { builder.$deferred() } else { builder };)?
            if which > 0 {
                return builder.build();
            }
            builder.on_removal(|$told: &$Key, cause| tell(|machine| machine.left(0, $id, cause))).build()
        }
        fn len(&self) -> usize {
            self.len()
        }
        fn stats(&self) -> Stats {
            self.stats()
        }
        fn validate(&self) {
            self.validate();
        }
    };
}

/// What all but interners have under one name.
macro_rules! whole {
    (|$told:ident: &$Key:ty| $id:expr) => {
        fn reserve(&self, n: usize) {
            self.reserve(n);
        }
        fn shrink_to(&self, n: usize) {
            self.shrink_to(n);
        }
        fn clear(&self) {
            self.clear();
        }
        fn subscribe(&self) -> Mailbox {
            let removals = self.removals();
            Box::new(move || {
                removals.try_next().map(|(key, cause)| {
                    let $told: &$Key = &key;
                    ($id, cause)
                })
            })
        }
        fn join(&self, other: &Self) {
            self.extend(other.iter());
        }
    };
}

/// A map. `key`: what an insert takes, and what finds it; `value`: what an insert takes of a `&A`.
macro_rules! map {
    (
        impl [$($generics:tt)*] [$($bound:tt)*] $Map:ty, plain $Plain:ty, told $told_by:expr, values $values:expr,
        key |$k:ident| $key:expr, $query:expr,
        value |$v:ident| $value:expr,
        told |$told:ident: &$Key:ty| $id:expr,
        exact |$em:ident, $ek:ident, $ev:ident| $exact:expr,
        get_key |$gm:ident, $gk:ident| $get_key:expr,
        $(update |$um:ident, $uk:ident, $uf:ident| $update:expr,)?
        $(deferred $setup:ident.$flag:ident $deferred:ident)?
    ) => {
        impl<A: Kind, $($generics)*> Keyed<A> for $Map
        where
            $($bound)*
        {
            const TOLD: Told = $told_by;
            const VALUE: Value = $values;

            fn has(act: Act) -> bool {
                act != Act::Update || Self::VALUE == Value::Owned
            }

            common!($Plain, |$told: &$Key| $id $(, if $setup.$flag $deferred)?);
            whole!(|$told: &$Key| $id);

            fn get(&self, form: u8, $k: Key<'_, A>) -> Option<Owner<A>> {
                match form & 2 {
                    0 => faced!(form, self, get($query)),
                    _ => faced!(form, self, get_hashed(hash_of(self.hasher(), $k, Self::TOLD), $query)),
                }
                .map(Out::owner)
            }
            fn contains(&self, form: u8, $k: Key<'_, A>) -> bool {
                match form & 2 {
                    0 => faced!(form, self, contains_key($query)),
                    _ => self.pin().read($query).is_some(),
                }
            }
            fn get_key(&self, $gk: Key<'_, A>) -> Option<Id> {
                let $gm = self;
                $get_key
            }
            fn insert(&self, form: u8, $k: Key<'_, A>, $v: &A) -> Option<Owner<A>> {
                match form & 2 {
                    0 => faced!(form, self, insert($key, $value)),
                    _ => faced!(form, self, insert_hashed(hash_of(self.hasher(), $k, Self::TOLD), $key, $value)),
                }
                .map(Out::owner)
            }
            fn try_insert(&self, $k: Key<'_, A>, $v: &A) -> Option<Option<Owner<A>>> {
                // A map that owns its values gives the new one back, the others what is in the way.
                let refused = self.try_insert($key, $value).err().map(Out::owner);
                refused.map(|refused| (Self::VALUE == Value::Weak).then_some(refused))
            }
            fn get_or_insert(&self, form: u8, $k: Key<'_, A>, value: Owner<A>) -> Owner<A> {
                Out::owner(faced!(form, self, get_or_insert($key, Given::of(value))))
            }
            fn load(&self, $k: Key<'_, A>, load: &mut dyn FnMut() -> Option<Owner<A>>) -> Option<Owner<A>> {
                self.get_or_try_insert_with($key, |_| load().map(Given::of).ok_or(())).ok().map(Out::owner)
            }
            fn remove(&self, form: u8, $k: Key<'_, A>) -> Option<Owner<A>> {
                match form & 2 {
                    0 => faced!(form, self, remove($query)),
                    _ => faced!(form, self, remove_hashed(hash_of(self.hasher(), $k, Self::TOLD), $query)),
                }
                .map(Out::owner)
            }
            fn remove_if(&self, $k: Key<'_, A>, wanted: &mut dyn FnMut(Id, Id) -> bool) -> Option<Owner<A>> {
                self.remove_if($query, |key, value| wanted(key.id, value.id)).map(Out::owner)
            }
            fn remove_exact(&self, $ek: Key<'_, A>, $ev: &A) -> bool {
                let $em = self;
                $exact
            }
            fn remove_entry(&self, $k: Key<'_, A>) -> Option<(Id, Owner<A>)> {
                self.remove_entry($query).map(|(key, value)| (key.id, Out::owner(value)))
            }
            fn compute(&self, $k: Key<'_, A>, f: &mut dyn FnMut(Option<Id>) -> Wish<A>) -> Outcome<A> {
                let done = self.compute($key, |there| match f(there.map(|value| value.id)) {
                    Wish::Keep => Compute::Keep,
                    Wish::Remove => Compute::Remove,
                    Wish::Insert(value) => Compute::Insert(Given::of(value)),
                });
                match done {
                    Computed::Kept(there) => Outcome::Kept(there.map(Out::owner)),
                    Computed::Inserted { old, new } => Outcome::Inserted(old.map(Out::owner), Out::owner(new)),
                    Computed::Removed(old) => Outcome::Removed(Out::owner(old)),
                    _ => unreachable!("no other outcome is known"),
                }
            }
            $(fn update(&self, $uk: Key<'_, A>, $uf: &mut dyn FnMut(Id) -> Owner<A>) -> bool {
                let $um = self;
                $update
            })?
            fn retain(&self, keep: &mut dyn FnMut(Id, Id) -> bool) {
                self.retain(|key, value| keep(key.id, value.id));
            }
            fn extract(&self, n: usize, wanted: &mut dyn FnMut(Id, Id) -> bool, each: &mut dyn FnMut(Id, Owner<A>)) {
                let taken = self.extract_if(|key, value| wanted(key.id, value.id));
                taken.take(n).for_each(|(key, value)| each(key.id, Out::owner(value)));
            }
            fn drain(&self, each: &mut dyn FnMut(Id, Owner<A>)) {
                self.drain().for_each(|(key, value)| each(key.id, Out::owner(value)));
            }
            fn pop(&self) -> Option<(Id, Owner<A>)> {
                self.pop().map(|(key, value)| (key.id, Out::owner(value)))
            }
            fn walk(&self, form: u8, each: &mut dyn FnMut(Id, Id) -> bool) {
                match form % 5 {
                    0 => drop(self.iter().all(|(key, value)| each(key.id, value.id))),
                    1 => drop(self.pin().iter().all(|(key, value)| each(key.id, value.id))),
                    form @ (2 | 3) => {
                        let mut go_on = true;
                        faced!(form, self, for_each(|key, value| go_on = go_on && each(key.id, value.id)));
                    }
                    _ => {
                        let mut from = Some(Cursor::default());
                        while let Some(cursor) = from {
                            let page = self.scan(cursor, 3);
                            let go_on = page.items.iter().all(|(key, value)| each(key.id, value.id));
                            from = page.next.filter(|_| go_on);
                        }
                    }
                }
            }
            fn compare(&self, other: &Self) -> (bool, bool) {
                (self == other && self.is_submap(other), self.domain_is_subset(other))
            }
            fn dismantle(self) -> Vec<(Id, Owner<A>)> {
                self.into_iter().map(|(key, value)| (key.id, Out::owner(value))).collect()
            }
        }
    };
}

map! {
    impl [] [] generic::WeakValueMap<Name, A, Hashing>, plain generic::WeakValueMap<Name, A>,
    told Told::Owned, values Value::Weak,
    key |key| Name::new(key.name, key.object.class), &Class(key.object.class),
    value |value| value,
    told |key: &Name| key.id,
    exact |map, key, value| map.remove_exact(&Class(key.object.class), &A::downgrade(value)),
    get_key |map, key| map.pin().get_key_value(&Class(key.object.class)).map(|(name, _)| name.id),
}

map! {
    impl [R: Way<A>] [A: Lookup<Object, ByPointer, R>] generic::WeakMap<A, A, R, Hashing>, plain generic::WeakMap<A, A, R>,
    told R::TOLD, values Value::Weak,
    key |key| key.object, key.object,
    value |value| value,
    told |key: &A::Weak| id_of::<A>(key),
    exact |map, key, value| map.remove_exact(key.object, &A::downgrade(value)),
    get_key |map, key| map.pin().get_key_value(key.object).map(|(key, _)| key.id),
}

map! {
    impl [R: Way<A>] [A: Lookup<Object, ByPointer, R>] generic::KeyMap<A, Owner<A>, R, Hashing>, plain generic::KeyMap<A, Owner<A>, R>,
    told R::TOLD, values Value::Owned,
    key |key| key.object, key.object,
    value |value| Owner::adopt(value.clone()),
    told |key: &A::Weak| id_of::<A>(key),
    exact |map, key, _value| map.remove_exact(&A::downgrade(key.object)).is_some(),
    get_key |map, key| map.get_key(key.object).map(|key| key.id),
    update |map, key, f| map.update(key.object, |value| f(value.id)),
    deferred setup.deferred deferred_values
}

impl<A: Kind, R: Way<A>> Keyed<A> for generic::Set<A, R, Hashing>
where
    A: Lookup<Object, ByPointer, R>,
{
    const TOLD: Told = R::TOLD;
    const VALUE: Value = Value::None;

    fn has(act: Act) -> bool {
        let maps = matches!(act, Act::RemoveIf | Act::RemoveEntry | Act::Compute | Act::Update);
        let by_eq = matches!(act, Act::Load | Act::GetOrInsert);
        !maps && (!by_eq || R::TOLD == Told::ByEq)
    }

    common!(generic::Set<A, R>, |key: &A::Weak| id_of::<A>(key));
    whole!(|key: &A::Weak| id_of::<A>(key));

    fn get(&self, form: u8, key: Key<'_, A>) -> Option<Owner<A>> {
        match form & 2 {
            0 => faced!(form, self, get(key.object)),
            _ => faced!(form, self, get_hashed(hash_of(self.hasher(), key, R::TOLD), key.object)),
        }
        .map(Owner::adopt)
    }
    fn contains(&self, form: u8, key: Key<'_, A>) -> bool {
        match form & 2 {
            0 => faced!(form, self, contains(key.object)),
            _ => self.pin().read(key.object).is_some(),
        }
    }
    fn get_key(&self, key: Key<'_, A>) -> Option<Id> {
        self.get(key.object).map(|element| element.id)
    }
    fn insert(&self, form: u8, key: Key<'_, A>, _: &A) -> Option<Owner<A>> {
        faced!(form, self, replace(key.object)).map(Owner::adopt)
    }
    fn try_insert(&self, key: Key<'_, A>, _: &A) -> Option<Option<Owner<A>>> {
        (!self.insert(key.object)).then_some(None)
    }
    fn get_or_insert(&self, _: u8, _: Key<'_, A>, value: Owner<A>) -> Owner<A> {
        R::get_or_insert(self, value)
    }
    fn load(&self, key: Key<'_, A>, load: &mut dyn FnMut() -> Option<Owner<A>>) -> Option<Owner<A>> {
        R::load(self, key.object, load)
    }
    fn remove(&self, form: u8, key: Key<'_, A>) -> Option<Owner<A>> {
        faced!(form, self, take(key.object)).map(Owner::adopt)
    }
    fn remove_exact(&self, key: Key<'_, A>, _: &A) -> bool {
        self.remove_exact(&A::downgrade(key.object))
    }
    fn retain(&self, keep: &mut dyn FnMut(Id, Id) -> bool) {
        self.retain(|element| keep(element.id, element.id));
    }
    fn extract(&self, n: usize, wanted: &mut dyn FnMut(Id, Id) -> bool, each: &mut dyn FnMut(Id, Owner<A>)) {
        let taken = self.extract_if(|element| wanted(element.id, element.id));
        taken.take(n).for_each(|element| each(element.id, Owner::adopt(element)));
    }
    fn drain(&self, each: &mut dyn FnMut(Id, Owner<A>)) {
        self.drain().for_each(|element| each(element.id, Owner::adopt(element)));
    }
    fn pop(&self) -> Option<(Id, Owner<A>)> {
        self.pop().map(|element| (element.id, Owner::adopt(element)))
    }
    fn walk(&self, form: u8, each: &mut dyn FnMut(Id, Id) -> bool) {
        match form % 5 {
            0 => drop(self.iter().all(|element| each(element.id, element.id))),
            1 => drop(self.pin().iter().all(|element| each(element.id, element.id))),
            form @ (2 | 3) => {
                let mut go_on = true;
                faced!(form, self, for_each(|element| go_on = go_on && each(element.id, element.id)));
            }
            _ => {
                let mut from = Some(Cursor::default());
                while let Some(cursor) = from {
                    let page = self.scan(cursor, 3);
                    let go_on = page.items.iter().all(|element| each(element.id, element.id));
                    from = page.next.filter(|_| go_on);
                }
            }
        }
    }
    fn compare(&self, other: &Self) -> (bool, bool) {
        (self == other, self.is_subset(other))
    }
    fn dismantle(self) -> Vec<(Id, Owner<A>)> {
        self.into_iter().map(|element| (element.id, Owner::adopt(element))).collect()
    }
}

impl<A: Kind> Keyed<A> for generic::Interner<A, Hashing> {
    const TOLD: Told = Told::ByEq;
    const VALUE: Value = Value::None;

    fn has(act: Act) -> bool {
        matches!(act, Act::GetOrInsert | Act::Load | Act::Shrink | Act::Walk)
    }

    common!(generic::Interner<A>, |key: &A::Weak| id_of::<A>(key));

    fn shrink_to(&self, _: usize) {
        self.shrink_to_fit();
    }
    fn get(&self, _: u8, key: Key<'_, A>) -> Option<Owner<A>> {
        self.get(&Class(key.object.class)).map(generic::Interned::into_arc).map(Owner::adopt)
    }
    fn contains(&self, _: u8, key: Key<'_, A>) -> bool {
        self.get(&Class(key.object.class)).is_some()
    }
    fn get_key(&self, key: Key<'_, A>) -> Option<Id> {
        self.get(&Class(key.object.class)).map(|interned| interned.id)
    }
    fn get_or_insert(&self, form: u8, _: Key<'_, A>, value: Owner<A>) -> Owner<A> {
        let value = value.give();
        let interned = if form & 1 == 0 { self.intern_arc(value) } else { self.intern(value) };
        Owner::adopt(generic::Interned::into_arc(interned))
    }
    fn load(&self, key: Key<'_, A>, load: &mut dyn FnMut() -> Option<Owner<A>>) -> Option<Owner<A>> {
        // What fails elsewhere makes an object of its own here: the loader can't fail.
        let make = |_: &Class| load().expect("an interner's loader doesn't fail").give();
        Some(Owner::adopt(generic::Interned::into_arc(self.intern_with(&Class(key.object.class), make))))
    }
    fn walk(&self, _: u8, each: &mut dyn FnMut(Id, Id) -> bool) {
        self.iter().all(|element| each(element.id, element.id));
    }
}

/// What a collection hashes a key by.
fn hash_of<A: Kind>(hasher: &Hashing, key: Key<'_, A>, told: Told) -> u64 {
    match told {
        Told::ByAddress => hasher.hash_one(A::as_ptr(key.object).addr()),
        _ => hasher.hash_one(Class(key.object.class)),
    }
}
