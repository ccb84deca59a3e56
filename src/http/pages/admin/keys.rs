//! The keys that sign tokens: how they turn, and which apps are ready for the next.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::domain::id::KeyId;
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::keys::ring::Canary;
use crate::keys::state::KeyState;

/// `admin/keys.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/keys.html")]
pub struct KeysView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// What was just done about keys.
    pub said: Option<Said>,
    /// The keys of each algorithm.
    pub rings: Vec<RingShown>,
    /// Names of keys whose rows cannot be believed.
    pub forged: Vec<String>,
    /// Apps that check tokens.
    pub apps: Vec<AppShown>,
    /// Others who fetch the key set.
    pub strangers: Vec<StrangerShown>,
}

/// What was just done about keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The next key signs.
    Turned,
    /// The next key will sign as early as is safe and the apps are ready.
    Planned,
    /// A key was thrown out.
    Revoked,
    /// The next key signs for one app.
    Canary,
    /// It does so no more.
    CanaryEnded,
    /// All were.
    AllRevoked,
}

/// The keys of an algorithm.
#[derive(Debug, Clone)]
pub struct RingShown {
    /// The algorithm.
    pub alg: &'static str,
    /// When the next key shall sign, in Unix seconds.
    pub next: Option<i64>,
    /// Whether that moment is over, and the turn still waits.
    pub late: bool,
    /// Apps that the turn waits for.
    pub waiting_for: Vec<String>,
    /// How long it waits for them, until, in Unix seconds.
    pub patient_until: i64,
    /// Where the page is that turns it, a path.
    pub rotate: String,
    /// Where the page is that tries the next key on one app, a path.
    pub canary: String,
    /// Apps that the next key signs for already.
    pub canaries: Vec<CanaryShown>,
    /// The keys, those that are used first.
    pub keys: Vec<KeyRow>,
    /// Where now is on the timeline, of a thousand.
    pub now: u32,
    /// Where the timeline begins, in Unix seconds.
    pub begins: i64,
    /// Where it ends.
    pub ends: i64,
    /// Whether it is so long that dates tell it.
    pub daily: bool,
}

/// An app that the next key signs for already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryShown {
    /// The client id.
    pub id: String,
    /// Until when, in Unix seconds.
    pub until: i64,
}

/// A key.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// The name.
    pub kid: String,
    /// The algorithm.
    pub alg: &'static str,
    /// The state.
    pub state: KeyState,
    /// When it signs, or began to, in Unix seconds; none if it never did and never will.
    pub signs_from: Option<i64>,
    /// When it leaves the key set.
    pub leaves_at: Option<i64>,
    /// Why it was revoked.
    pub reason: Option<String>,
    /// Where the page is that throws it out.
    pub revoke: Option<String>,
    /// While it is published, on the timeline: from where and how long, of a thousand.
    pub published: (u32, u32),
    /// While it signs.
    pub signs: (u32, u32),
}

/// An app that checks tokens.
#[derive(Debug, Clone)]
pub struct AppShown {
    /// The client id.
    pub id: String,
    /// The path to it.
    pub href: String,
    /// The algorithms of the tokens that it checks.
    pub algs: String,
    /// When it was last seen to fetch a key set, in Unix seconds.
    pub seen: Option<i64>,
    /// Somebody fetched in its name from elsewhere.
    pub claimed: bool,
    /// Whether it lacks a key that waits.
    pub lags: bool,
}

/// Somebody else who fetches the key set.
#[derive(Debug, Clone)]
pub struct StrangerShown {
    /// The network or address.
    pub origin: String,
    /// What the program calls itself.
    pub agent: String,
    /// The app that it says it is; empty: none.
    pub claim: String,
    /// When it was last seen, in Unix seconds.
    pub seen: i64,
}

impl CanaryShown {
    /// Those of a key.
    pub(in crate::http) fn of(canaries: &[Canary], kid: &KeyId) -> Vec<Self> {
        let own = canaries.iter().filter(|canary| canary.kid == *kid);
        own.map(|canary| Self { id: canary.client.as_str().to_owned(), until: canary.until.as_seconds() }).collect()
    }
}

impl KeysView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Keys
    }
}

impl Said {
    fn text(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::Turned => "keys-said-turned",
            Self::Planned => "keys-said-planned",
            Self::Revoked => "keys-said-revoked",
            Self::Canary => "keys-said-canary",
            Self::CanaryEnded => "keys-said-canary-ended",
            Self::AllRevoked => "keys-said-all-revoked",
        })
    }
}

impl RingShown {
    /// How high the timeline is.
    fn height(&self) -> usize {
        self.keys.len() * 24 + 8
    }
}

impl KeyRow {
    fn word(&self, t: &Language) -> Cow<'static, str> {
        t.get(match self.state {
            KeyState::Pending => "key-pending",
            KeyState::Active => "key-active",
            KeyState::Retiring => "key-retiring",
            KeyState::Retired => "key-retired",
            KeyState::Revoked => "key-revoked",
        })
    }

    fn signs_word(&self, t: &Language) -> Cow<'static, str> {
        t.get(match self.state {
            KeyState::Pending => "keys-will-sign",
            KeyState::Active => "keys-signs-since",
            KeyState::Retiring | KeyState::Retired | KeyState::Revoked => "keys-signed-from",
        })
    }

    fn has_left(&self) -> bool {
        !self.state.is_published()
    }

    fn is_off(&self) -> bool {
        self.state == KeyState::Revoked
    }
}

/// `admin/key_revoke.html`. Sends `csrf`, `reason` and `kid`, the first characters of the name.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/key_revoke.html")]
pub struct RevokeView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// The key.
    pub kid: String,
    /// Its algorithm.
    pub alg: &'static str,
    /// What is to be typed.
    pub word: String,
    /// Whether the host was lost, and all keys with it.
    pub host: bool,
    /// Tokens about that it signed, or all keys, at most.
    pub live_tokens: u64,
    /// People who hold such tokens.
    pub people: u64,
    /// Sessions that end.
    pub sessions: u64,
    /// Apps that hold such tokens.
    pub apps: Vec<String>,
    /// Apps that were not seen to have the key that takes over.
    pub not_ready: Vec<String>,
    /// By when all will have recovered, in Unix seconds.
    pub recovered_by: i64,
    /// The reason that was written.
    pub reason: String,
    /// What was wrong with the form.
    pub wrong: Option<Wrong>,
    /// Where the form goes.
    pub action: String,
}

/// What was wrong with the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The reason is empty, too long or holds control characters.
    Reason,
    /// Another word was typed.
    Word,
}

impl Wrong {
    fn text(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::Reason => "revoke-wrong-reason",
            Self::Word => "revoke-wrong-word",
        })
    }
}

impl RevokeView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Keys
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::http::pages::sample;

    const NOW: i64 = 1_763_900_000;

    fn key(state: KeyState, reason: Option<&str>) -> KeyRow {
        KeyRow {
            kid: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".into(),
            alg: "ES256",
            state,
            signs_from: (state != KeyState::Revoked).then_some(NOW - 86_400),
            leaves_at: (state == KeyState::Retiring).then_some(NOW + 3_600),
            reason: reason.map(Into::into),
            revoke: (state != KeyState::Revoked).then(|| "/admin/keys/0ZcO/revoke".into()),
            published: (100, 700),
            signs: (300, 400),
        }
    }

    impl KeysView {
        pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
            let ring = RingShown {
                alg: "ES256",
                next: Some(NOW + 9_000),
                late: false,
                waiting_for: vec![],
                patient_until: NOW + 269_000,
                rotate: "/admin/keys/ES256/rotate".into(),
                canary: "/admin/keys/ES256/canary".into(),
                canaries: vec![],
                keys: [KeyState::Active, KeyState::Pending, KeyState::Retiring, KeyState::Retired]
                    .map(|state| key(state, None))
                    .into(),
                now: 500,
                begins: NOW - 3_888_000,
                ends: NOW + 3_888_000,
                daily: true,
            };
            let app = AppShown {
                id: "robot".into(),
                href: "/admin/apps/robot".into(),
                algs: "ES256".into(),
                seen: Some(NOW - 60),
                claimed: false,
                lags: false,
            };
            let usual = Self {
                t,
                brand: Arc::clone(brand),
                room: sample::admin_room(None),
                said: None,
                rings: vec![ring.clone()],
                forged: vec![],
                apps: vec![app.clone()],
                strangers: vec![],
            };
            let lagging = AppShown { seen: None, claimed: true, lags: true, ..app };
            let hostile = sample::HOSTILE;
            vec![
                (
                    "lagging",
                    Self {
                        said: Some(Said::Planned),
                        rings: vec![RingShown {
                            late: true,
                            daily: false,
                            waiting_for: vec!["robot".into()],
                            ..ring.clone()
                        }],
                        apps: vec![lagging],
                        ..usual.clone()
                    },
                ),
                (
                    "hostile",
                    Self {
                        said: Some(Said::Revoked),
                        forged: vec![hostile.into()],
                        rings: vec![RingShown {
                            keys: vec![key(KeyState::Revoked, Some(hostile))],
                            next: None,
                            ..ring.clone()
                        }],
                        strangers: vec![StrangerShown {
                            origin: "2001:db8:1234:5678:9abc:def0:1234:5678".into(),
                            agent: hostile.into(),
                            claim: hostile.into(),
                            seen: NOW - 5,
                        }],
                        ..usual.clone()
                    },
                ),
                (
                    "canary",
                    Self {
                        said: Some(Said::Canary),
                        rings: vec![RingShown {
                            canaries: vec![CanaryShown { id: "robot".into(), until: NOW + 3_600 }],
                            ..ring
                        }],
                        ..usual.clone()
                    },
                ),
                ("canary-ended", Self { said: Some(Said::CanaryEnded), ..usual.clone() }),
                ("lost", Self { said: Some(Said::AllRevoked), ..usual.clone() }),
                ("turned", Self { said: Some(Said::Turned), apps: vec![], ..usual.clone() }),
                ("usual", usual),
            ]
        }
    }

    impl RevokeView {
        pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
            let first = Self {
                t,
                brand: Arc::clone(brand),
                room: sample::admin_room(None),
                kid: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".into(),
                alg: "ES256",
                word: "0ZcOCORZ".into(),
                host: false,
                live_tokens: 1_204,
                people: 1,
                sessions: 0,
                apps: vec!["robot".into()],
                not_ready: vec![],
                recovered_by: NOW + 900,
                reason: String::new(),
                wrong: None,
                action: "/admin/keys/0ZcO/revoke".into(),
            };
            vec![
                (
                    "hostile",
                    Self {
                        reason: sample::HOSTILE.into(),
                        wrong: Some(Wrong::Word),
                        not_ready: vec!["robot".into()],
                        ..first.clone()
                    },
                ),
                (
                    "reason",
                    Self { wrong: Some(Wrong::Reason), apps: vec![], live_tokens: 0, people: 0, ..first.clone() },
                ),
                ("host", Self { host: true, sessions: 318, ..first.clone() }),
                ("first", first),
            ]
        }
    }
}
