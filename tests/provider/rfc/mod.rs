//! What the specifications ask for: one test for each rule that no story tells and no attack tries.

mod cors;
mod openid_core_authentication;
mod rfc6749_authorization;
mod rfc6749_transaction;
