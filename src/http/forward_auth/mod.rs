//! Apps behind a proxy that asks us about every request.
//!
//! | file         | says                                                                              |
//! |--------------|-----------------------------------------------------------------------------------|
//! | `ask.rs`     | `/forward-auth/…`: what each proxy tells us, and the answer that it understands   |
//! | `answer.rs`  | how an answer is written down for each                                            |
//! | `host.rs`    | for which host a request is meant, and what is served there                       |
//! | `at_app.rs`  | `/.frontdesk/…` on the apps' own hosts: sign-in and sign-out                      |

mod answer;
pub mod ask;
pub mod at_app;
pub mod host;
