//! Who I am.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::details::Detail;

/// `account/overview.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "account/overview.html")]
pub struct OverviewView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// What is known about the person.
    pub details: Vec<Detail>,
    /// Whether the e-mail address is known to be theirs; none without an address.
    pub email_verified: Option<bool>,
    /// When the account was made, in Unix seconds.
    pub since: i64,
    /// How many sessions live.
    pub sessions: u64,
    /// How many apps have access.
    pub apps: u64,
}

impl OverviewView {
    const HERE: Section = Section::Overview;
}

#[cfg(test)]
impl OverviewView {
    /// Little, much, and after something was done.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use super::Notice;
        use crate::http::pages::sample;

        let full = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::room(sample::alice(), None),
            details: sample::details().into_iter().skip(1).collect(),
            email_verified: Some(true),
            since: 1_700_000_000,
            sessions: 3,
            apps: 1,
        };
        vec![
            ("bare", Self { details: vec![], email_verified: None, sessions: 1, apps: 0, ..full.clone() }),
            (
                "long",
                Self {
                    room: sample::room(sample::long_person(), Some(Notice::PasswordChanged)),
                    email_verified: Some(false),
                    ..full.clone()
                },
            ),
            ("admin", Self { room: Room { admin: true, ..full.room.clone() }, ..full.clone() }),
            ("full", full),
        ]
    }
}
