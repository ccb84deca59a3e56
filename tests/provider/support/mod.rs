//! A provider to test against, people with browsers, and relying apps.

mod admin;
mod answer;
mod asking;
mod browser;
mod database;
mod forger;
mod gateway;
mod house;
mod provider;
mod relying_party;
mod status;
mod stream;
mod told;

pub(crate) use answer::{Answer, encode, query_of};
pub(crate) use browser::{Browser, Page};
pub(crate) use database::TestDatabase;
pub(crate) use forger::{Forger, claims_of};
pub(crate) use gateway::{Guest, INSIDE, NOTES, PROXY, Proxy, WIKI};
pub(crate) use house::{ADMIN, ALICE, BOB, PASSWORD};
pub(crate) use provider::{MASTER, TestProvider, on_https};
pub(crate) use relying_party::{Code, RelyingParty, Tokens};
pub(crate) use status::{StatusList, place_of};
pub(crate) use told::Told;
