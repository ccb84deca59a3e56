//! The load generator: many keep-alive connections, one request at a time on each, all on one thread.

mod connection;
mod drive;
mod talk;

pub(crate) use connection::{Connection, Reply};
pub(crate) use drive::{Measured, drive};
pub(crate) use talk::{Collect, Cycle, Given, Queue, Redeem, Repeat, Rotate, Spend, Talk, member, shared};
