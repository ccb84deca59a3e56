//! The chain over the audit: nobody who can write the database, but has no master key, changes what it tells unnoticed.
//!
//! | file            | says                                                                 |
//! |-----------------|----------------------------------------------------------------------|
//! | `chain.rs`      | what the MAC of a row covers, and how personal data go without breaking it |
//! | `seal.rs`       | rows get their numbers and MACs                                      |
//! | `erase.rs`      | a person goes from all rows                                          |
//! | `checkpoint.rs` | what is kept elsewhere, and shows that the chain still holds it      |
//! | `problem.rs`    | what can be wrong with a chain                                       |
//! | `verify.rs`     | the walk that finds it                                               |

pub mod chain;
pub mod checkpoint;
pub mod erase;
pub mod problem;
pub mod seal;
pub mod verify;

#[cfg(test)]
mod testing;
