//! The doors: HTTP in, HTTP out. Decisions are made in the layers below.
//!
//! | file               | says                                                                    |
//! |--------------------|-------------------------------------------------------------------------|
//! | `server.rs`        | listens, stops gracefully                                               |
//! | `tls.rs`           | certificate and key, read again when the files change                   |
//! | `first_bytes.rs`   | ends connections that say nothing after the handshake                   |
//! | `layers.rs`        | what holds for every request: id, limits, time, headers, one log line   |
//! | `limits.rs`        | how often may be asked, by network and by client                        |
//! | `address.rs`       | who is asking: the client's address behind trusted proxies              |
//! | `cookies.rs`       | every cookie: name, lifetime, SameSite                                  |
//! | `browser_guard.rs` | cookie mode: the guards that run before any cookie is read              |
//! | `cors.rs`          | which origins may read which answers                                    |
//! | `csrf.rs`          | guards the forms of our own pages                                       |
//! | `extract/`         | strict bodies: forms and JSON                                           |
//! | `reply/`           | the ways out: JSON, redirect, bearer                                    |
//! | `prepared.rs`      | documents held ready as bytes, with ETag                                |
//! | `health.rs`        | is the process alive, is it ready                                       |

pub mod address;
pub mod assets;
pub mod browser_guard;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod doors;
pub mod extract;
mod first_bytes;
pub mod health;
pub mod language;
pub mod layers;
pub mod limits;
pub mod pages;
pub mod people;
pub mod prepared;
pub mod protocol;
pub mod reply;
pub mod router;
pub mod server;
pub mod submission;
#[cfg(test)]
mod test_client;
mod tls;
pub mod transaction;
pub mod trouble;
pub mod visit;
