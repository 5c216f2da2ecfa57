//! A registry that opens a resource once, by a loader that can fail.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use weakly::{Arc, WeakValueMap};

#[derive(Debug)]
struct Segment {
    _file: File,
    len: u64,
}

#[derive(Debug)]
enum OpenError {
    Io(io::Error),
    Empty,
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        OpenError::Io(error)
    }
}

#[derive(Debug, Default)]
struct Registry {
    open: WeakValueMap<PathBuf, Segment>,
}

impl Registry {
    fn open(&self, path: &Path) -> io::Result<Arc<Segment>> {
        self.open.get_or_try_insert_with(path.to_owned(), |path| {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            Ok(Arc::new(Segment { _file: file, len }))
        })
    }

    fn open_unless_empty(&self, path: &Path) -> Result<Arc<Segment>, OpenError> {
        let segment = self.open.get_or_try_insert_with(path.to_owned(), |path| {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            if len == 0 {
                return Err(OpenError::Empty);
            }
            Ok(Arc::new(Segment { _file: file, len }))
        })?;
        Ok(segment)
    }

    fn open_by_ref(&self, path: &Path) -> io::Result<Arc<Segment>> {
        self.open.get_or_try_insert_with_ref(path, |path| {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            Ok(Arc::new(Segment { _file: file, len }))
        })
    }

    fn is_open(&self, path: &str) -> bool {
        self.open.contains_key(Path::new(path))
    }
}

#[test]
fn a_file_is_opened_once_while_it_is_used() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let registry = Registry::default();
    let path = file.path().to_owned();
    assert!(matches!(registry.open_unless_empty(&path), Err(OpenError::Empty)));
    file.write_all(b"five!").unwrap();
    let segment = registry.open(&path).unwrap();
    assert!(Arc::ptr_eq(&segment, &registry.open_by_ref(&path).unwrap()));
    assert!(Arc::ptr_eq(&segment, &registry.open_unless_empty(&path).unwrap()));
    assert!(segment.len == 5 && registry.is_open(path.to_str().unwrap()));
    drop(segment);
    assert!(!registry.open.contains_key(&path) && format!("{registry:?}").contains("{}"));
    let missing = path.with_extension("missing");
    let Err(OpenError::Io(error)) = registry.open_unless_empty(&missing) else { panic!("it is not there") };
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
