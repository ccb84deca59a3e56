//! How often a password may be tried. A try takes permits in the database before anything is hashed, and gives them back if
//! it was right; so the limits hold exactly, whatever runs side by side in whatever processes.
//!
//! From a browser where the person has signed in before, only the tries at that browser count: nobody else can use them up,
//! so nobody can lock the person out there. From elsewhere buckets count for what was typed, from this network and from
//! anywhere, and for anyone from this network.
//!
//! A person has two names, the user name and the e-mail address. If both led to one bucket, a guesser could see by it that the
//! two belong together, and that somebody has them; so what is refused depends on the text alone, whether it is anybody's name
//! or not. But two names shall not give two budgets. So the person has buckets, too, which say nothing: once they are empty a
//! try goes on as any other, hashed and all, and is wrong whatever the password is. Text that is nobody's name has such
//! buckets for nothing, since taking a permit takes time.

use std::net::IpAddr;
use std::time::Duration;

use crate::crypto::encoding::b64u;
use crate::crypto::mac::Framed;
use crate::domain::id::{BrowserId, UserId};
use crate::domain::time::Timestamp;
use crate::keys::macs::{Macs, Purpose};
use crate::keys::vault::Vault;
use crate::store::{StoreError, Tx, attempts};

/// How many wrong tries are allowed within the window.
#[derive(Debug, Clone, Copy)]
pub struct ThrottlePolicy {
    /// For one person from one network, and for one person at a browser known to them.
    pub per_account_and_network: u32,
    /// For one person from everywhere.
    pub per_account: u32,
    /// From one network for all people.
    pub per_network: u32,
    /// The time in which they are counted. It begins with the first try.
    pub window: Duration,
}

/// Whom a try is for.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What was typed to say so; `None` where the session says it.
    pub typed: Option<&'a str>,
    /// Whom that means.
    pub account: Account<'a>,
}

/// A person, or none.
#[derive(Debug, Clone, Copy)]
pub enum Account<'a> {
    /// A person.
    Person(&'a UserId),
    /// What was typed is nobody's name.
    Nobody,
}

/// Where a try comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// A browser where this person has signed in before.
    KnownBrowser(&'a BrowserId),
    /// Elsewhere.
    Network(IpAddr),
}

/// Permits that were taken for one try. Dropping them leaves the try counted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Permits(Vec<(String, Timestamp)>);

/// The answer to a try.
#[derive(Debug)]
pub enum Admission {
    /// It may be made.
    Admitted {
        /// To be given back if it was right, or not made.
        permits: Permits,
        /// Whether it used up a bucket: the next one will be refused.
        last: bool,
        /// Whether the person's own buckets were empty: the try is wrong whatever the password is, and must not show why.
        barred: bool,
    },
    /// There were too many.
    Refused {
        /// When the next may be made, in seconds from now.
        retry_after_seconds: u64,
    },
}

/// The throttle. Its buckets are HMACs: the table tells neither names nor addresses.
#[derive(Debug, Clone)]
pub struct Throttle {
    key: Macs,
    policy: ThrottlePolicy,
}

impl Throttle {
    /// A throttle whose buckets are named under the MAC root.
    #[must_use]
    pub fn new(vault: &Vault, policy: ThrottlePolicy) -> Self {
        Self { key: vault.macs(Purpose::Throttle), policy }
    }

    /// Takes permits for one try. To be kept although it is refused: the refusal itself writes nothing.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn admit(
        &self,
        tx: &mut Tx,
        claim: Claim<'_>,
        origin: Origin<'_>,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        let (mut permits, mut own) = (Permits(Vec::new()), Permits(Vec::new()));
        let (mut last, mut barred) = (false, false);
        for Bucket { name, limit, silent } in self.buckets(claim, origin) {
            match attempts::take(tx, &name, limit, now, now.plus(self.policy.window)).await? {
                Some(taken) => {
                    last |= taken.number >= i64::from(limit);
                    let kept = if silent { &mut own } else { &mut permits };
                    kept.0.push((name, taken.until));
                }
                None if silent => barred = true,
                None => {
                    let until = attempts::until(tx, &name).await?.unwrap_or(now);
                    permits.refund(tx).await?;
                    own.refund(tx).await?;
                    return Ok(Admission::Refused { retry_after_seconds: until.seconds_since(now).max(1) });
                }
            }
        }
        if barred {
            own.refund(tx).await?;
        } else {
            permits.0.append(&mut own.0);
            // They are given back in the order in which all are taken.
            permits.0.sort();
        }
        Ok(Admission::Admitted { permits, last, barred })
    }

    /// The buckets of a try and how much each holds, in an order that all tries share: then none waits for another in a ring.
    fn buckets(&self, claim: Claim<'_>, origin: Origin<'_>) -> Vec<Bucket> {
        let policy = self.policy;
        let typed = claim.typed.map(|typed| typed.trim().to_lowercase());
        let (kind, id) = match claim.account {
            Account::Person(id) => ("person", id.as_str().to_owned()),
            Account::Nobody => ("nobody", typed.clone().unwrap_or_default()),
        };
        let bucket = |fields: &[&str], limit: u32, silent: bool| Bucket {
            name: b64u(self.key.sign(&[Framed::of(fields).as_bytes()])),
            limit,
            silent,
        };
        let mut buckets = match origin {
            Origin::KnownBrowser(browser) => {
                vec![bucket(&["browser", kind, &id, browser.as_str()], policy.per_account_and_network, false)]
            }
            Origin::Network(address) => {
                let network = network(address);
                let of = |kind: &str, name: &str, silent: bool| {
                    [
                        bucket(&["account and network", kind, name, &network], policy.per_account_and_network, silent),
                        bucket(&["account", kind, name], policy.per_account, silent),
                    ]
                };
                let mut buckets = vec![bucket(&["network", &network], policy.per_network, false)];
                if let Some(typed) = &typed {
                    buckets.extend(of("typed", typed, false));
                }
                buckets.extend(of(kind, &id, typed.is_some()));
                buckets
            }
        };
        buckets.sort_by(|left, right| left.name.cmp(&right.name));
        buckets
    }
}

/// What permits are taken from.
struct Bucket {
    name: String,
    limit: u32,
    /// Whether nobody may learn that it is empty.
    silent: bool,
}

impl Permits {
    /// Gives them back.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn refund(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for (bucket, until) in &self.0 {
            attempts::refund(tx, bucket, *until).await?;
        }
        Ok(())
    }
}

/// The network an address belongs to, as far as one customer of an access provider reaches: /24, or /56 in IPv6.
#[must_use]
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & (u128::MAX << 72);
            format!("{}/56", std::net::Ipv6Addr::from(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn throttle(per_account_and_network: u32, per_account: u32, per_network: u32) -> Throttle {
        let window = Duration::from_secs(900);
        Throttle::new(
            &Vault::over([1; 32]),
            ThrottlePolicy { per_account_and_network, per_account, per_network, window },
        )
    }

    fn nobody(typed: &str) -> Claim<'_> {
        Claim { typed: Some(typed), account: Account::Nobody }
    }

    async fn admitted(store: &TestStore, throttle: &Throttle, name: &str, address: &str, now: Timestamp) -> bool {
        let (throttle, name, address) = (throttle.clone(), name.to_owned(), address.parse().unwrap());
        let admission = store
            .write(async move |tx| throttle.admit(tx, nobody(&name), Origin::Network(address), now).await)
            .await
            .unwrap();
        matches!(admission, Admission::Admitted { .. })
    }

    #[test]
    fn networks_are_cut_where_a_customer_ends() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"),
        ] {
            assert_eq!(network(address.parse().unwrap()), expected);
        }
    }

    #[tokio::test]
    async fn exactly_as_many_of_a_hundred_parallel_tries_as_allowed_are_admitted() {
        let store = TestStore::open().await;
        let throttle = throttle(7, 1000, 1000);
        let tries = (0..100).map(|_| {
            let (store, throttle) = (store.clone(), throttle.clone());
            async move { admitted(&store, &throttle, "Alice", "192.0.2.1", NOW).await }
        });
        assert_eq!(crate::store::testing::all_at_once(tries).await.into_iter().filter(|admitted| *admitted).count(), 7);
    }

    #[tokio::test]
    async fn parallel_tries_of_many_names_share_what_a_network_has() {
        let store = TestStore::open().await;
        let throttle = throttle(10, 50, 9);
        let tries = (0..40).map(|number| {
            let (store, throttle) = (store.clone(), throttle.clone());
            async move { admitted(&store, &throttle, &format!("name {number}"), "192.0.2.1", NOW).await }
        });
        assert_eq!(crate::store::testing::all_at_once(tries).await.into_iter().filter(|admitted| *admitted).count(), 9);
        assert!(admitted(&store, &throttle, "alice", "192.0.3.1", NOW).await);
    }

    #[tokio::test]
    async fn one_account_is_limited_over_many_networks_and_a_refusal_uses_up_nothing_else() {
        let store = TestStore::open().await;
        let throttle = throttle(10, 3, 4);
        for network in 0..3 {
            assert!(admitted(&store, &throttle, "alice", &format!("192.0.{network}.1"), NOW).await);
        }
        for _ in 0..5 {
            assert!(!admitted(&store, &throttle, "alice", "192.0.9.1", NOW).await);
        }
        for name in ["bob", "carol", "dave", "erin"] {
            assert!(admitted(&store, &throttle, name, "192.0.9.1", NOW).await, "{name}");
        }
        assert!(!admitted(&store, &throttle, "frank", "192.0.9.1", NOW).await);
    }

    #[tokio::test]
    async fn a_window_ends_and_an_old_refund_does_not_reach_the_next() {
        let store = TestStore::open().await;
        let throttle = throttle(2, 10, 10);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let first = {
            let throttle = throttle.clone();
            store
                .write(async move |tx| throttle.admit(tx, nobody("alice"), Origin::Network(address), NOW).await)
                .await
                .unwrap()
        };
        let Admission::Admitted { permits, last: false, barred: false } = first else { panic!("{first:?}") };
        assert!(admitted(&store, &throttle, "alice", "192.0.2.1", NOW).await);
        assert!(!admitted(&store, &throttle, "ALICE", "192.0.2.200", NOW.plus(Duration::from_secs(899))).await);
        let later = NOW.plus(Duration::from_secs(900));
        assert!(admitted(&store, &throttle, "alice", "192.0.2.1", later).await);
        store.write(async move |tx| permits.refund(tx).await).await.unwrap();
        assert!(admitted(&store, &throttle, "alice", "192.0.2.1", later).await);
        assert!(!admitted(&store, &throttle, "alice", "192.0.2.1", later).await);
    }
}
