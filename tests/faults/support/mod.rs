//! A provider in processes of its own. People with browsers and relying apps are those of the provider tests.

mod house;
mod provider;
mod server;

#[path = "../../support/place.rs"]
mod place;

#[path = "../../provider/support/answer.rs"]
mod answer;
#[expect(dead_code, reason = "the provider tests use all of it")]
#[path = "../../provider/support/asking.rs"]
mod asking;
#[expect(dead_code, reason = "the provider tests use all of it")]
#[path = "../../provider/support/browser.rs"]
mod browser;
#[expect(dead_code, reason = "the provider tests use all of it")]
#[path = "../../provider/support/database.rs"]
mod database;
#[expect(dead_code, reason = "the provider tests use all of it")]
#[path = "../../provider/support/relying_party.rs"]
mod relying_party;

pub(crate) use answer::{Answer, encode, query_of};
pub(crate) use browser::{Browser, Page};
pub(crate) use house::{ALICE, BOB, PASSWORD, changed_text};
pub(crate) use provider::TestProvider;
pub(crate) use relying_party::{Code, RelyingParty, Tokens};
pub(crate) use server::Server;
