//! Every token is born, read and ended here.
//!
//! | file              | says                                                           |
//! |-------------------|----------------------------------------------------------------|
//! | `issuer.rs`       | what was granted in, a signed response out                     |
//! | `access.rs`       | access tokens: claims, and reading them back as pointers       |
//! | `id_token.rs`     | ID tokens                                                      |
//! | `logout.rs`       | logout tokens                                                  |
//! | `refresh.rs`      | presenting a generation: next, the same again, or the end      |
//! | `revoke.rs`       | the one procedure that ends sessions, grants and families      |
//! | `key_desk.rs`     | what an admin can do about keys                                |
//! | `consequences.rs` | what it would mean to throw a key out                          |
//! | `grant_mac.rs`    | what keeps a grant's row from being rewritten                  |
//! | `status_index.rs` | places in the status lists                                     |
//! | `status_list.rs`  | what a signed list says                                        |
//! | `listeners.rs`    | how many listen to that news                                   |
//! | `status_lists.rs` | the lists of this process, and the news of what was revoked    |

pub mod access;
pub mod consequences;
pub mod grant_mac;
pub mod id_token;
pub mod issuer;
pub mod key_desk;
pub mod listeners;
pub mod logout;
pub mod refresh;
pub mod revoke;
pub mod status_index;
pub mod status_list;
pub mod status_lists;
