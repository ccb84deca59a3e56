//! What an attacker or a careless app does, and the right answer: a test for each row of the catalogue, named by its number.

mod cookies;
mod forms;
mod frames;
mod redirect_uris;
mod requests;
mod sign_out;
mod silence_and_consent;
mod what_is_asked;
