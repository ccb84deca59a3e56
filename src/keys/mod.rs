//! The key ring, and the master key over it.

pub mod vault;
