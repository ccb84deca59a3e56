//! The doors: HTTP in, HTTP out. Decisions are made in the layers below.
//!
//! | file               | says                                                                    |
//! |--------------------|-------------------------------------------------------------------------|
//! | `server.rs`        | listens, stops gracefully                                               |
//! | `tls.rs`           | certificate and key, read again when the files change                   |
//! | `entrance.rs`      | documents at once, everything else by its route                         |
//! | `connection.rs`    | one connection: how it speaks, what it may cost, when it is over        |
//! | `pulse.rs`         | whether a connection gets on                                            |
//! | `places.rs`        | how many connections there may be, in all and from one network          |
//! | `open_files.rs`    | how many connections the system lets this process have                  |
//! | `layers.rs`        | what holds for every request: id, limits, time, headers, one log line   |
//! | `limits.rs`        | how often may be asked, by network and by client                        |
//! | `admin/`           | the admin's room: its one table of doors, their guard, console and API  |
//! | `forward_auth/`    | apps behind a proxy that asks us about every request                    |
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
pub mod admin;
pub mod assets;
pub mod browser_guard;
mod connection;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod doors;
pub mod entrance;
pub mod extract;
pub mod forward_auth;
pub mod health;
pub mod language;
pub mod layers;
pub mod limits;
mod open_files;
pub mod pages;
pub mod people;
mod places;
pub mod prepared;
pub mod protocol;
mod pulse;
pub mod reply;
pub mod return_to;
pub mod router;
pub mod server;
pub mod session_cookies;
pub mod submission;
#[cfg(test)]
mod test_client;
mod tls;
pub mod transaction;
pub mod trouble;
pub mod visit;
pub mod whereabouts;
