//! What the functions of the store promise, on both databases, and where two processes can meet.

mod attempts;
mod audit_chain;
mod changes;
mod codes;
mod grants;
mod leases;
mod people;
mod purge;
mod refresh_families;
mod requests;
mod rows;
mod sessions;
mod single_rows;
