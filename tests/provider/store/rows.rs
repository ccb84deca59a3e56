//! A database with the rows that others hang on, seen by two processes.

use std::time::Duration;

use frontdesk::domain::claims::ClaimsRequest;
use frontdesk::domain::client::Delivery;
use frontdesk::domain::code::{AuthorizationCode, CodeState};
use frontdesk::domain::grant::Grant;
use frontdesk::domain::id::{ClientId, CodeId, FamilyId, GrantId, SessionId, Sid, UserId};
use frontdesk::domain::refresh_family::{RefreshFamily, Retries, Retry};
use frontdesk::domain::scope::ScopeSet;
use frontdesk::domain::status::StatusIndex;
use frontdesk::domain::time::Timestamp;
use frontdesk::domain::token::{Kind, OpaqueToken};
use frontdesk::store::{Store, codes, grants, refresh_families};
use tokio::task::JoinSet;

use crate::support::TestDatabase;

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(super) const DAY: u64 = 86_400;

pub(super) fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// One person `u1` and another `u2`, each with a session (`s1`, `s2`), and two clients `c1`, `c2`.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) database: TestDatabase,
    /// The database as one process sees it, and as another does.
    pub(super) processes: [Store; 2],
}

impl Rows {
    pub(super) async fn open() -> Self {
        let (database, store) = TestDatabase::open().await;
        for (user, session) in [("u1", "s1"), ("u2", "s2")] {
            database
                .run(&format!(
                    "INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, \
                     updated_at, not_before) VALUES ('{user}', 'sub {user}', '{user}', '{user}', FALSE, '{{}}', '', 0, 0, 0)"
                ))
                .await;
            let end = later(7 * DAY).as_seconds();
            database
                .run(&format!(
                    "INSERT INTO sessions (id, cookie_digest, user_id, browser_id, created_at, auth_time, acr, amr, \
                     last_seen_at, idle_expires_at, expires_at, persistent, direct, device, address) VALUES \
                     ('{session}', 'digest', '{user}', 'b', 0, 0, '', '', 0, {end}, {end}, FALSE, FALSE, '', '')"
                ))
                .await;
        }
        for (at, client) in ["c1", "c2"].into_iter().enumerate() {
            database
                .run(&format!(
                    "INSERT INTO clients (client_id, cookie_tag, settings, status_list, status_index, created_at, \
                     updated_at, not_before) VALUES ('{client}', '{client}', '{{}}', 0, {at}, 0, 0, 0)"
                ))
                .await;
        }
        database.run("INSERT INTO refresh_roots (id, sealed, kek_id, created_at) VALUES ('root', '', '', 0)").await;
        let other = database.open_again().await;
        Self { processes: [store, other], database }
    }

    /// The first process.
    pub(super) fn store(&self) -> &Store {
        &self.processes[0]
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.database.number(sql).await
    }

    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        self.database.texts(sql).await
    }

    /// A grant of `u1` in `s1` for `c1`, written.
    pub(super) async fn grant(&self, place: i64) -> Grant {
        let grant = grant(place);
        let own = grant.clone();
        self.store().write(async move |tx| grants::insert(tx, &own, "mac").await).await.unwrap();
        grant
    }

    /// A code of a grant, good for a minute, written.
    pub(super) async fn code(&self, grant: &Grant) -> AuthorizationCode {
        let token = OpaqueToken::mint(Kind::Code);
        let code = AuthorizationCode {
            id: CodeId::new(token.id()),
            digest: token.digest(),
            grant_id: grant.id.clone(),
            client_id: grant.client_id.clone(),
            redirect_uri: "https://app.example/callback".to_owned(),
            nonce: Some("nonce".to_owned()),
            challenge: None,
            state: CodeState::Issued { until: later(60) },
        };
        let own = code.clone();
        self.store().write(async move |tx| codes::insert(tx, &own).await).await.unwrap();
        code
    }

    /// A family of a grant, written.
    pub(super) async fn family(&self, grant: &Grant) -> RefreshFamily {
        let family = family(grant);
        let own = family.clone();
        self.store().write(async move |tx| refresh_families::insert(tx, &own, NOW).await).await.unwrap();
        family
    }
}

/// A grant of `u1` in `s1` for `c1`, not written.
pub(super) fn grant(place: i64) -> Grant {
    Grant {
        id: GrantId::fresh(),
        user_id: UserId::new("u1"),
        client_id: ClientId::new("c1"),
        session_id: SessionId::new("s1"),
        sid: Sid::new("sid"),
        session_linked: true,
        scope: ScopeSet::parse("openid notes:read").unwrap(),
        resources: vec!["https://one.example/".to_owned(), "https://two.example/".to_owned()],
        claims: ClaimsRequest::default(),
        auth_time: NOW,
        acr: "acr".to_owned(),
        amr: "pwd".to_owned(),
        delivery: Delivery::Body,
        status: StatusIndex { list: 1, index: place },
        created_at: NOW,
        expires_at: later(7 * DAY),
        ended_at: None,
    }
}

/// A family of a grant at its beginning, not written.
pub(super) fn family(grant: &Grant) -> RefreshFamily {
    RefreshFamily {
        id: FamilyId::fresh(),
        grant_id: grant.id.clone(),
        client_id: grant.client_id.clone(),
        session_id: grant.session_id.clone(),
        root_id: "root".to_owned(),
        delivery: grant.delivery,
        retry: (Retry::Grace, 10),
        generation: 0,
        rotated_at: NOW,
        expires_at: later(7 * DAY),
        idle_expires_at: later(DAY),
        retries: Retries::default(),
        ended_at: None,
    }
}

/// Runs what `make` gives for each number at once, every other one in the second process.
pub(super) async fn race<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    rows: &Rows,
    how_many: usize,
    make: impl Fn(Store, usize) -> F,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for number in 0..how_many {
        tasks.spawn(make(rows.processes[number % 2].clone(), number));
    }
    tasks.join_all().await
}
