//! What an attacker could try: one test for each row of the security design, named after it.

mod client_proofs;
mod codes;
mod dead_tokens;
mod jwts;
mod other_origins;
mod refresh_tokens;
mod revocation;
mod token_kinds;
mod token_requests;
