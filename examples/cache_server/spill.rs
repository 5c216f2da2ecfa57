//! A temporary directory of rendered tiles: a tile that died is read back instead of rendered again.
//!
//! Nobody has to remember to delete it: a finalizer does, when the last user lets go of it or, as
//! here, at the latest when the process exits.

use crate::report::say;
use crate::tile::TileId;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weakly::{Arc, finalize};

/// Tiles written at most, so that somebody who zooms for a week does not fill the disk.
const MOST_TILES: u64 = 20_000;

pub struct Spill {
    directory: PathBuf,
    written: AtomicU64,
}

impl Spill {
    pub fn create() -> io::Result<Arc<Spill>> {
        let directory = tempfile::Builder::new().prefix("weakly-cache-server-").tempdir()?.keep();
        let spill = Arc::new(Spill { directory: directory.clone(), written: AtomicU64::new(0) });
        // The handle is not needed: the finalizer outlives it.
        finalize(&spill, move || delete(&directory));
        Ok(spill)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn read(&self, id: TileId) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(id)) {
            Ok(png) => Ok(Some(png)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Written aside and renamed, so that a failed write leaves no half a tile to be read back.
    /// A tile has one loader at a time, so nobody else uses that name.
    pub fn write(&self, id: TileId, png: &[u8]) -> io::Result<()> {
        if self.written.fetch_add(1, Relaxed) >= MOST_TILES {
            return Ok(());
        }
        let path = self.path(id);
        let aside = path.with_extension("part");
        fs::write(&aside, png)?;
        fs::rename(&aside, &path)
    }

    pub fn forget(&self, id: TileId) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    fn path(&self, id: TileId) -> PathBuf {
        self.directory.join(format!("{}-{}-{}.png", id.z, id.x, id.y))
    }
}

/// The finalizer. A panic in it is caught and counted in the exit report, and `main` fails for it.
fn delete(directory: &Path) {
    let files = fs::read_dir(directory).map_or(0, Iterator::count);
    fs::remove_dir_all(directory).expect("the spill directory can be deleted");
    // Nobody may be reading any more; the work is done all the same.
    let _ = say(format_args!("finalizer: deleted the spill directory with its {files} files"));
}
