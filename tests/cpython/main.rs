//! CPython's own tests of `weakref` under their own names, in modules named after its test classes, and the tests that it
//! lacks. README.md beside this has all 183, and where each is or why it is not; ci/cpython.sh counts them.

mod common;
#[path = "../it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod shared;

mod finalize;
mod lacking;
mod libreftest;
mod mapping;
mod mapping_protocol;
mod references;
mod subclassable;
mod weak_key_dict;
mod weak_method;
mod weak_set;
mod weak_value_dict;
