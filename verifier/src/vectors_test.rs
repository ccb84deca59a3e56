//! The test vectors in `vectors/`, which verifiers in other languages run too.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use crate::claims::Expected;
use crate::fetch::{Document, FetchError, FetchFuture};
use crate::jwks::KeySet;
use crate::status::StatusList;
use crate::testing::lst;
use crate::token::{Kind, SignedToken};
use crate::{Algorithm, Clock, Fetch, StatusPolicy, Verifier, VerifyError};

#[derive(Deserialize)]
struct Vectors<C> {
    issuer: String,
    audience: String,
    now: u64,
    leeway: u64,
    algorithms: Vec<String>,
    jwks: Value,
    #[serde(default)]
    encodings: Vec<Encoding>,
    cases: Vec<C>,
}

#[derive(Deserialize)]
struct TokenCase {
    name: String,
    token: String,
    valid: bool,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct ListCase {
    name: String,
    uri: String,
    token: String,
    valid: bool,
    #[serde(default)]
    invalid: Vec<u64>,
    size: Option<u64>,
    inflated_sha256: Option<String>,
}

/// A list as the draft prints it, its first places at least.
#[derive(Deserialize)]
struct Encoding {
    name: String,
    bits: u8,
    lst: String,
    size: u64,
    statuses: Vec<(u64, u8)>,
}

#[derive(Deserialize)]
struct StatusCase {
    name: String,
    policy: String,
    token: String,
    lists: BTreeMap<String, Option<String>>,
    accept: bool,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct KeySetCase {
    name: String,
    body: String,
    valid: bool,
    #[serde(default)]
    usable: BTreeMap<String, String>,
}

fn read<C: DeserializeOwned>(text: &str) -> Vectors<C> {
    let vectors: Vectors<C> = serde_json::from_str(text).unwrap();
    assert!(vectors.cases.len() > 20);
    vectors
}

/// Stands at one second.
struct Still(u64);

impl Clock for Still {
    fn unix_time(&self) -> u64 {
        self.0
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// The issuer of the vectors.
struct Served(BTreeMap<String, String>);

impl Fetch for Served {
    fn get<'f>(&'f self, url: &'f Url, _: usize) -> FetchFuture<'f> {
        let answer = self.0.get(url.as_str()).map(|body| Document::new(200, body.as_str()));
        Box::pin(async { answer.ok_or_else(|| FetchError::new("no such document")) })
    }
}

impl<C> Vectors<C> {
    fn algorithms(&self) -> Vec<Algorithm> {
        self.algorithms.iter().map(|name| Algorithm::from_name(name).unwrap()).collect()
    }

    /// A new verifier that has fetched the keys.
    async fn verifier(&self, policy: StatusPolicy, lists: &BTreeMap<String, Option<String>>) -> Verifier {
        let jwks_uri = format!("{}/jwks.json", self.issuer);
        let discovery = json!({"issuer": self.issuer, "jwks_uri": jwks_uri});
        let mut served = BTreeMap::from([
            (format!("{}/.well-known/openid-configuration", self.issuer), discovery.to_string()),
            (jwks_uri, self.jwks.to_string()),
        ]);
        served.extend(lists.iter().filter_map(|(uri, list)| Some((uri.clone(), list.clone()?))));
        let verifier = Verifier::builder(&self.issuer)
            .audience(&self.audience)
            .algorithms(self.algorithms())
            .leeway(Duration::from_secs(self.leeway))
            .status_policy(policy)
            .clock(Still(self.now))
            .fetch(Served(served))
            .build()
            .unwrap();
        verifier.warm_up().await.unwrap();
        verifier
    }
}

#[tokio::test]
async fn access_tokens() {
    let vectors: Vectors<TokenCase> = read(include_str!("../vectors/access-tokens.json"));
    let verifier = vectors.verifier(StatusPolicy::IfPresent, &BTreeMap::new()).await;
    for case in &vectors.cases {
        let reason = verifier.verify(&case.token).await.err().map(|error| error.reason());
        assert_eq!((reason.is_none(), reason), (case.valid, case.reason.as_deref()), "{}", case.name);
    }
}

#[test]
fn key_sets() {
    let vectors: Vectors<KeySetCase> = read(include_str!("../vectors/key-sets.json"));
    for case in &vectors.cases {
        let set = KeySet::parse(case.body.as_bytes());
        assert_eq!(set.is_ok(), case.valid, "{}: {:?}", case.name, set.err());
        let Ok(set) = set else { continue };
        assert_eq!(set.len(), case.usable.len(), "{}", case.name);
        for (kid, alg) in &case.usable {
            assert_eq!(set.get(kid).map(|key| key.algorithm().name()), Some(alg.as_str()), "{}", case.name);
        }
    }
}

#[test]
fn status_lists() {
    let vectors: Vectors<ListCase> = read(include_str!("../vectors/status-lists.json"));
    let keys = KeySet::parse(vectors.jwks.to_string().as_bytes()).unwrap();
    let expected = Expected { issuer: &vectors.issuer, audiences: &[], leeway: vectors.leeway, now: vectors.now };
    let believe = |case: &ListCase| {
        let token = SignedToken::parse(&case.token, Kind::STATUS_LIST, &vectors.algorithms()).ok()?;
        keys.get(&token.kid).filter(|key| key.algorithm() == token.algorithm && key.signed(&token))?;
        StatusList::read(&token.payload, &case.uri, &token.kid, &expected).ok()
    };
    for case in &vectors.cases {
        let list = believe(case);
        assert_eq!(list.is_some(), case.valid, "{}", case.name);
        let Some(list) = list else { continue };
        let (bits, bytes) = list.bytes();
        assert_eq!(Some(bytes.len() as u64 * 8 / u64::from(bits)), case.size, "{}", case.name);
        let sum: String = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Some(sum), case.inflated_sha256, "{}", case.name);
        for place in &case.invalid {
            assert!(list.get(*place).is_some_and(|status| status != 0), "{}: {place}", case.name);
        }
        assert_eq!(list.get(case.size.unwrap()), None, "{}", case.name);
    }
}

/// What the draft prints, in its section 4 and its appendix C.
#[test]
fn encodings_of_the_draft() {
    let vectors: Vectors<ListCase> = read(include_str!("../vectors/status-lists.json"));
    assert!(vectors.encodings.len() >= 6);
    let expected = Expected { issuer: &vectors.issuer, audiences: &[], leeway: 0, now: vectors.now };
    for Encoding { name, bits, lst: text, size, statuses } in &vectors.encodings {
        let claims = json!({
            "iss": vectors.issuer, "sub": "uri", "iat": vectors.now, "exp": vectors.now + 300, "frontdesk_version": 1,
            "status_list": {"bits": bits, "lst": text},
        });
        let list = StatusList::read(claims.to_string().as_bytes(), "uri", "kid", &expected).unwrap();
        assert_eq!(list.get(*size), None, "{name}");
        let set: Vec<_> = (0..*size).map(|place| (place, list.get(place).unwrap())).filter(|it| it.1 != 0).collect();
        let mut sorted: Vec<_> = statuses.iter().copied().filter(|it| it.1 != 0).collect();
        sorted.sort_unstable();
        assert_eq!(set, sorted, "{name}");
    }
    assert_eq!(lst(&[0xb9, 0xa3]), vectors.encodings[0].lst, "written by us it looks the same");
}

#[tokio::test]
async fn status_checks() {
    let vectors: Vectors<StatusCase> = read(include_str!("../vectors/status-checks.json"));
    for case in &vectors.cases {
        let policy = match case.policy.as_str() {
            "off" => StatusPolicy::Off,
            "if_present" => StatusPolicy::IfPresent,
            "required" => StatusPolicy::Required,
            other => panic!("{other}"),
        };
        let verifier = vectors.verifier(policy, &case.lists).await;
        let verdict = verifier.verify(&case.token).await;
        // The vectors have one word where our log is more exact.
        let reason = verdict.err().map(|error| match error {
            VerifyError::Unavailable { .. } => "unavailable",
            error if error.reason() == "status_index" => "status",
            error => error.reason(),
        });
        assert_eq!((reason.is_none(), reason), (case.accept, case.reason.as_deref()), "{}", case.name);
    }
}
