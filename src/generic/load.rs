//! Loaders: one at a time a key, and everybody who asks meanwhile gets what it made. What waits for what is in
//! [`flight`](crate::flight); here is what a leader does.

use super::base::Base;
use super::live::{Debts, Kept, Live, Seen, after};
use crate::death::hook::Later;
use crate::flight::{Flight, Flights, Joined};
use crate::reclaim::pin;
use crate::sync::{Arc, spin};
use crate::table::Hashed;
use crate::table::node::Fresh;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// A map's flights, made with the first.
pub type Loads<E> = OnceLock<Flights<<E as Live>::Name, <E as Live>::Value>>;

impl<E: Live<Value: Clone>, S> Base<E, S> {
    /// A miss: lead, or wait for who does. The key is in `node`, where it will stay, so that others can compare theirs with it.
    pub fn load<R>(
        &self,
        loads: &Loads<E>,
        hash: Hashed,
        node: Fresh<E>,
        same: impl Fn(&E::Name, &E::Name, &mut Kept<E::Part>) -> Seen,
        load: impl FnOnce(&E) -> Result<E::Value, R>,
    ) -> Result<E::Value, R> {
        let flights = loads.get_or_init(Flights::new);
        let _later = Later::new(); // a write ends here: what is ripe runs
        let mut turn = 0;
        loop {
            let (mut listed, mut kept) = (Vec::new(), Kept::new());
            let joined = {
                let _guard = pin();
                let same = |there: &E::Name| same(node.entry.name(), there, &mut kept) == Seen::Same;
                // Of the name alone: a reference to the whole entry would end when the value is filled in.
                flights.join(hash.0, NonNull::from(node.entry.name()), same, &mut listed)
            };
            let owed = (listed, kept); // whose destructors are user code, and may panic
            match joined {
                Joined::Again => {
                    drop(owed);
                    spin(turn);
                    turn += 1;
                }
                Joined::Lead(flight) => {
                    let lead = Lead { base: self, flights, hash, flight, outcome: None, node: Some(node) };
                    drop(owed);
                    return lead.run(same, load);
                }
                Joined::Wait(flight) => {
                    drop(owed);
                    let mut debts = Debts::new();
                    let loaded = flight.wait().or_else(|| self.look(hash, &node, &mut debts, &same));
                    if let Some(value) = loaded {
                        return Ok(after((debts, node.into_entry()), value)); // never listed, so nobody has seen it
                    }
                }
            }
        }
    }

    /// What the node's key has now.
    fn look(
        &self,
        hash: Hashed,
        node: &Fresh<E>,
        debts: &mut Debts<E>,
        same: impl Fn(&E::Name, &E::Name, &mut Kept<E::Part>) -> Seen,
    ) -> Option<E::Value> {
        let same = |there: &E::Name, kept: &mut _| same(node.entry.name(), there, kept);
        let there = self.get(&pin(), hash, &mut debts.kept, same)?;
        Some(E::value(there, &mut debts.kept))
    }
}

/// A leader at work. Dropping it lands the flight, whatever came of it, and then the node goes, if it was not published.
///
/// Only what it has published itself is an outcome: what it found in the map may have been removed before a waiter came.
struct Lead<'a, E: Live, S> {
    base: &'a Base<E, S>,
    flights: &'a Flights<E::Name, E::Value>,
    hash: Hashed,
    flight: Arc<Flight<E::Name, E::Value>>,
    outcome: Option<E::Value>,
    node: Option<Fresh<E>>,
}

impl<E: Live<Value: Clone>, S> Lead<'_, E, S> {
    fn run<R>(
        self,
        same: impl Fn(&E::Name, &E::Name, &mut Kept<E::Part>) -> Seen,
        load: impl FnOnce(&E) -> Result<E::Value, R>,
    ) -> Result<E::Value, R> {
        let mut debts = Debts::<E>::new();
        let value;
        let mut this = self; // declared last, so that the flight ends first: destructors may load again
        // An earlier flight may have filled the map between our miss and our being listed.
        if let Some(there) = this.base.look(this.hash, this.node(), &mut debts, &same) {
            return Ok(after((this, debts), there));
        }
        value = load(&this.node().entry)?;
        let node = this.node.as_mut().expect("not published yet");
        // SAFETY: others look at the name only, which filling leaves alone.
        unsafe { E::fill(node.entry(), &value) };
        loop {
            let guard = pin();
            let survey = this.base.survey_for(this.node(), &guard, this.hash, &mut debts, &same);
            if let Some(there) = debts.found.take() {
                drop(guard);
                let there = E::value(there, &mut debts.kept);
                return Ok(after((this, debts, value), there));
            }
            this.flight.seal();
            match survey.insert(this.node.take().expect("not published yet"), &guard) {
                Ok(()) => break,
                Err(back) => {
                    this.flight.unseal(NonNull::from(back.entry.name()));
                    this.node = Some(back);
                }
            }
        }
        this.outcome = Some(value.clone());
        Ok(after((this, debts), value))
    }

    fn node(&self) -> &Fresh<E> {
        self.node.as_ref().expect("not published yet")
    }
}

impl<E: Live, S> Drop for Lead<'_, E, S> {
    fn drop(&mut self) {
        self.flights.land(self.hash.0, &self.flight, self.outcome.take());
    }
}
