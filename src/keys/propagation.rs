//! Who has a key already: which apps check tokens, which of them were seen to have which key, and who lags.
//!
//! An app is waited for if it checks tokens of the key's algorithm, by its settings, and has been at work within a month, by what
//! it authenticated. Only an app that can prove where it is counts: public clients cannot, and nobody waits for them. What an
//! app fetched counts by the address it came from; a name that a stranger says does not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::record::KeyRecord;
use super::state::KeyState;
use super::turning::Lagging;
use crate::domain::alg::Alg;
use crate::domain::client::{AuthMethod, GrantType};
use crate::domain::id::{ClientId, KeyId};
use crate::domain::time::Timestamp;
use crate::store::directory::Snapshot;
use crate::store::sightings::{self, AddressRow, SightingRow};
use crate::store::{Db, StoreError};

const DAY: Duration = Duration::from_secs(86_400);
/// Who has not authenticated for so long is not at work.
const AT_WORK: Duration = Duration::from_secs(30 * 86_400);
/// An instance that fetched so shortly before a key was published, and not since, is taken to be still running.
const RUNNING: Duration = Duration::from_secs(2 * 86_400);

/// What is known of who has which key, at one moment.
#[derive(Debug, Default)]
pub struct Propagation {
    apps: BTreeMap<ClientId, App>,
    at_work: BTreeMap<ClientId, Timestamp>,
    strangers: Vec<Stranger>,
}

/// An app that checks tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct App {
    /// The algorithms of the tokens that it checks.
    pub algs: BTreeSet<Alg>,
    /// When it last authenticated.
    pub at_work: Option<Timestamp>,
    /// When it was last seen to fetch a key set.
    pub seen: Option<Timestamp>,
    /// Somebody fetched the key set in its name from an address where it never authenticated.
    pub claimed: bool,
    instances: Vec<Instance>,
}

/// One address and program of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Instance {
    fetched: BTreeMap<Timestamp, BTreeSet<KeyId>>,
    /// Between two fetches, on the average.
    rhythm: Duration,
}

/// Somebody who fetches the key set and is no app that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The network, or the address of one that claims to be an app.
    pub origin: String,
    /// What the program calls itself.
    pub agent: String,
    /// The app that it says it is; empty: none.
    pub claim: String,
    /// When it was last seen.
    pub seen: Timestamp,
    /// The keys that stood in the set it had then.
    pub kids: BTreeSet<KeyId>,
}

impl Propagation {
    /// Reads what is known.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn load(db: &mut Db, directory: &Snapshot, now: Timestamp) -> Result<Self, StoreError> {
        let addresses = sightings::addresses(db, now.minus(3 * AT_WORK)).await?;
        let (sets, rows) = (sightings::sets(db).await?, sightings::list(db).await?);
        Ok(Self::of(&needs(directory), &addresses, &sets, &rows))
    }

    fn of(
        needs: &BTreeMap<ClientId, BTreeSet<Alg>>,
        addresses: &[AddressRow],
        sets: &[(String, String)],
        rows: &[SightingRow],
    ) -> Self {
        let sets: HashMap<&str, BTreeSet<KeyId>> = sets
            .iter()
            .map(|(etag, kids)| (etag.as_str(), kids.split_whitespace().map(KeyId::new).collect()))
            .collect();
        let mut apps: BTreeMap<ClientId, App> =
            needs.iter().map(|(client, algs)| (client.clone(), App { algs: algs.clone(), ..App::default() })).collect();
        let (mut proven, mut at_work) = (BTreeSet::new(), BTreeMap::new());
        for row in addresses {
            let last: &mut Timestamp =
                at_work.entry(ClientId::new(row.client_id.as_str())).or_insert(Timestamp::from_seconds(0));
            *last = Timestamp::from_seconds(row.last_at).max(*last);
            proven.insert((row.client_id.as_str(), row.address.as_str()));
            if let Some(app) = apps.get_mut(&ClientId::new(row.client_id.as_str())) {
                app.at_work = app.at_work.max(Some(Timestamp::from_seconds(row.last_at)));
            }
        }
        let mut instances: BTreeMap<(&str, &str, &str), Vec<&SightingRow>> = BTreeMap::new();
        for row in rows {
            instances.entry((&row.app, &row.origin, &row.agent)).or_default().push(row);
        }
        let mut strangers = Vec::new();
        for ((name, origin, agent), rows) in instances {
            let Some(last) = rows.iter().max_by_key(|row| row.last_at) else { continue };
            let seen = Timestamp::from_seconds(last.last_at);
            let app = apps.get_mut(&ClientId::new(name));
            match app {
                Some(app) if proven.contains(&(name, origin)) => {
                    app.seen = app.seen.max(Some(seen));
                    app.instances.push(Instance::of(&rows, &sets));
                }
                other => {
                    if let Some(app) = other {
                        app.claimed = true;
                    }
                    strangers.push(Stranger {
                        origin: origin.to_owned(),
                        agent: agent.to_owned(),
                        claim: name.to_owned(),
                        seen,
                        kids: sets.get(last.etag.as_str()).cloned().unwrap_or_default(),
                    });
                }
            }
        }
        strangers.sort_by_key(|stranger| std::cmp::Reverse(stranger.seen));
        Self { apps, at_work, strangers }
    }

    /// The apps that check tokens, waited for or not.
    #[must_use]
    pub const fn apps(&self) -> &BTreeMap<ClientId, App> {
        &self.apps
    }

    /// When an app last authenticated, whether it checks tokens or not.
    #[must_use]
    pub fn at_work(&self, client: &ClientId) -> Option<Timestamp> {
        self.at_work.get(client).copied()
    }

    /// Others who fetch the key set, those seen last first.
    #[must_use]
    pub fn strangers(&self) -> &[Stranger] {
        &self.strangers
    }

    /// The apps that check tokens of a key's algorithm and are at work.
    pub fn users(&self, alg: Alg, now: Timestamp) -> impl Iterator<Item = (&ClientId, &App)> {
        self.apps.iter().filter(move |(_, app)| app.algs.contains(&alg) && app.is_at_work(now))
    }

    /// The apps that a key waits for: they check tokens of its algorithm and were not yet seen to have it.
    #[must_use]
    pub fn waiting_for(&self, key: &KeyRecord, now: Timestamp) -> Vec<ClientId> {
        if key.state != KeyState::Pending {
            return Vec::new();
        }
        self.users(key.alg(), now).filter(|(_, app)| !app.has(key)).map(|(client, _)| client.clone()).collect()
    }

    /// The same of all pending keys.
    #[must_use]
    pub fn lagging<'r>(&self, keys: impl Iterator<Item = &'r KeyRecord>, now: Timestamp) -> Lagging {
        keys.map(|key| (key.kid().clone(), self.waiting_for(key, now))).filter(|(_, apps)| !apps.is_empty()).collect()
    }

    /// When, by their rhythm, the last of the apps that check an algorithm's tokens will have fetched the key set again.
    /// `usual` is how long others are told to keep it.
    #[must_use]
    pub fn all_back_by(&self, alg: Alg, usual: Duration, now: Timestamp) -> Timestamp {
        let back = |app: &App| app.instances.iter().filter_map(|instance| instance.back_by(usual, now)).max();
        self.users(alg, now).filter_map(|(_, app)| back(app)).fold(now.plus(usual), Timestamp::max)
    }
}

impl App {
    /// Whether it has authenticated within a month.
    #[must_use]
    pub fn is_at_work(&self, now: Timestamp) -> bool {
        self.at_work.is_some_and(|at| !at.plus(AT_WORK).has_passed(now))
    }

    /// Whether it was seen to have a key: some instance has fetched it, and none that was running when it was published has not
    /// come back since.
    #[must_use]
    pub fn has(&self, key: &KeyRecord) -> bool {
        let lags = |instance: &Instance| {
            !instance.has(key.kid())
                && instance
                    .last()
                    .is_some_and(|at| at < key.published_at && !at.plus(RUNNING).has_passed(key.published_at))
        };
        self.instances.iter().any(|instance| instance.has(key.kid())) && !self.instances.iter().any(lags)
    }
}

impl Instance {
    fn of(rows: &[&SightingRow], sets: &HashMap<&str, BTreeSet<KeyId>>) -> Self {
        let fetched = rows
            .iter()
            .map(|row| {
                let kids = sets.get(row.etag.as_str()).cloned().unwrap_or_default();
                (Timestamp::from_seconds(row.last_at), kids)
            })
            .collect();
        let span = rows.iter().map(|row| row.last_at.saturating_sub(row.first_at)).sum::<i64>();
        let steps = rows.iter().map(|row| row.times.saturating_sub(1)).sum::<i64>();
        let rhythm = span.checked_div(steps).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        Self { fetched, rhythm: Duration::from_secs(rhythm) }
    }

    fn last(&self) -> Option<Timestamp> {
        self.fetched.last_key_value().map(|(at, _)| *at)
    }

    fn has(&self, kid: &KeyId) -> bool {
        self.fetched.values().any(|kids| kids.contains(kid))
    }

    /// When it will have come again. One that did not come for two days longer than its rhythm is gone.
    fn back_by(&self, usual: Duration, now: Timestamp) -> Option<Timestamp> {
        let next = self.last()?.plus(self.rhythm.max(usual));
        (!next.plus(2 * DAY).has_passed(now)).then(|| next.max(now))
    }
}

/// Which apps check tokens of which algorithms, by their settings: an app with a secret that gets ID tokens, and an API that may
/// introspect the access tokens made for it.
#[must_use]
pub fn needs(directory: &Snapshot) -> BTreeMap<ClientId, BTreeSet<Alg>> {
    let mut needs: BTreeMap<ClientId, BTreeSet<Alg>> = BTreeMap::new();
    for client in directory.clients().filter(|client| client.is_active()) {
        let settings = &client.settings;
        if settings.token_endpoint_auth_method == AuthMethod::None {
            continue;
        }
        let gets_id_tokens =
            settings.scope.contains("openid") && settings.grant_types.contains(&GrantType::AuthorizationCode);
        if gets_id_tokens {
            needs.entry(client.id.clone()).or_default().insert(settings.id_token_signed_response_alg);
        }
        let mine = |api: &&crate::domain::resource::Resource| {
            api.disabled_at.is_none() && api.introspected_by.contains(&client.id)
        };
        for api in directory.resources().iter().filter(mine) {
            needs.entry(client.id.clone()).or_default().insert(api.access_token_alg);
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::pair;

    const NOW: i64 = 1_800_000_000;

    fn key(published_at: i64) -> KeyRecord {
        let at = Timestamp::from_seconds(published_at);
        KeyRecord {
            public: pair::make(Alg::ES256, 2048).unwrap().public,
            state: KeyState::Pending,
            created_at: at,
            published_at: at,
            activate_at: at,
            retire_at: None,
            changed_at: at,
            reason: None,
        }
    }

    fn address(client: &str, address: &str, last_at: i64) -> AddressRow {
        AddressRow { client_id: client.to_owned(), address: address.to_owned(), first_at: 0, last_at }
    }

    fn sighting(app: &str, origin: &str, etag: &str, last_at: i64) -> SightingRow {
        let (app, origin, etag) = (app.to_owned(), origin.to_owned(), etag.to_owned());
        SightingRow { app, origin, agent: "x".to_owned(), etag, first_at: last_at - 900, last_at, times: 4 }
    }

    fn known(addresses: &[AddressRow], key: &KeyRecord, rows: &[SightingRow]) -> Propagation {
        let needs = BTreeMap::from([
            (ClientId::new("shop"), BTreeSet::from([Alg::ES256])),
            (ClientId::new("other"), BTreeSet::from([Alg::RS256])),
        ]);
        let sets = [("old".to_owned(), "k1".to_owned()), ("new".to_owned(), format!("k1 {}", key.kid()))];
        Propagation::of(&needs, addresses, &sets, rows)
    }

    fn waits(addresses: &[AddressRow], key: &KeyRecord, rows: &[SightingRow]) -> bool {
        let waiting = known(addresses, key, rows).waiting_for(key, Timestamp::from_seconds(NOW));
        assert!(waiting.is_empty() || waiting == [ClientId::new("shop")], "{waiting:?}");
        !waiting.is_empty()
    }

    #[test]
    fn an_app_is_waited_for_until_it_is_seen_to_have_the_key() {
        let key = key(NOW - 1_000);
        let here = [address("shop", "192.0.2.1", NOW - 50), address("other", "192.0.2.9", NOW)];
        assert!(waits(&here, &key, &[]), "never seen");
        assert!(waits(&here, &key, &[sighting("shop", "192.0.2.1", "old", NOW - 1_001)]));
        assert!(!waits(&here, &key, &[sighting("shop", "192.0.2.1", "new", NOW - 5)]));
        assert!(waits(&here, &key, &[sighting("shop", "192.0.2.1", "unheard of", NOW - 5)]));
    }

    #[test]
    fn a_name_that_a_stranger_says_does_not_count_until_the_app_authenticates_there() {
        let key = key(NOW - 1_000);
        let rows = [sighting("shop", "203.0.113.5", "new", NOW - 5)];
        let here = [address("shop", "192.0.2.1", NOW - 50)];
        assert!(waits(&here, &key, &rows));
        let known = known(&here, &key, &rows);
        assert!(known.apps()[&ClientId::new("shop")].claimed);
        let stranger = &known.strangers()[0];
        assert_eq!((stranger.claim.as_str(), stranger.origin.as_str()), ("shop", "203.0.113.5"));
        assert!(stranger.kids.contains(key.kid()));
        let there = [address("shop", "192.0.2.1", NOW - 50), address("shop", "203.0.113.5", NOW)];
        assert!(!waits(&there, &key, &rows));
    }

    #[test]
    fn every_instance_that_was_running_must_come_back() {
        let key = key(NOW - 1_000);
        let here = [address("shop", "192.0.2.1", NOW - 50), address("shop", "192.0.2.2", NOW - 50)];
        let new = sighting("shop", "192.0.2.1", "new", NOW - 5);
        assert!(waits(&here, &key, &[new.clone(), sighting("shop", "192.0.2.2", "old", NOW - 2_000)]));
        let gone = NOW - 1_000 - 2 * 86_400;
        assert!(!waits(&here, &key, &[new, sighting("shop", "192.0.2.2", "old", gone)]), "one that is gone");
    }

    #[test]
    fn who_is_not_at_work_or_never_proved_where_it_is_is_not_waited_for() {
        let key = key(NOW - 1_000);
        assert!(!waits(&[], &key, &[]));
        assert!(!waits(&[address("shop", "192.0.2.1", NOW - 30 * 86_400)], &key, &[]));
        assert!(waits(&[address("shop", "192.0.2.1", NOW - 30 * 86_400 + 1)], &key, &[]));
        let active = KeyRecord { state: KeyState::Active, ..key };
        assert!(!waits(&[address("shop", "192.0.2.1", NOW)], &active, &[]), "only a key that waits is waited with");
    }

    #[test]
    fn the_rhythm_of_an_app_tells_when_it_comes_back() {
        let key = key(NOW - 1_000);
        let here = [address("shop", "192.0.2.1", NOW - 50)];
        let back = |rows: &[SightingRow], usual| {
            let known = known(&here, &key, rows);
            known.all_back_by(Alg::ES256, Duration::from_secs(usual), Timestamp::from_seconds(NOW)).as_seconds() - NOW
        };
        assert_eq!(back(&[], 60), 60, "who was never seen keeps to what it is told");
        let rows = [sighting("shop", "192.0.2.1", "new", NOW - 100)];
        assert_eq!(back(&rows, 60), 200, "every 300 s, 100 s ago");
        assert_eq!(back(&rows, 600), 600);
        assert_eq!(back(&[sighting("shop", "192.0.2.1", "new", NOW - 4 * 86_400)], 60), 60, "one that is gone");
    }
}
