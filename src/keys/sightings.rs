//! Who fetches the key set, gathered in memory: the answer itself waits for nothing. A job writes it down every few seconds.
//!
//! What is gathered is bounded. Who asks is a stranger, and may say of himself what he likes; whether it counts is decided
//! later, by where the app that he names has authenticated from (`propagation.rs`).

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::id::{ClientId, KeyId};
use crate::domain::time::Timestamp;

/// Askers that are kept between two writings; more are counted only.
const MOST_ASKERS: usize = 2_000;
/// Addresses of apps likewise.
const MOST_ADDRESSES: usize = 2_000;
/// What an asker says of himself is cut off there.
const LONGEST: usize = 128;

/// What the processes have seen since it was last written down.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: Mutex<Seen>,
    hash: RandomState,
}

/// What one who asks says of himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Said<'r> {
    /// Where from.
    pub address: IpAddr,
    /// The query of the address.
    pub query: Option<&'r str>,
    /// The app that the verifier library works for.
    pub app: Option<&'r [u8]>,
    /// `User-Agent`.
    pub agent: Option<&'r [u8]>,
}

/// One who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Where from.
    pub address: IpAddr,
    /// The app that it says it is.
    pub claim: Option<String>,
    /// What the program calls itself: the first word of `User-Agent`.
    pub agent: String,
    /// The set that it was given, or had already.
    pub etag: String,
    /// When it was first seen.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
    /// How often.
    pub times: u32,
}

/// What was gathered.
#[derive(Debug, Default)]
pub struct Seen {
    /// By a hash over everything that tells askers apart. It is keyed, so nobody can make two of them one.
    askers: HashMap<u64, Asker>,
    addresses: HashMap<u64, (ClientId, IpAddr, Timestamp)>,
    /// What stands in the sets that were served: names of keys, parted by blanks.
    sets: HashMap<String, String>,
    /// Answers to askers that found no place.
    pub uncounted: u64,
}

impl Seen {
    /// Those who asked.
    pub fn askers(&self) -> impl Iterator<Item = &Asker> {
        self.askers.values()
    }

    /// Apps that authenticated, and where from.
    pub fn addresses(&self) -> impl Iterator<Item = (&ClientId, IpAddr, Timestamp)> {
        self.addresses.values().map(|(client, address, at)| (client, *address, *at))
    }

    /// What stands in a set that this process served.
    #[must_use]
    pub fn set(&self, etag: &str) -> Option<&str> {
        self.sets.get(etag).map(String::as_str)
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.askers.is_empty() && self.addresses.is_empty() && self.uncounted == 0
    }
}

impl Sightings {
    /// Somebody was given a key set, or had it already.
    pub fn saw(&self, said: Said<'_>, etag: &str, now: Timestamp) {
        let key = self.hash.hash_one((said, etag));
        let mut seen = self.lock();
        if let Some(asker) = seen.askers.get_mut(&key) {
            asker.last_at = now;
            asker.times = asker.times.saturating_add(1);
        } else if seen.askers.len() < MOST_ASKERS {
            let asker = Asker {
                address: said.address,
                claim: said.query.and_then(claimed).or_else(|| said.app.and_then(name)),
                agent: said.agent.and_then(program).unwrap_or_default(),
                etag: etag.to_owned(),
                first_at: now,
                last_at: now,
                times: 1,
            };
            seen.askers.insert(key, asker);
        } else {
            seen.uncounted += 1;
        }
    }

    /// An app has proven who it is.
    pub fn authenticated(&self, client: &ClientId, address: IpAddr, now: Timestamp) {
        let key = self.hash.hash_one((client, address));
        let mut seen = self.lock();
        if let Some(known) = seen.addresses.get_mut(&key) {
            known.2 = now;
        } else if seen.addresses.len() < MOST_ADDRESSES {
            seen.addresses.insert(key, (client.clone(), address, now));
        }
    }

    /// A key set begins to be served.
    pub fn serves<'k>(&self, etag: &str, kids: impl Iterator<Item = &'k KeyId>) {
        let kids = kids.map(KeyId::as_str).collect::<Vec<_>>().join(" ");
        self.lock().sets.insert(etag.to_owned(), kids);
    }

    /// Hands out what was gathered, and begins anew.
    #[must_use]
    pub fn take(&self) -> Seen {
        let mut seen = self.lock();
        // A set that was served is asked for again.
        let sets = seen.sets.clone();
        std::mem::replace(&mut *seen, Seen { sets, ..Seen::default() })
    }

    /// A panic in between has left nothing half done that would matter.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of `app` in a query.
fn claimed(query: &str) -> Option<String> {
    let (_, value) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "app")?;
    name(value.as_bytes())
}

/// A client id: printable ASCII (RFC 6749 appendix A.1).
fn name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let fits = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    fits.then(|| text.to_owned())
}

/// The first word of `User-Agent`.
fn program(bytes: &[u8]) -> Option<String> {
    let word = bytes.split(|byte| *byte == b' ').next()?;
    name(word.get(..word.len().min(LONGEST))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn said<'r>(query: Option<&'r str>, app: Option<&'r str>, agent: Option<&'r str>) -> Said<'r> {
        Said { address: HERE, query, app: app.map(str::as_bytes), agent: agent.map(str::as_bytes) }
    }

    #[test]
    fn one_asker_is_one_however_often_he_asks() {
        let sightings = Sightings::default();
        for second in 1..=5 {
            sightings.saw(said(Some("app=shop%20one&x=1"), None, Some("curl/8.0 (Linux)")), "\"a\"", at(second));
        }
        sightings.saw(said(None, Some("api"), None), "\"a\"", at(6));
        sightings.saw(said(Some("app=shop%20one&x=1"), None, Some("curl/8.0 (Linux)")), "\"b\"", at(7));
        let seen = sightings.take();
        let mut askers: Vec<_> = seen.askers().cloned().collect();
        askers.sort_by_key(|asker| asker.last_at);
        let first = Asker {
            address: HERE,
            claim: Some("shop one".to_owned()),
            agent: "curl/8.0".to_owned(),
            etag: "\"a\"".to_owned(),
            first_at: at(1),
            last_at: at(5),
            times: 5,
        };
        assert_eq!(askers[0], first);
        assert_eq!((askers[1].claim.as_deref(), askers[1].agent.as_str()), (Some("api"), ""));
        assert_eq!((askers[2].etag.as_str(), askers[2].times), ("\"b\"", 1));
        assert!(sightings.take().is_empty(), "taken is taken");
    }

    #[test]
    fn what_strangers_say_is_bounded() {
        let sightings = Sightings::default();
        for number in 0..=MOST_ASKERS {
            sightings.saw(said(Some(&format!("app=n{number}")), None, None), "\"a\"", at(1));
        }
        let long = "x".repeat(9_000);
        let seen = sightings.take();
        assert_eq!((seen.askers().count(), seen.uncounted), (MOST_ASKERS, 1));
        for query in ["app=", "app=%00", "app=%ff", "other=1", "", &format!("app={long}")] {
            sightings.saw(said(Some(query), None, Some(&long)), "\"a\"", at(1));
        }
        for asker in sightings.take().askers() {
            assert_eq!((asker.claim.as_deref(), asker.agent.len()), (None, LONGEST));
        }
    }

    #[test]
    fn apps_are_known_by_where_they_authenticate() {
        let sightings = Sightings::default();
        sightings.authenticated(&ClientId::new("shop"), HERE, at(1));
        sightings.authenticated(&ClientId::new("shop"), HERE, at(2));
        let seen = sightings.take();
        assert_eq!(seen.addresses().collect::<Vec<_>>(), [(&ClientId::new("shop"), HERE, at(2))]);
    }
}
