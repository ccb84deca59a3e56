//! Attacks, one test for each row of the catalogue, named by its number. Each looks at the answer and at what stands afterwards.

mod account_doors;
mod audited;
mod bootstrap;
mod enumeration;
mod guessing;
mod keys;
mod passwords;
mod scripts;
mod sensitive_changes;
mod sessions;
mod transport;
