//! What the specifications ask for and no story tells already: a file for each, a test for each rule.

mod openid_core_id_token;
mod openid_core_userinfo;
mod rfc6749_client_authentication;
mod rfc6749_refresh;
mod rfc6749_token;
mod rfc7009;
mod rfc7662;
mod rfc8707_token;
mod rfc9068;
mod rfc9700;
