//! A registry that opens each file once, however many threads ask for it, and closes it with its last user.
//!
//! Opening can fail: whoever asks is told why, nothing stays behind, and the next one tries again.
//!
//! ```text
//! cargo run --example open_once
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use weakly::{Arc, WeakValueMap};

/// An open file, and what everybody wants of it.
struct Table {
    _file: File,
    rows: usize,
}

/// The files that are open: a path to a table that somebody is using.
#[derive(Default)]
struct Registry {
    open: WeakValueMap<PathBuf, Table>,
    opened: AtomicU32,
}

impl Registry {
    /// The table at `path`, opened now unless it is open. Threads that ask meanwhile wait for the one that opens it; those
    /// that ask for other files don't.
    fn open(&self, path: &Path) -> io::Result<Arc<Table>> {
        self.open.get_or_try_insert_with_ref(path, |path| {
            let mut file = File::open(path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            self.opened.fetch_add(1, SeqCst);
            Ok(Arc::new(Table { _file: file, rows: text.lines().count() }))
        })
    }
}

fn main() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("cities.csv");
    let registry = Registry::default();

    // The loader fails: no entry.
    let error = registry.open(&path).err().expect("there is no such file yet");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(registry.open.is_empty());
    println!("before the file is there: {error}");

    // Now it doesn't: eight threads, one file.
    std::fs::write(&path, "Bern\nOslo\nRome\n")?;
    let tables = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| registry.open(&path))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<io::Result<Vec<_>>>()
    })?;
    assert!(tables.iter().all(|table| Arc::ptr_eq(table, &tables[0])));
    assert_eq!((tables[0].rows, registry.opened.load(SeqCst)), (3, 1));
    println!("{} threads share one table of {} rows, opened once", tables.len(), tables[0].rows);

    // The last user goes: so does the entry, and the file is closed.
    drop(tables);
    assert!(registry.open.is_empty() && !registry.open.contains_key(&path));
    let again = registry.open(&path)?;
    assert_eq!(registry.opened.load(SeqCst), 2);
    println!("after the last user: opened again, {} entry", registry.open.len());
    drop(again);
    Ok(())
}
