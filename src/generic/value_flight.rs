//! `WeakValueMap`'s loaders: one at a time a key, and everybody who asks meanwhile gets what it made.

use super::value_map::{ValueEntry, WeakValueMap};
use crate::death::hook::Later;
use crate::flight::{Flight, Flights, Joined};
use crate::pointer::Pointer;
use crate::reclaim::pin;
use crate::sync::{Arc, spin};
use crate::table::Hashed;
use crate::table::node::Fresh;
use equivalent::Equivalent;
use std::convert::Infallible;
use std::hash::{BuildHasher, Hash};
use std::panic::Location;
use std::ptr::NonNull;

impl<K: Hash + Eq + Send + Sync + 'static, A: Pointer<Target: 'static>, S: BuildHasher> WeakValueMap<K, A, S> {
    /// The live value of a key, or else what `load` makes: one loader a key at a time, one winner for all who ask meanwhile.
    ///
    /// # Panics
    /// If `load` does: those who wait are woken, and one of them loads. If the load would wait for itself, alone or in a ring
    /// with loads of other keys, maps and threads: "deadlock: a loader waits for itself". And as [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// A hit takes no lock. On a miss the caller either runs `load`, with no lock held and no guard, or waits for the thread
    /// that does; loading one key never delays another. All get that loader's very value, or the live value that another insert
    /// has put there meanwhile. In async code, call this where blocking is allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let files: WeakValueMap<String, Vec<u8>> = WeakValueMap::new();
    /// let a = files.get_or_insert_with("a".to_string(), |name| Arc::new(name.clone().into_bytes()));
    /// let again = files.get_or_insert_with("a".to_string(), |_| unreachable!());
    /// assert!(Arc::ptr_eq(&a, &again));
    /// ```
    #[track_caller]
    pub fn get_or_insert_with(&self, key: K, load: impl FnOnce(&K) -> A) -> A {
        let Ok(value) = self.get_or_try_insert_with(key, |key| Ok::<A, Infallible>(load(key)));
        value
    }

    /// [`get_or_insert_with`](Self::get_or_insert_with) for a loader that can fail.
    ///
    /// # Errors
    /// What `load` returned. Those who wait are woken, and one of them loads.
    ///
    /// # Panics
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Liveness
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let files: WeakValueMap<String, Vec<u8>> = WeakValueMap::new();
    /// let missing = files.get_or_try_insert_with("no such file".to_string(), |name| std::fs::read(name).map(Arc::new));
    /// assert!(missing.is_err() && files.is_empty());
    /// ```
    #[track_caller]
    pub fn get_or_try_insert_with<E>(&self, key: K, load: impl FnOnce(&K) -> Result<A, E>) -> Result<A, E> {
        let hash = self.hasher.hash_one(&key);
        match self.get_hashed(hash, &key) {
            Some(there) => {
                drop(key); // here, for a panic at the end would leak what is returned (rust-lang/rust#47949)
                Ok(there)
            }
            None => self.load(Hashed::mix(hash), key, load, Location::caller()),
        }
    }

    /// [`get_or_insert_with`](Self::get_or_insert_with), making the owned key only on a miss.
    ///
    /// # Panics
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Liveness
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map: WeakValueMap<String, usize> = WeakValueMap::new();
    /// let n = map.get_or_insert_with_ref("abc", |key| Arc::new(key.len()));
    /// assert_eq!(*n, 3);
    /// ```
    #[track_caller]
    pub fn get_or_insert_with_ref<Q>(&self, q: &Q, load: impl FnOnce(&K) -> A) -> A
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let Ok(value) = self.get_or_try_insert_with_ref(q, |key| Ok::<A, Infallible>(load(key)));
        value
    }

    /// [`get_or_try_insert_with`](Self::get_or_try_insert_with), making the owned key only on a miss.
    ///
    /// # Errors
    /// What `load` returned.
    ///
    /// # Panics
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Liveness
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map: WeakValueMap<String, u16> = WeakValueMap::new();
    /// assert!(map.get_or_try_insert_with_ref("80", |key| key.parse().map(Arc::new)).is_ok());
    /// assert!(map.get_or_try_insert_with_ref("x", |key| key.parse().map(Arc::new)).is_err());
    /// ```
    #[track_caller]
    pub fn get_or_try_insert_with_ref<Q, E>(&self, q: &Q, load: impl FnOnce(&K) -> Result<A, E>) -> Result<A, E>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(q);
        match self.get_hashed(hash, q) {
            Some(there) => Ok(there),
            None => self.load(Hashed::mix(hash), q.to_owned(), load, Location::caller()),
        }
    }

    /// A miss: lead, or wait for who does.
    fn load<E>(
        &self,
        hash: Hashed,
        key: K,
        load: impl FnOnce(&K) -> Result<A, E>,
        location: &'static Location<'static>,
    ) -> Result<A, E> {
        let flights = self.flights.get_or_init(Flights::new);
        let _later = Later::new(); // a write ends here: what is ripe runs
        // The key goes to where it will stay, so that others can compare theirs with it while it is loading.
        let node = self.fresh(hash, key, None, location);
        let mut turn = 0;
        loop {
            let mut listed = Vec::new();
            let joined = {
                let _guard = pin();
                flights.join(hash.0, NonNull::from(&node.entry.key), |there| *there == node.entry.key, &mut listed)
            };
            drop(listed);
            match joined {
                Joined::Again => {
                    spin(turn);
                    turn += 1;
                }
                Joined::Lead(flight) => {
                    let lead = Lead { map: self, flights, hash, flight, outcome: None, node: Some(node) };
                    return lead.run(load);
                }
                Joined::Wait(flight) => {
                    if let Some(value) = flight.wait() {
                        drop(node.into_entry()); // never listed, so nobody has seen it
                        return Ok(value);
                    }
                }
            }
        }
    }
}

/// A leader at work. Dropping it lands the flight, whatever came of it, and then the node goes, if it was not published.
struct Lead<'a, K, A: Pointer, S> {
    map: &'a WeakValueMap<K, A, S>,
    flights: &'a Flights<K, A>,
    hash: Hashed,
    flight: Arc<Flight<K, A>>,
    outcome: Option<A>,
    node: Option<Fresh<ValueEntry<K, A>>>,
}

impl<K: Eq, A: Pointer, S> Lead<'_, K, A, S> {
    fn run<E>(mut self, load: impl FnOnce(&K) -> Result<A, E>) -> Result<A, E> {
        // An earlier flight may have filled the map between our miss and our being listed.
        if let Some(there) = self.map.find(&pin(), self.hash, self.key(), |node| node.entry.revive()) {
            return Ok(self.land(there));
        }
        let value = load(self.key())?;
        let node = self.node.as_mut().expect("not published yet");
        // SAFETY: others look at the key only.
        unsafe { (&raw mut (*node.entry()).value).write(Some(A::hold(&value))) };
        loop {
            let guard = pin();
            let survey = self.map.survey(&guard, self.hash, self.key());
            if let Some((_, there)) = survey.hit {
                return Ok(self.land(there));
            }
            self.flight.seal();
            let node = self.node.take().expect("not published yet");
            match survey.insert(node, &guard) {
                Ok(()) => return Ok(self.land(value)),
                Err(back) => {
                    self.flight.unseal(NonNull::from(&back.entry.key));
                    self.node = Some(back);
                }
            }
        }
    }

    fn key(&self) -> &K {
        &self.node.as_ref().expect("not published yet").entry.key
    }

    fn land(mut self, value: A) -> A {
        self.outcome = Some(value.clone());
        value
    }
}

impl<K, A: Pointer, S> Drop for Lead<'_, K, A, S> {
    fn drop(&mut self) {
        self.flights.land(self.hash.0, &self.flight, self.outcome.take());
    }
}
