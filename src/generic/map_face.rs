//! What every map has for its entries, written once: walks, and what takes out while it walks.

/// Writes the part of a map's face that shows closures a key and a value.
macro_rules! map_face {
    (
        $Name:ident [$($generics:tt)*] [$($args:tt)*] of $Entry:ty,
        shown $K:ty, $V:ty, pages [$($paged:tt)*] $Page:ty, takes [$($takes:tt)*] ($TakenKey:ty, $TakenValue:ty),
        docs $setup:literal
    ) => {
        both!([$($generics)*, S] [$Name<$($args)*, S>] {
            /// Removes the live entries that `keep` refuses.
            ///
            /// # Liveness
            ///
            /// `keep` runs with no lock held. An entry that is replaced meanwhile is not removed on the old one's account.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// map.retain(|_, _| false);
            /// assert!(map.is_empty());
            /// # drop(owner);
            /// ```
            pub fn retain(&self, mut keep: impl FnMut(&$K, &$V) -> bool) {
                let mut place = Place::default();
                while !place.is_end() {
                    self.map().base.extract(&mut place, |entry, alive| {
                        let (key, value) = entry.pair(alive);
                        (!keep(key, value)).then_some(())
                    });
                }
            }

            /// Calls `f` for every live entry.
            ///
            /// # Liveness
            ///
            /// An entry that is there throughout is seen once, no key twice, nothing dead. Holds the objects of one bucket at
            /// a time alive; the plain face pins each bucket anew, so a long walk holds nothing back.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// let mut seen = 0;
            /// map.for_each(|_, _| seen += 1);
            /// assert_eq!(seen, 1);
            /// # drop(owner);
            /// ```
            pub fn for_each(&self, mut f: impl FnMut(&$K, &$V)) {
                self.map().base.for_each(|| self.hold(), |entry, alive| {
                    let (key, value) = entry.pair(alive);
                    f(key, value);
                });
            }

            /// A page of the live entries, from a cursor on: for long walks in steps, with nothing held between them.
            ///
            /// # Liveness
            ///
            /// Over all pages, an entry that is there throughout is seen once, no key twice, nothing dead, whatever is
            /// resized meanwhile.
            ///
            /// # Examples
            ///
            /// ```
            /// use weakly::Cursor;
            ///
            #[doc = $setup]
            /// let (mut cursor, mut seen) = (Some(Cursor::default()), 0);
            /// while let Some(from) = cursor {
            ///     let page = map.scan(from, 10);
            ///     seen += page.items.len();
            ///     cursor = page.next;
            /// }
            /// assert_eq!(seen, 1);
            /// # drop(owner);
            /// ```
            pub fn scan(&self, from: Cursor, n: usize) -> ScanPage<$Page>
            where
                $($paged)*
            {
                self.map().base.scan::<Entries, _>(from, n, || self.hold())
            }

            /// Every live entry. Its objects are alive as long as you hold it.
            ///
            /// # Liveness
            ///
            /// As [`for_each`](Self::for_each); not one moment of the whole map, but one of each key.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// assert_eq!(map.snapshot().len(), 1);
            /// # drop(owner);
            /// ```
            pub fn snapshot(&self) -> Vec<$Page>
            where
                $($paged)*
            {
                self.scan(Cursor::default(), usize::MAX).items
            }

            /// Removes some live entry: CPython's `popitem`.
            ///
            /// # Liveness
            ///
            /// As [`retain`](Self::retain).
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// assert!(map.pop().is_some());
            /// assert!(map.pop().is_none());
            /// # drop(owner);
            /// ```
            pub fn pop(&self) -> Option<($TakenKey, $TakenValue)>
            where
                $($takes)*
            {
                self.map().base.pop()
            }

            /// Removes and yields the live entries that `wanted` chooses, as the iterator goes.
            ///
            /// # Liveness
            ///
            /// As [`retain`](Self::retain). Entries that were taken out but not yet yielded when the iterator is dropped are
            /// gone.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// assert_eq!(map.extract_if(|_, _| true).count(), 1);
            /// assert!(map.is_empty());
            /// # drop(owner);
            /// ```
            pub fn extract_if<F: FnMut(&$K, &$V) -> bool>(&self, wanted: F) -> Extract<'_, $Entry, S, OfPair<F>>
            where
                $($takes)*
            {
                Extract::new(&self.map().base, OfPair(wanted))
            }

            /// Removes and yields every live entry, as the iterator goes; what is left when it is dropped stays.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// assert_eq!(map.drain().count(), 1);
            /// assert!(map.is_empty());
            /// # drop(owner);
            /// ```
            pub fn drain(&self) -> Extract<'_, $Entry, S, All>
            where
                $($takes)*
            {
                Extract::new(&self.map().base, All)
            }
        });

        impl<$($generics)*, S> $Name<$($args)*, S> {
            /// Moves the keys of the live entries out.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// assert_eq!(map.into_keys().count(), 1);
            /// # drop(owner);
            /// ```
            pub fn into_keys(self) -> IntoIter<$TakenKey> {
                IntoIter::new(self.into_iter().map(|(key, value)| after(value, key)))
            }

            /// Moves the values of the live entries out.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// assert_eq!(map.into_values().count(), 1);
            /// # drop(owner);
            /// ```
            pub fn into_values(self) -> IntoIter<$TakenValue> {
                IntoIter::new(self.into_iter().map(|(key, value)| after(key, value)))
            }
        }
    };
}
pub(super) use map_face;
