//! What an admin can do about keys, the same from the command line, the API and the console. Every act is recorded, and so is every
//! one that was refused.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::consequences::{Lost, Report};
use super::revoke;
use crate::domain::alg::Alg;
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, KeyId};
use crate::domain::time::{Clock, Timestamp};
use crate::keys::policy::KeyPolicy;
use crate::keys::propagation::Propagation;
use crate::keys::record::KeyRecord;
use crate::keys::ring::Canary;
use crate::keys::rotation::{self, Move, Refused, Standing};
use crate::keys::state::KeyState;
use crate::keys::turning::{self, Wish};
use crate::keys::vault::{Purpose, Vault};
use crate::keys::{KeysError, canary, journal};
use crate::store::audit::{self, Event};
use crate::store::directory::{Directory, Snapshot};
use crate::store::{Store, StoreError, signing_keys};

/// The desk of one admin, at one moment.
#[derive(Debug)]
pub struct KeyDesk<'h> {
    /// The database.
    pub store: &'h Store,
    /// The master key.
    pub vault: &'h Vault,
    /// The settings.
    pub policy: KeyPolicy,
    /// The folder of the journal of revoked keys.
    pub data_folder: &'h Path,
    /// Who acts, as in [`Event::actor`].
    pub actor: &'h str,
    /// The moment.
    pub now: Timestamp,
    /// Where it is from.
    pub clock: &'h Clock,
}

/// Whether a reason can be published: 1 to 200 characters on one line.
#[must_use]
pub fn reason_fits(reason: &str) -> bool {
    !reason.is_empty() && reason.chars().count() <= 200 && !reason.chars().any(char::is_control)
}

/// A key as lists show it. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The name.
    pub kid: String,
    /// The algorithm.
    pub alg: Alg,
    /// The state.
    pub state: KeyState,
    /// When it was made.
    pub created_at: String,
    /// Since when it stands in the key set.
    pub published_at: String,
    /// When it shall sign, or began to.
    pub activate_at: String,
    /// When it leaves the key set.
    pub retire_at: Option<String>,
    /// Apps that check its tokens and were not yet seen to have it, while it waits.
    pub waiting_for: Vec<ClientId>,
    /// Why it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Listed {
    /// Describes a key.
    #[must_use]
    pub fn of(record: &KeyRecord, waiting_for: Vec<ClientId>) -> Self {
        Self {
            kid: record.kid().to_string(),
            alg: record.alg(),
            state: record.state,
            created_at: record.created_at.to_string(),
            published_at: record.published_at.to_string(),
            activate_at: record.activate_at.to_string(),
            retire_at: record.retire_at.map(|at| at.to_string()),
            waiting_for,
            reason: record.reason.clone(),
        }
    }
}

/// What came of the wish to turn a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The algorithm.
    pub alg: Alg,
    /// The key that takes over, or has.
    pub kid: KeyId,
    /// When it signs, RFC 3339 in UTC.
    pub activate_at: String,
    /// Whether it signs already.
    pub active: bool,
    /// Apps that are waited for, or were not.
    pub waiting_for: Vec<ClientId>,
}

/// An app that a waiting key signs for, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The app.
    pub client_id: ClientId,
    /// The key.
    pub kid: KeyId,
    /// Until when, RFC 3339 in UTC.
    pub until: String,
}

impl From<&Canary> for Trial {
    fn from(canary: &Canary) -> Self {
        Self { client_id: canary.client.clone(), kid: canary.kid.clone(), until: canary.until.to_string() }
    }
}

impl KeyDesk<'_> {
    /// The keys whose rows can be believed, and the names of the others.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn records(&self) -> Result<(Vec<KeyRecord>, Vec<String>), StoreError> {
        let key = self.vault.mac_key(Purpose::SigningKey);
        let (mut records, mut forged) = (Vec::new(), Vec::new());
        for row in signing_keys::list(&mut self.store.read().await?).await? {
            match KeyRecord::verified(&row, &key) {
                Ok(record) => records.push(record),
                Err(_) => forged.push(row.kid),
            }
        }
        Ok((records, forged))
    }

    /// Apps and keys in the database now.
    async fn directory(&self) -> Result<std::sync::Arc<Snapshot>, StoreError> {
        Ok(Directory::load(self.store, self.now).await?.snapshot())
    }

    /// Who was seen to have which key.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn propagation(&self) -> Result<Propagation, StoreError> {
        let directory = self.directory().await?;
        Propagation::load(&mut self.store.read().await?, &directory, self.now).await
    }

    /// Turns the keys of some algorithms: as early as is safe and with regard to apps that lag, or at once.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn rotate(&self, algs: &[Alg], at_once: bool) -> Result<Vec<Rotated>, KeysError> {
        let mut rotated = Vec::new();
        if self.records().await?.0.is_empty() {
            // Before the first start there is nothing to turn yet.
            self.wish(&Wish::Turn { lagging: turning::Lagging::new() }, "").await?;
        }
        for alg in algs {
            let (records, _) = self.records().await?;
            let keys: Vec<Standing> = records.iter().map(Standing::from).collect();
            let next = rotation::spare(&keys, *alg).map(|key| key.kid.clone());
            let lagging = self.propagation().await?.lagging(records.iter(), self.now);
            self.wish(&Wish::Rotate { alg: *alg, at_once }, alg.as_str()).await?;
            if !at_once {
                // Due already, perhaps.
                self.wish(&Wish::TurnOne { alg: *alg, lagging: lagging.clone() }, alg.as_str()).await?;
            }
            let kid = next.ok_or(KeysError::Refused(Refused::NoSpare(*alg)))?;
            let (records, _) = self.records().await?;
            let record = records.iter().find(|record| *record.kid() == kid);
            let record = record.ok_or_else(|| KeysError::Refused(Refused::UnknownKey(kid.to_string())))?;
            rotated.push(Rotated {
                alg: *alg,
                activate_at: record.activate_at.to_string(),
                active: record.state == KeyState::Active,
                waiting_for: lagging.get(&kid).cloned().unwrap_or_default(),
                kid,
            });
        }
        Ok(rotated)
    }

    /// What it would mean to throw a key out, or all of them. `None`: there is no such key that can be believed; where all go, no
    /// key at all.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn consequences(&self, kid: &str, lost: Lost) -> Result<Option<Report>, StoreError> {
        let (records, _) = self.records().await?;
        let named = records.iter().find(|record| record.kid().as_str() == kid);
        let any = records.first().filter(|_| lost == Lost::Host);
        let Some(key) = named.or(any) else { return Ok(None) };
        let directory = self.directory().await?;
        let house = (self.store, &*directory, &self.policy);
        Report::of(key, &records, lost, house, self.now).await.map(Some)
    }

    /// Throws a key out: nothing that it signed is trusted from now on, and the key that waits takes over. If the machine was lost
    /// on which it lay, all keys go, and whatever else lay there is replaced; then every session and grant from before ends. If
    /// that is broken off in the middle, it is asked for again.
    ///
    /// It is done even where something is returned: then the journal beside the database could not be written, which a running
    /// server makes up for.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn revoke(&self, kid: &str, lost: Lost, reason: &str) -> Result<Option<std::io::Error>, KeysError> {
        let reason = reason.to_owned();
        let wish = match lost {
            Lost::Key => Wish::Revoke { kid: kid.to_owned(), reason },
            Lost::Host => {
                let known = signing_keys::list(&mut self.store.read().await?).await?.iter().any(|row| row.kid == kid);
                if !known {
                    return self.noted(Err(Refused::UnknownKey(kid.to_owned()).into()), "revoke", kid).await;
                }
                Wish::RevokeAll { reason }
            }
        };
        let done = self.wish(&wish, kid).await?;
        let unwritten = self.remember(done.iter().filter_map(|done| match &done.step {
            Move::Revoke { kid } => Some(kid.as_str()),
            _ => None,
        }));
        if lost == Lost::Host {
            revoke::end_all(self.store, EndReason::HostLost, self.actor, self.now).await?;
        }
        Ok(unwritten)
    }

    /// The report of [`Self::consequences`] about the key that signs with an algorithm. Nothing changes, and it is recorded that
    /// the drill was held.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn drill(&self, alg: Alg) -> Result<Report, KeysError> {
        let (records, _) = self.records().await?;
        let active = records.iter().find(|record| record.alg() == alg && record.state == KeyState::Active);
        let report = match active {
            Some(key) => self.consequences(key.kid().as_str(), Lost::Key).await?,
            None => None,
        };
        let report = report.ok_or(KeysError::Refused(Refused::NoActive(alg)));
        let report = self.noted(report, "drill", alg.as_str()).await?;
        let data = json!({
            "alg": alg, "live_tokens": report.live_tokens, "people": report.people, "apps": report.apps,
            "recovered_by": report.recovered_by,
        });
        self.record("key.drill", &report.kid, data).await?;
        Ok(report)
    }

    /// Has the keys that wait sign for one app, for an hour.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn canary(&self, client: &ClientId, algs: &[Alg]) -> Result<Vec<Canary>, KeysError> {
        let outcome = canary::begin(self.store, self.vault, &self.policy, (client, algs), self.actor, self.now).await;
        self.noted(outcome, "canary", client.as_str()).await
    }

    /// Has the active keys of some algorithms sign for an app again.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn end_canary(&self, client: &ClientId, algs: &[Alg]) -> Result<Vec<Canary>, KeysError> {
        let outcome = canary::end(self.store, self.vault, (client, algs), self.actor, self.now).await;
        self.noted(outcome, "canary_end", client.as_str()).await
    }

    /// The apps that waiting keys sign for now.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn canaries(&self) -> Result<Vec<Canary>, StoreError> {
        canary::singing(&mut self.store.read().await?, self.now).await
    }

    async fn wish(&self, wish: &Wish, subject: &str) -> Result<Vec<turning::Done>, KeysError> {
        let clock = || self.clock.now();
        let outcome = turning::carry_out(self.store, self.vault, &self.policy, wish, self.actor, &clock).await;
        let what = match wish {
            Wish::Turn { .. } | Wish::TurnOne { .. } => "turn",
            Wish::Rotate { .. } => "rotate",
            Wish::Revoke { .. } | Wish::RevokeAll { .. } => "revoke",
        };
        self.noted(outcome, what, subject).await
    }

    /// Records a refusal.
    async fn noted<T>(&self, outcome: Result<T, KeysError>, what: &'static str, subject: &str) -> Result<T, KeysError> {
        if let Err(KeysError::Refused(why)) = &outcome {
            // A stranger's text: no more of it than a key's name is long.
            let subject: String = subject.chars().take(64).collect();
            self.record("key.refused", &subject, json!({"act": what, "why": why.to_string()})).await?;
        }
        outcome
    }

    async fn record(&self, action: &'static str, subject: &str, data: serde_json::Value) -> Result<(), StoreError> {
        let (actor, subject, now) = (self.actor.to_owned(), subject.to_owned(), self.now);
        self.store
            .write(async move |tx| {
                audit::record(tx, &Event { actor: &actor, action, subject: &subject, data }, now).await
            })
            .await
    }

    /// Writes revoked keys beside the database too, for the day when an older one is restored.
    fn remember<'k>(&self, kids: impl Iterator<Item = &'k str>) -> Option<std::io::Error> {
        let kids: Vec<_> = kids.map(|kid| (kid.to_owned(), self.now)).collect();
        journal::catch_up(&self.data_folder.join(journal::FILE), &kids).err()
    }
}
