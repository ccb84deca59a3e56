//! What the specifications ask for: one test for each rule that no story tells and no attack tries.

mod cors;
mod discovery;
mod form_action;
mod form_post;
mod openid_core_authentication;
mod openid_core_claims;
mod rfc6749_authorization;
mod rfc6749_transaction;
mod rfc7636;
mod rfc8252;
mod rfc8707;
