//! A small house for tests: a database, weak hashes, short limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;

use super::Accounts;
use super::passwords::{PasswordPolicy, Passwords};
use super::people::{self, Act, NewPassword};
use super::registration::Registration;
use super::sessions::SessionPolicy;
use super::sign_in::{Outcome, SignIn, SignedIn};
use super::throttle::ThrottlePolicy;
use crate::domain::id::{BrowserId, UserId};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::user::Username;
use crate::keys::vault::Vault;
use crate::store::testing::TestStore;

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const ACT: Act<'static> = Act { actor: "cli", now: NOW };

pub(super) const SESSIONS: SessionPolicy = SessionPolicy {
    idle: Duration::from_secs(8 * 3600),
    keep_signed_in: Duration::from_secs(3 * 86_400),
    absolute: Duration::from_secs(7 * 86_400),
};

pub(super) fn policy() -> PasswordPolicy {
    PasswordPolicy {
        memory_kib: 64,
        iterations: 1,
        parallelism: 1,
        threads: 2,
        queue: 1000,
        min_length: 10,
        max_length: 1024,
    }
}

pub(super) fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[derive(Clone)]
pub(super) struct House {
    pub(super) store: TestStore,
    pub(super) vault: Arc<Vault>,
    pub(super) accounts: Accounts,
}

impl House {
    /// 5 tries for a person and network, 8 for a person, 20 for a network.
    pub(super) async fn open() -> Self {
        let store = TestStore::open().await;
        let vault = Arc::new(Vault::over([7; 32]));
        Self { accounts: accounts(&store, &vault, policy()), store, vault }
    }

    /// The same house under another policy for passwords.
    pub(super) fn with(&self, policy: PasswordPolicy) -> Self {
        Self { accounts: accounts(&self.store, &self.vault, policy), ..self.clone() }
    }

    pub(super) async fn person(&self, name: &str, roles: &[&str]) -> UserId {
        let hash = self.accounts.passwords().hash(secret(PASSWORD)).await.unwrap();
        let (vault, registration) = (self.vault.clone(), registration(name, roles));
        self.store
            .write(async move |tx| {
                let password = NewPassword { hash: &hash, vault: &vault };
                people::register(tx, &registration, Some(password), ACT).await
            })
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn set_password(&self, user: &UserId, password: &str) {
        let hash = self.accounts.passwords().hash(secret(password)).await.unwrap();
        let (vault, user) = (self.vault.clone(), user.clone());
        self.store
            .write(async move |tx| {
                people::set_password(tx, &user, NewPassword { hash: &hash, vault: &vault }, ACT).await
            })
            .await
            .unwrap()
            .unwrap();
    }

    pub(super) async fn browser(&self) -> BrowserId {
        let cookie = self.store.write(async move |tx| super::browsers::open(tx, NOW).await).await.unwrap();
        BrowserId::new(cookie.id())
    }

    pub(super) async fn sign_in(&self, name: &str, password: &str, browser: &BrowserId) -> Outcome {
        self.accounts.sign_in(wish(name, password, browser, "192.0.2.1"), NOW).await.unwrap()
    }

    pub(super) async fn signed_in(&self, name: &str, browser: &BrowserId) -> SignedIn {
        match self.sign_in(name, PASSWORD, browser).await {
            Outcome::SignedIn(signed_in) => *signed_in,
            other => panic!("{other:?}"),
        }
    }

    /// The live session of a cookie value.
    pub(super) async fn session_of(&self, cookie: &str, now: Timestamp) -> Option<crate::domain::session::Session> {
        super::sessions::find(&mut self.store.read().await.unwrap(), cookie, now).await.unwrap()
    }
}

fn accounts(store: &TestStore, vault: &Arc<Vault>, policy: PasswordPolicy) -> Accounts {
    let throttle = ThrottlePolicy {
        per_account_and_network: 5,
        per_account: 8,
        per_network: 20,
        window: Duration::from_secs(900),
    };
    Accounts::new(
        std::ops::Deref::deref(store).clone(),
        vault.clone(),
        Passwords::start(policy).unwrap(),
        throttle,
        SESSIONS,
    )
}

pub(super) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

pub(super) fn registration(name: &str, roles: &[&str]) -> Registration {
    Registration {
        username: Username::parse(name).unwrap(),
        email: Some(format!("{name}@example.com")),
        email_verified: true,
        claims: Map::new(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        password: None,
    }
}

pub(super) fn wish(name: &str, password: &str, browser: &BrowserId, address: &str) -> SignIn {
    SignIn {
        username: name.to_owned(),
        password: secret(password),
        browser: browser.clone(),
        address: address.parse::<IpAddr>().unwrap(),
        device: "Test/1.0".to_owned(),
        keep: false,
        direct: false,
        cookie: None,
        expected_user: None,
    }
}
