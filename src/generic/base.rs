//! What every collection does with the table, whatever its entries are.
//!
//! A writer's loop is the same everywhere: survey, decide, commit; if the world changed meanwhile, again. Here it stands once
//! for each decision. A face pins, hashes, and says how an entry compares with its key; owners that are left over go into
//! [`Kept`], and with what else is owed into [`Debts`], made before the guard.

#![allow(missing_debug_implementations, reason = "not for users: public by way of hidden traits")]

use super::iter::{Taken, What};
use super::live::{Debts, Kept, Live, Old, Seen, after};
use super::options::{Compute, Cursor, ScanPage};
use crate::reclaim::{Guard, pin};
use crate::table::node::Fresh;
use crate::table::walk::{Made, Place};
use crate::table::write::Survey;
use crate::table::{Hashed, Table};
use std::ops::Deref;
use std::ptr::NonNull;

/// A hasher and a table.
pub struct Base<E: Live, S> {
    /// Of keys.
    pub hasher: S,
    /// Of entries.
    pub table: Table<E>,
}

/// A base, on its way into a collection.
pub struct Parts<E: Live, S>(pub(super) Base<E, S>);

/// What became of a node that was to be put where nothing is.
pub enum Put<E: Live> {
    /// It is in.
    In,
    /// This is in the way; and the node.
    Found(E::Alive, Fresh<E>),
}

/// What a `compute` did.
pub enum Done<E: Live> {
    /// Nothing; the node comes back.
    Kept(Option<E::Alive>, Fresh<E>),
    /// The node is in, with this value.
    Inserted(Option<Old<E>>, E::Value),
    /// What was there is out; the node comes back.
    Removed(Old<E>, Fresh<E>),
}

impl<E: Live, S> Base<E, S> {
    crate::sync::const_fn! {
        /// Nothing yet.
        pub const fn new(hasher: S) -> Self {
            Base { hasher, table: Table::new() }
        }
    }

    /// The first entry of the key of which `take` makes something.
    #[inline]
    pub fn find<'g, R>(
        &'g self,
        guard: &'g Guard,
        hash: Hashed,
        kept: &mut Kept<E::Part>,
        same: impl Fn(&E::Name, &mut Kept<E::Part>) -> Seen,
        mut take: impl FnMut(&'g E, &mut Kept<E::Part>) -> Option<R>,
    ) -> Option<R> {
        self.table.find(guard, hash, |node| same(node.entry.name(), kept).look(|| take(&node.entry, kept)))
    }

    /// The owners of the key's live entry.
    #[inline]
    pub fn get(
        &self,
        guard: &Guard,
        hash: Hashed,
        kept: &mut Kept<E::Part>,
        same: impl Fn(&E::Name, &mut Kept<E::Part>) -> Seen,
    ) -> Option<E::Alive> {
        self.find(guard, hash, kept, same, |entry, kept| entry.revive(kept))
    }

    /// Has the key a live entry?
    #[inline]
    pub fn has(
        &self,
        guard: &Guard,
        hash: Hashed,
        kept: &mut Kept<E::Part>,
        same: impl Fn(&E::Name, &mut Kept<E::Part>) -> Seen,
    ) -> bool {
        self.find(guard, hash, kept, same, |entry, _| entry.is_alive().then_some(())).is_some()
    }

    /// Looks a key up for a write: its node; the owners of its objects go to `debts`.
    fn survey<'g>(
        &'g self,
        guard: &'g Guard,
        hash: Hashed,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &mut Kept<E::Part>) -> Seen,
    ) -> Survey<'g, E, ()> {
        debts.set_aside();
        let Debts { found, kept, .. } = debts;
        self.table.survey(guard, hash, |node| {
            same(node.entry.name(), kept).look(|| {
                *found = node.entry.revive(kept);
                found.as_ref().map(|_| ())
            })
        })
    }

    /// Looks up the key of a node that is to be put there.
    pub fn survey_for<'g>(
        &'g self,
        node: &Fresh<E>,
        guard: &'g Guard,
        hash: Hashed,
        debts: &mut Debts<E>,
        same: &impl Fn(&E::Name, &E::Name, &mut Kept<E::Part>) -> Seen,
    ) -> Survey<'g, E, ()> {
        self.survey(guard, hash, debts, |there, kept| same(node.entry.name(), there, kept))
    }

    /// Takes out what `wanted` says.
    pub fn remove_where<R>(
        &self,
        guard: &Guard,
        hash: Hashed,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &mut Kept<E::Part>) -> Seen,
        mut wanted: impl FnMut(&E, &E::Alive) -> Option<R>,
    ) -> Option<(R, Old<E>)> {
        self.table.core()?;
        loop {
            let survey = self.survey(guard, hash, debts, &same);
            let ((node, ()), found) = (survey.hit?, debts.found.as_ref()?);
            // SAFETY: the guard keeps the node.
            let r = wanted(unsafe { &node.as_ref().entry }, found)?;
            if let Some(share) = survey.remove(guard, &mut debts.later) {
                return Some((r, debts.old(share)));
            }
        }
    }

    /// Puts a node there, whatever is there now. Returns that.
    pub fn put(
        &self,
        mut node: Fresh<E>,
        hash: Hashed,
        guard: &Guard,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &E::Name, &mut Kept<E::Part>) -> Seen,
    ) -> Option<Old<E>> {
        loop {
            let survey = self.survey_for(&node, guard, hash, debts, &same);
            match commit(&survey, node, guard, debts) {
                Ok(old) => return old,
                Err(back) => node = back,
            }
        }
    }

    /// Puts a node that `make` makes of what is there in its place. `None`: nothing is there.
    pub fn replace_by(
        &self,
        hash: Hashed,
        guard: &Guard,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &mut Kept<E::Part>) -> Seen,
        mut make: impl FnMut(&E::Alive) -> Fresh<E>,
    ) -> Option<Old<E>> {
        loop {
            let survey = self.survey(guard, hash, debts, &same);
            let node = make(debts.found.as_ref()?);
            match commit(&survey, node, guard, debts) {
                Ok(old) => return old,
                // SAFETY: a share owns what it reaches.
                Err(back) => unsafe { debts.later.drop_share(back.into_entry().1) },
            }
        }
    }

    /// Puts a node there if nothing is.
    pub fn put_if_absent(
        &self,
        mut node: Fresh<E>,
        hash: Hashed,
        guard: &Guard,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &E::Name, &mut Kept<E::Part>) -> Seen,
    ) -> Put<E> {
        loop {
            let survey = self.survey_for(&node, guard, hash, debts, &same);
            match debts.found.take() {
                Some(found) => return Put::Found(found, node),
                None => match survey.insert(node, guard) {
                    Ok(()) => return Put::In,
                    Err(back) => node = back,
                },
            }
        }
    }

    /// Puts the node that `make` makes there if nothing is; else returns that. For keys that need no node to be looked up.
    pub fn put_new(
        &self,
        hash: Hashed,
        guard: &Guard,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &mut Kept<E::Part>) -> Seen,
        make: impl Fn() -> Fresh<E>,
    ) -> Option<E::Alive> {
        let mut node = None;
        loop {
            let survey = self.survey(guard, hash, debts, &same);
            if debts.found.is_some() {
                return debts.found.take();
            }
            match survey.insert(node.take().unwrap_or_else(&make), guard) {
                Ok(()) => return None,
                Err(back) => node = Some(back),
            }
        }
    }

    /// Does what `f` says of what is there.
    pub fn compute(
        &self,
        mut node: Fresh<E>,
        hash: Hashed,
        guard: &Guard,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &E::Name, &mut Kept<E::Part>) -> Seen,
        mut f: impl FnMut(Option<(&E, &E::Alive)>) -> Compute<E::Value>,
    ) -> Done<E> {
        loop {
            let survey = self.survey_for(&node, guard, hash, debts, &same);
            // SAFETY: the guard keeps the node.
            let there = survey.hit.map(|(node, ())| unsafe { &(*node.as_ptr()).entry }).zip(debts.found.as_ref());
            match f(there) {
                Compute::Keep => return Done::Kept(debts.found.take(), node),
                Compute::Insert(value) => {
                    // SAFETY: nobody else has seen the node, which never was in a map; shares and values own what they reach.
                    unsafe {
                        debts.later.drop_share(node.entry.take_share()); // from the last time
                        E::fill(node.entry(), &value);
                    }
                    match commit(&survey, node, guard, debts) {
                        Ok(old) => return Done::Inserted(old, value),
                        Err(back) => {
                            node = back;
                            // SAFETY: as above.
                            unsafe { debts.later.drop_share(value) };
                        }
                    }
                }
                Compute::Remove if survey.hit.is_none() => return Done::Kept(None, node),
                Compute::Remove => {
                    if let Some(share) = survey.remove(guard, &mut debts.later) {
                        return Done::Removed(debts.old(share), node);
                    }
                }
            }
        }
    }

    /// One step of a removing walk: takes out what `choose` chooses of one bucket.
    pub fn extract<R>(
        &self,
        place: &mut Place,
        mut choose: impl FnMut(&E, &E::Alive) -> Option<R>,
    ) -> Vec<(R, Old<E>)> {
        let (mut taken, mut debts, mut made) = (Vec::new(), Debts::<E>::new(), Made::default());
        let guard = pin();
        self.table.step(&guard, place, &mut made, |node| {
            let alive = node.entry.revive(&mut debts.kept)?;
            Some((NonNull::from(node), Some(alive)))
        });
        let Some(core) = self.table.core() else { return taken };
        for (node, found) in &mut made.items {
            // SAFETY: the guard keeps the node, and its objects are alive in our hands.
            unsafe {
                if let Some(alive) = &*found
                    && let Some(r) = choose(&node.as_ref().entry, alive)
                    && let Some(share) = core.remove(*node, &guard, &mut debts.later)
                    && let Some(alive) = found.take()
                {
                    taken.push((r, Old { alive, share }));
                }
            }
        }
        after((guard, made, debts), taken)
    }

    /// Takes some live entry out.
    pub fn pop(&self) -> Option<E::Item>
    where
        E: Taken,
    {
        loop {
            let (mut place, mut seen) = (Place::default(), false);
            while !place.is_end() {
                let mut first = true;
                let mut taken = self.extract(&mut place, |entry, _| {
                    seen = true;
                    std::mem::take(&mut first).then(|| entry.note())
                });
                if let Some((note, old)) = taken.pop() {
                    return Some(E::taken(note, old));
                }
            }
            // An entry that was seen but changed before it could be taken: somebody may still be there.
            if !seen {
                return None;
            }
        }
    }

    /// Is `holds` true of every live entry? A bucket at a time under a guard from `hold`; stops at the first of which it isn't.
    pub fn all<G: Deref<Target = Guard>>(
        &self,
        hold: impl Fn() -> G,
        mut holds: impl FnMut(&E, &E::Alive) -> bool,
    ) -> bool {
        let mut place = Place::default();
        while !place.is_end() {
            let (mut kept, mut owners) = (Kept::new(), Vec::new()); // go when the guard has gone
            let mut made = Made::default();
            let guard = hold();
            self.table
                .step(&guard, &mut place, &mut made, |node| Some((NonNull::from(node), node.entry.revive(&mut kept)?)));
            for (node, alive) in made.items.drain(..) {
                owners.push(alive);
                // SAFETY: the guard keeps the node.
                if !holds(unsafe { &node.as_ref().entry }, &owners[owners.len() - 1]) {
                    return false;
                }
            }
        }
        true
    }

    /// Shows every live entry.
    pub fn for_each<G: Deref<Target = Guard>>(&self, hold: impl Fn() -> G, mut f: impl FnMut(&E, &E::Alive)) {
        self.all(hold, |entry, alive| {
            f(entry, alive);
            true
        });
    }

    /// Moves the live entries out, and clears the rest.
    pub fn dismantle(self) -> Vec<(E, Old<E>)> {
        let mut kept = Kept::new();
        let mut table = self.table;
        let entries = table.dismantle(|node| node.entry.revive(&mut kept));
        let entries = after((table, self.hasher, kept), entries);
        entries.into_iter().map(|(entry, share, alive)| (entry, Old { alive, share })).collect()
    }

    /// A page of a walk.
    pub fn scan<W: What<E>, G: Deref<Target = Guard>>(
        &self,
        from: Cursor,
        n: usize,
        hold: impl Fn() -> G,
    ) -> ScanPage<W::Item> {
        let (mut kept, mut made, mut place) = (Kept::new(), Made::default(), Place(from.0));
        while made.items.len() < n.max(1) && !place.is_end() {
            let guard = hold();
            self.table.step(&guard, &mut place, &mut made, |node| W::raw(&node.entry, &mut kept));
        }
        let items = made.items.into_iter().map(W::item).collect();
        after(kept, ScanPage { items, next: (!place.is_end()).then_some(Cursor(place.0)) })
    }
}

/// Commits a node to where a survey found something, or nothing; or gives it back: survey again.
fn commit<E: Live>(
    survey: &Survey<'_, E, ()>,
    node: Fresh<E>,
    guard: &Guard,
    debts: &mut Debts<E>,
) -> Result<Option<Old<E>>, Fresh<E>> {
    match survey.hit {
        None => survey.insert(node, guard).map(|()| None),
        Some(_) => survey.replace(node, guard, &mut debts.later).map(|share| Some(debts.old(share))),
    }
}
