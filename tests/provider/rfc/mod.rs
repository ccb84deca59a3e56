//! What the specifications ask for and no story tells already: a file for each, a test for each rule.

mod cookie_mode;
mod cors;
mod discovery;
mod form_action;
mod form_post;
mod openid_core_authentication;
mod openid_core_claims;
mod openid_core_id_token;
mod openid_core_userinfo;
mod openid_session_management;
mod rfc6749_authorization;
mod rfc6749_client_authentication;
mod rfc6749_refresh;
mod rfc6749_token;
mod rfc6749_transaction;
mod rfc7009;
mod rfc7636;
mod rfc7662;
mod rfc8252;
mod rfc8707;
mod rfc8707_token;
mod rfc9068;
mod rfc9700;
mod rfc9701;
