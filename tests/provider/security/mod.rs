//! What an attacker could try: one test for each row of the security design, named after it.

mod client_proofs;
mod codes;
mod cookies;
mod dead_tokens;
mod forms;
mod frames;
mod jwts;
mod other_origins;
mod redirect_uris;
mod refresh_tokens;
mod requests;
mod revocation;
mod sign_out;
mod silence_and_consent;
mod token_kinds;
mod token_requests;
mod what_is_asked;
