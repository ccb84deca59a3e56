//! People: signing in and staying signed in.
//!
//! | file                | says                                                             |
//! |---------------------|------------------------------------------------------------------|
//! | `passwords.rs`      | Argon2id off the async threads, bounded                          |
//! | `password_rules.rs` | which new passwords are taken                                    |

pub mod password_rules;
pub mod passwords;
