//! An `Arc<File>` reads and writes like a `&File`; an `Arc` of what has a descriptor has it too.

use super::Arc;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Result, Seek, SeekFrom, Write};

#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsHandle, AsSocket, BorrowedHandle, BorrowedSocket};

impl Read for Arc<File> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        (&**self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        (&**self).read_vectored(bufs)
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> Result<usize> {
        (&**self).read_to_end(buf)
    }

    fn read_to_string(&mut self, buf: &mut String) -> Result<usize> {
        (&**self).read_to_string(buf)
    }
}

impl Write for Arc<File> {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        (&**self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        (&**self).write_vectored(bufs)
    }

    fn flush(&mut self) -> Result<()> {
        (&**self).flush()
    }
}

impl Seek for Arc<File> {
    fn seek(&mut self, pos: SeekFrom) -> Result<u64> {
        (&**self).seek(pos)
    }

    fn stream_position(&mut self) -> Result<u64> {
        (&**self).stream_position()
    }
}

#[cfg(unix)]
impl<T: AsFd + ?Sized> AsFd for Arc<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

#[cfg(unix)]
impl<T: AsRawFd> AsRawFd for Arc<T> {
    fn as_raw_fd(&self) -> RawFd {
        (**self).as_raw_fd()
    }
}

#[cfg(windows)]
impl<T: AsHandle + ?Sized> AsHandle for Arc<T> {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        (**self).as_handle()
    }
}

#[cfg(windows)]
impl<T: AsSocket> AsSocket for Arc<T> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        (**self).as_socket()
    }
}
