//! The access log: one line a response, buffered, and flushed by a finalizer.

use crate::report::say;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use weakly::{Arc, finalize};

pub struct AccessLog {
    /// Shared with the finalizer, which must not hold the log itself: that would keep it alive.
    file: std::sync::Arc<Mutex<LogFile>>,
    opened: Instant,
}

struct LogFile {
    writer: BufWriter<File>,
    lines: u64,
}

impl AccessLog {
    pub fn create(path: &Path) -> io::Result<Arc<AccessLog>> {
        let writer = BufWriter::with_capacity(64 * 1024, File::create(path)?);
        let file = std::sync::Arc::new(Mutex::new(LogFile { writer, lines: 0 }));
        let log = Arc::new(AccessLog { file: file.clone(), opened: Instant::now() });
        finalize(&log, move || flush(&file));
        Ok(log)
    }

    /// Seconds since the start, the request, the status, how the cache answered, and how long it took.
    pub fn line(&self, request: &str, status: u16, cache: &str, took: Duration) -> io::Result<()> {
        let at = self.opened.elapsed().as_secs_f64();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.lines += 1;
        writeln!(file.writer, "{at:.6} {request} {status} {cache} {}us", took.as_micros())
    }
}

/// The finalizer. A panic in it is caught and counted in the exit report, and `main` fails for it.
fn flush(file: &Mutex<LogFile>) {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.writer.flush().expect("the access log can be flushed");
    // Nobody may be reading any more; the work is done all the same.
    let _ = say(format_args!("finalizer: flushed the access log with its {} lines", file.lines));
}
