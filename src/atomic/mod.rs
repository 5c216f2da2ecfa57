//! Atomic slots.
