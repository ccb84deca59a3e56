//! The protocol: every decision an RFC asks for, without HTTP types.

pub mod error;
pub mod params;
pub mod registration;
