//! Proving who one is by a password: permits first, then the comparison outside any transaction. The same work, the same
//! rows written and the same answer for names that belong to nobody, for disabled people and for wrong passwords.

use std::net::IpAddr;

use serde_json::json;

use super::passwords::{PasswordError, PhcHash};
use super::throttle::{Account, Admission, Claim, Origin, Permits, network};
use super::{Accounts, AccountsError, sealed_hash};
use crate::crypto::encoding::b64u;
use crate::crypto::mac::Framed;
use crate::domain::id::{BrowserId, UserId};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::user::{User, Username, is_email};
use crate::store::audit::{self, Event};
use crate::store::passwords::StoredPassword;
use crate::store::{Db, StoreError, Tx, browsers, passwords, users};

/// Who is said to be there.
#[derive(Debug, Clone)]
pub(super) enum Claimed {
    /// By what was typed: a user name or a verified e-mail address.
    Name(String),
    /// By a session.
    Person(UserId),
}

/// A try to prove who one is.
#[derive(Debug)]
pub(super) struct Try {
    pub(super) claimed: Claimed,
    pub(super) password: Secret,
    pub(super) browser: BrowserId,
    pub(super) address: IpAddr,
}

/// A password that was right.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) user: User,
    /// The row it was compared with; what follows must find it unchanged.
    pub(super) stored: StoredPassword,
    pub(super) stronger: Option<PhcHash>,
    /// To be given back in the unit of what follows.
    pub(super) permits: Permits,
    pub(super) origin: AuditedOrigin,
}

/// Why nothing was proved.
#[derive(Debug)]
pub(super) enum Refused {
    Wrong,
    Throttled { retry_after_seconds: u64 },
    Busy,
    TooLong,
}

/// Where a try came from, as the audit says it.
#[derive(Debug, Clone)]
pub(super) struct AuditedOrigin {
    browser: BrowserId,
    network: String,
}

impl AuditedOrigin {
    pub(super) fn data(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut data = serde_json::Map::new();
        data.insert("browser".to_owned(), self.browser.as_str().into());
        data.insert("network".to_owned(), self.network.as_str().into());
        data
    }
}

/// What the first unit found.
struct Candidate {
    user: Option<User>,
    stored: Option<StoredPassword>,
    admission: Admission,
}

impl Accounts {
    pub(super) async fn prove(&self, attempt: Try, now: Timestamp) -> Result<Result<Proof, Refused>, AccountsError> {
        let Try { claimed, password, browser, address } = attempt;
        if password.expose().chars().count() > self.0.passwords.policy().max_length {
            return Ok(Err(Refused::TooLong));
        }
        let origin = AuditedOrigin { browser: browser.clone(), network: self.commitment("network", &network(address)) };
        let name = match &claimed {
            Claimed::Name(typed) => self.commitment("name", &typed.to_lowercase()),
            Claimed::Person(id) => id.as_str().to_owned(),
        };
        let candidate = {
            let (accounts, origin, name) = (self.clone(), origin.clone(), name.clone());
            let work =
                async move |tx: &mut Tx| accounts.admit(tx, &claimed, (&browser, address), (&name, &origin), now).await;
            self.0.store.write(work).await?
        };
        let (permits, barred) = match candidate.admission {
            Admission::Admitted { permits, barred, .. } => (permits, barred),
            Admission::Refused { retry_after_seconds } => return Ok(Err(Refused::Throttled { retry_after_seconds })),
        };
        let verdict = match self.compare(candidate.user.as_ref(), candidate.stored.as_ref(), password).await {
            Ok(verdict) => verdict,
            Err(fault) => {
                // Nothing was told about the password, so nothing is counted.
                self.0.store.write(async move |tx| permits.refund(tx).await).await?;
                return match fault {
                    AccountsError::Passwords(PasswordError::Busy) => Ok(Err(Refused::Busy)),
                    fault => Err(fault),
                };
            }
        };
        match (candidate.user, candidate.stored) {
            (Some(user), Some(stored)) if verdict.matches && user.is_active() && !barred => {
                Ok(Ok(Proof { user, stored, stronger: verdict.stronger, permits, origin }))
            }
            (user, _) => {
                let subject = user.map_or(name, |user| user.id.as_str().to_owned());
                self.note_refusal(subject, origin, now).await?;
                Ok(Err(Refused::Wrong))
            }
        }
    }

    /// Records that a password was not right.
    pub(super) async fn note_refusal(
        &self,
        subject: String,
        origin: AuditedOrigin,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let work = async move |tx: &mut Tx| {
            let data = origin.data().into();
            audit::record(tx, &Event { actor: "system", action: "sign_in.refused", subject: &subject, data }, now).await
        };
        self.0.store.write(work).await
    }

    /// Finds whom the name belongs to and takes permits.
    async fn admit(
        &self,
        tx: &mut Tx,
        claimed: &Claimed,
        (browser, address): (&BrowserId, IpAddr),
        (name, origin): (&str, &AuditedOrigin),
        now: Timestamp,
    ) -> Result<Candidate, StoreError> {
        let user = resolve(tx, claimed).await?;
        let known = match &user {
            Some(user) => browsers::is_known(tx, browser, &user.id).await?,
            None => false,
        };
        let claim = match (&user, claimed) {
            (Some(user), Claimed::Name(typed)) => Claim { typed: Some(typed), account: Account::Person(&user.id) },
            (None, Claimed::Name(typed)) => Claim { typed: Some(typed), account: Account::Nobody },
            (_, Claimed::Person(id)) => Claim { typed: None, account: Account::Person(id) },
        };
        let from = if known { Origin::KnownBrowser(browser) } else { Origin::Network(address) };
        let admission = self.0.throttle.admit(tx, claim, from, now).await?;
        if let Admission::Admitted { last: true, .. } = &admission {
            // Once for each window: from here on tries are refused and leave no rows.
            let subject = user.as_ref().map_or(name, |user| user.id.as_str());
            let mut data = origin.data();
            data.insert("known_browser".to_owned(), json!(known));
            let event = Event { actor: "system", action: "sign_in.limit", subject, data: data.into() };
            audit::record(tx, &event, now).await?;
        }
        let stored = match (&user, &admission) {
            (Some(user), Admission::Admitted { .. }) => passwords::find(tx, &user.id).await?,
            _ => None,
        };
        Ok(Candidate { user, stored, admission })
    }

    async fn compare(
        &self,
        user: Option<&User>,
        stored: Option<&StoredPassword>,
        password: Secret,
    ) -> Result<super::passwords::Verdict, AccountsError> {
        let hash = match (user, stored) {
            (Some(user), Some(stored)) => Some(sealed_hash::open(&self.0.vault, &user.id, stored)?),
            _ => None,
        };
        Ok(self.0.passwords.verify(hash, password).await?)
    }

    /// A value as the audit holds it: told apart from others, and not to be read. People type passwords into the name field.
    fn commitment(&self, kind: &str, value: &str) -> String {
        let mac = self.0.commitments.sign(&[Framed::of(&["sign-in", kind, value]).as_bytes()]);
        format!("{kind}:{}", b64u(mac).chars().take(22).collect::<String>())
    }
}

/// The person by user name, else by verified e-mail address.
async fn resolve(db: &mut Db, claimed: &Claimed) -> Result<Option<User>, StoreError> {
    let typed = match claimed {
        Claimed::Person(id) => return users::find(db, id).await,
        Claimed::Name(typed) => typed.trim(),
    };
    // What can be no name is not looked for: PostgreSQL would refuse a NUL.
    if let Ok(name) = Username::parse(typed)
        && let Some(user) = users::by_username_key(db, &name.key()).await?
    {
        return Ok(Some(user));
    }
    if !is_email(typed) {
        return Ok(None);
    }
    Ok(users::by_email_key(db, &users::email_key(typed)).await?.filter(|user| user.email_verified))
}
