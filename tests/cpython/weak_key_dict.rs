//! `WeakKeyDictionaryTestCase`.

use crate::common::Keys;
use crate::mapping_protocol::mapping_protocol;

mapping_protocol!(Keys);
