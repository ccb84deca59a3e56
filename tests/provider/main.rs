//! The whole provider in one process: stories, attacks, rules of the RFCs, races, and what the log may know.
//!
//! Nothing here listens on a socket but apps that are told of sign-outs, and nothing sleeps: requests go straight into the router, and the clock stands until a test
//! moves it. The database is a file of its own, or a schema of its own where `TEST_DATABASE_URL` names a PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected shall stop"
)]

mod flows;
mod front;
mod limits;
mod logs;
mod races;
mod rfc;
mod security;
mod store;
mod strangers;
mod support;
