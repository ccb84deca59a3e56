//! Cookie mode (RFC 10017, and our own rules beyond it): what the stories in `flows` do not tell.

mod abuse;
mod browser_cookie;
mod cookie;
mod direct_login;
mod guards;
mod registration;
mod sign_out;
mod use_of_the_cookie;
