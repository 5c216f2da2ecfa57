//! `WeakValueDictionaryTestCase`.

use crate::common::Values;
use crate::mapping_protocol::mapping_protocol;

mapping_protocol!(Values);
