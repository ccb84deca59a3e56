//! The doors of people: what the pages do when they are asked for and when their forms are sent.

pub mod account;
pub mod again;
pub mod choose_account;
pub mod consent;
pub mod home;
pub mod login;
pub mod setup;
pub mod sign_out;
