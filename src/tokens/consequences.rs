//! What it would mean to throw out a key: how many tokens, people and apps, and by when all have recovered.
//!
//! Tokens are not kept, so they are counted by what gave birth to them: a grant that was used within the life of a token has one
//! access token about, and an ID token where it gives one. The count is an upper bound.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::alg::Alg;
use crate::domain::client::GrantType;
use crate::domain::id::ClientId;
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;
use crate::keys::policy::KeyPolicy;
use crate::keys::propagation::Propagation;
use crate::keys::record::KeyRecord;
use crate::keys::state::KeyState;
use crate::store::directory::Snapshot;
use crate::store::holdings::{self, Recent};
use crate::store::{Store, StoreError, sessions};

/// What was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lost {
    /// A key.
    #[default]
    Key,
    /// A machine, with all keys and roots that lay on it.
    Host,
}

impl FromStr for Lost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "key" => Ok(Self::Key),
            "host" => Ok(Self::Host),
            _ => Err("write key or host".to_owned()),
        }
    }
}

/// The consequence report of `keys revoke` and `keys drill`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The key.
    pub kid: String,
    /// Its algorithm.
    pub alg: Alg,
    /// Its state before.
    pub state: KeyState,
    /// What was lost: only this key, or all keys and whatever else lay on a machine.
    pub lost: Lost,
    /// Tokens about that it signed, or all keys, at most. APIs refuse them as soon as they fetch the key set.
    pub live_tokens: u64,
    /// People who hold such tokens. They stay signed in, since refresh tokens are not signed, unless a host was lost.
    pub people: u64,
    /// Sessions that end: none for a key, all for a host.
    pub sessions: u64,
    /// Apps that hold such tokens.
    pub apps: u64,
    /// Their client ids.
    pub client_ids: Vec<String>,
    /// Apps that check tokens and were not seen to have the key that takes over.
    pub not_ready: Vec<String>,
    /// By when everyone will have a token of the new key and the new key set, RFC 3339 in UTC.
    pub recovered_by: String,
}

impl Report {
    /// Reckons what the loss of a key, or of a host with all keys, would mean now.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn of(
        key: &KeyRecord,
        ring: &[KeyRecord],
        lost: Lost,
        (store, directory, policy): (&Store, &Snapshot, &KeyPolicy),
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let everything = lost == Lost::Host;
        let algs = if everything { policy.algorithms.clone() } else { vec![key.alg()] };
        let mut count = Count::new((!everything).then(|| key.alg()), directory);
        // A key that never signed, or whose last token is over, has none.
        let signed = everything || matches!(key.state, KeyState::Active | KeyState::Retiring);
        if signed {
            count.grants(store, now.minus(policy.longest_token)).await?;
        }
        let mut db = store.read().await?;
        let known = Propagation::load(&mut db, directory, now).await?;
        let sessions = if everything { sessions::count_live(&mut db, now).await? } else { 0 };
        drop(db);
        if signed {
            count.services(&known, policy, now);
        }
        let successor = ring.iter().filter(|other| other.alg() == key.alg() && other.state == KeyState::Pending);
        let not_ready = match successor.min_by_key(|other| other.published_at) {
            Some(next) if !everything && key.state == KeyState::Active => known.waiting_for(next, now),
            // Nobody has a key that is made only then.
            _ if everything || key.state == KeyState::Active => {
                let users = algs.iter().flat_map(|alg| known.users(*alg, now));
                users.map(|(client, _)| client.clone()).collect::<BTreeSet<_>>().into_iter().collect()
            }
            _ => Vec::new(),
        };
        let back = algs.iter().map(|alg| known.all_back_by(*alg, policy.jwks_max_age, now));
        let mut recovered = back.max().unwrap_or(now);
        if count.tokens > 0 {
            // Whoever does not try again when he is refused does so when his token is over.
            recovered = recovered.max(now.plus(policy.usual_token));
        }
        if !signed {
            recovered = now;
        }
        Ok(Self {
            kid: key.kid().to_string(),
            alg: key.alg(),
            state: key.state,
            lost,
            sessions,
            live_tokens: count.tokens,
            people: count.people.len() as u64,
            apps: count.apps.len() as u64,
            client_ids: count.apps.iter().map(ToString::to_string).collect(),
            not_ready: not_ready.iter().map(ToString::to_string).collect(),
            recovered_by: recovered.to_string(),
        })
    }
}

struct Count<'d> {
    /// Of one algorithm, or of all.
    alg: Option<Alg>,
    directory: &'d Snapshot,
    tokens: u64,
    /// By a hash: there may be very many.
    people: HashSet<u64>,
    apps: BTreeSet<ClientId>,
}

impl<'d> Count<'d> {
    fn new(alg: Option<Alg>, directory: &'d Snapshot) -> Self {
        Self { alg, directory, tokens: 0, people: HashSet::new(), apps: BTreeSet::new() }
    }

    async fn grants(&mut self, store: &Store, since: Timestamp) -> Result<(), StoreError> {
        let hash = RandomState::new();
        let mut after = None;
        loop {
            let page = holdings::recent(&mut store.read().await?, after.as_ref(), since).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id.clone());
            for grant in &page {
                let tokens = self.tokens_of(grant);
                if tokens > 0 {
                    self.tokens += tokens;
                    self.people.insert(hash.hash_one(grant.user_id.as_str()));
                    self.apps.insert(grant.client_id.clone());
                }
            }
        }
    }

    fn counts(&self, alg: Alg) -> bool {
        self.alg.is_none_or(|own| own == alg)
    }

    fn tokens_of(&self, grant: &Recent) -> u64 {
        let named = grant.resources.iter().filter_map(|name| self.directory.resource_named(name));
        let access: BTreeSet<Alg> = if grant.resources.is_empty() {
            self.algs_of_scope(&grant.scope)
        } else {
            named.map(|api| api.access_token_alg).collect()
        };
        let id_token = self
            .directory
            .client(grant.client_id.as_str())
            .filter(|_| grant.scope.contains("openid"))
            .map(|client| client.settings.id_token_signed_response_alg);
        access.into_iter().chain(id_token).map(|alg| u64::from(self.counts(alg))).sum()
    }

    /// How access tokens of a scope are signed: as the APIs want it that own it, else as our own.
    fn algs_of_scope(&self, scope: &ScopeSet) -> BTreeSet<Alg> {
        let owners: BTreeSet<Alg> = scope
            .iter()
            .filter_map(|word| self.directory.resource_of_scope(word))
            .map(|api| api.access_token_alg)
            .collect();
        if owners.is_empty() { BTreeSet::from([Alg::ES256]) } else { owners }
    }

    /// Apps that get tokens for themselves: one each, if they were at work within the life of a token.
    fn services(&mut self, known: &Propagation, policy: &KeyPolicy, now: Timestamp) {
        for client in self.directory.clients().filter(|client| client.is_active()) {
            let itself = client.settings.grant_types.contains(&GrantType::ClientCredentials);
            let at_work = known.at_work(&client.id).is_some_and(|at| !at.plus(policy.longest_token).has_passed(now));
            if itself && at_work && self.algs_of_scope(&client.settings.scope).into_iter().any(|alg| self.counts(alg)) {
                self.tokens += 1;
                self.apps.insert(client.id.clone());
            }
        }
    }
}
