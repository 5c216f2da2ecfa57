//! Interners of text: one object for equal strings, as long as anybody uses it.

use super::{Hasher, Interns};
use hashconsing::{HConsed, HConsign, HashConsign};
use internment::ArcIntern;
use std::sync::{Arc, RwLock, Weak};
use weak_table::WeakHashSet;
use weakly::generic::Interned;

/// Ours.
pub type Interner = weakly::Interner<str, Hasher>;

/// internment's table, which is one for the whole process, and hashes by `ahash` whatever one wants.
pub struct Internment;

/// `weak_table::WeakHashSet` under a lock that readers share.
pub struct SharedSet(RwLock<WeakHashSet<Weak<str>, Hasher>>);

/// hashconsing's table under the lock that it is made for, with the hasher that this form prescribes (SipHash). It asks
/// for an owned string, found or not.
pub type Consign = RwLock<HConsign<String>>;

impl Interns for Interner {
    type Interned = Interned<weakly::Arc<str>>;

    fn empty() -> Self {
        Self::with_hasher(Hasher::default())
    }

    fn intern(&self, text: &str) -> Self::Interned {
        self.intern(text)
    }
}

impl Interns for Internment {
    type Interned = ArcIntern<str>;

    fn empty() -> Self {
        Internment
    }

    fn intern(&self, text: &str) -> ArcIntern<str> {
        ArcIntern::from(text)
    }
}

impl Interns for SharedSet {
    type Interned = Arc<str>;

    fn empty() -> Self {
        SharedSet(RwLock::new(WeakHashSet::with_hasher(Hasher::default())))
    }

    fn intern(&self, text: &str) -> Arc<str> {
        let found = self.0.read().expect(UNPOISONED).get(text);
        found.unwrap_or_else(|| {
            let mut set = self.0.write().expect(UNPOISONED);
            // Somebody may have been faster.
            set.get(text).unwrap_or_else(|| {
                let fresh: Arc<str> = text.into();
                set.insert(Arc::clone(&fresh));
                fresh
            })
        })
    }
}

const UNPOISONED: &str = "no panic under this lock";

impl Interns for Consign {
    type Interned = HConsed<String>;

    fn empty() -> Self {
        RwLock::new(HConsign::empty())
    }

    fn intern(&self, text: &str) -> HConsed<String> {
        self.mk(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    fn interns<I: Interns>() {
        let table = I::empty();
        let [one, again, other] = ["one", "one", "other"].map(|text| table.intern(text));
        assert_eq!(["one", "other"], [&one, &other].map(|interned| interned.as_ref()));
        assert!(ptr::eq::<str>(one.as_ref(), again.as_ref()));
    }

    #[test]
    fn every_interner_has_one_object_for_equal_strings() {
        interns::<Interner>();
        interns::<Internment>();
        interns::<SharedSet>();
        interns::<Consign>();
    }
}
