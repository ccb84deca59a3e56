//! The built program in processes of its own, and what may happen to them: killed under load, started twice at once, stopped in
//! the midst of a request, a database that is too new, a disk that is full, the master key of another house, one that is being turned, and
//! signing keys that turn; and an app that was being told of a sign-out.
//!
//! On SQLite, or on PostgreSQL in a schema of its own for each test where `TEST_DATABASE_URL` names one. The short setting is part
//! of every `cargo test`; `FRONTDESK_TESTS=long` kills and races far more often.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected shall stop"
)]

mod changes;
mod contents;
mod disk;
mod invariants;
mod journal;
mod kill;
mod load;
mod master_key;
mod newer;
mod rewrap;
mod stop;
mod support;
mod together;
mod told;
mod turning;

/// How often something is done: in the short setting, and with `FRONTDESK_TESTS=long`.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
fn rounds(short: usize, long: usize) -> usize {
    match std::env::var("FRONTDESK_TESTS").as_deref() {
        Ok("long") => long,
        Ok(other) if !other.is_empty() => panic!("FRONTDESK_TESTS={other}: the one setting is \"long\""),
        _ => short,
    }
}
