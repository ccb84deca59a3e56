//! Calls that leave the house. Whoever registers an app names the address, so nobody may be led by it to what only we can reach.
//!
//! | file           | says                                              |
//! |----------------|---------------------------------------------------|
//! | `addresses.rs` | which addresses are everybody's                   |
//! | `fetch.rs`     | the one client, and what it refuses to connect to |

pub mod addresses;
pub mod fetch;
