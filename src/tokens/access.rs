//! Access tokens: the JWT profile of RFC 9068, with our private claim `gid`.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::crypto::{encoding, random};
use crate::domain::grant::Grant;
use crate::domain::id::{ClientId, GrantId};
use crate::domain::scope::ScopeSet;
use crate::domain::status::{StatusClaim, StatusIndex};
use crate::domain::time::Timestamp;

/// By how much the clock of another process of ours may be ahead.
const AHEAD: Duration = Duration::from_secs(10);

/// `aud`: one text where there is one audience, else a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// The claims of an access token.
#[derive(Debug, Clone, Serialize)]
pub struct AccessClaims {
    iss: String,
    sub: String,
    aud: Audience,
    client_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    iat: i64,
    exp: i64,
    jti: String,
    /// The place in the status lists at the token's birth. A token whose place is no longer its grant's was revoked by itself
    /// (RFC 7009) while the grant lives on.
    status: StatusClaim,
    #[serde(flatten)]
    grant: Option<GrantClaims>,
}

impl AccessClaims {
    /// The client that the token is for.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client_id
    }
}

/// What a token of a person's grant says more.
#[derive(Debug, Clone, Serialize)]
struct GrantClaims {
    auth_time: i64,
    acr: String,
    amr: Vec<String>,
    sid: String,
    gid: String,
}

/// What an access token is made from.
#[derive(Debug)]
pub struct AccessTokenFor<'a> {
    /// Our issuer identifier.
    pub issuer: &'a str,
    /// The client.
    pub client: &'a ClientId,
    /// Who checks the token.
    pub audience: Audience,
    /// What it allows there.
    pub scope: &'a ScopeSet,
    /// How long it lives.
    pub lifetime: Duration,
    /// The place of the grant, or of the client itself, in the status lists.
    pub status: StatusIndex,
}

impl AccessTokenFor<'_> {
    /// For a person's grant.
    #[must_use]
    pub fn grant(self, grant: &Grant, subject: &str, now: Timestamp) -> AccessClaims {
        let said = GrantClaims {
            auth_time: grant.auth_time.as_seconds(),
            acr: grant.acr.clone(),
            amr: grant.amr.split_whitespace().map(str::to_owned).collect(),
            sid: grant.sid.as_str().to_owned(),
            gid: grant.id.as_str().to_owned(),
        };
        self.claims(subject.to_owned(), Some(said), now)
    }

    /// For the client itself (RFC 6749 §4.4).
    #[must_use]
    pub fn client_itself(self, now: Timestamp) -> AccessClaims {
        let subject = self.client.as_str().to_owned();
        self.claims(subject, None, now)
    }

    fn claims(self, sub: String, grant: Option<GrantClaims>, now: Timestamp) -> AccessClaims {
        AccessClaims {
            iss: self.issuer.to_owned(),
            sub,
            aud: self.audience,
            client_id: self.client.as_str().to_owned(),
            scope: self.scope.to_string(),
            iat: now.as_seconds(),
            exp: now.plus(self.lifetime).as_seconds(),
            jti: encoding::b64u(random::bytes::<16>()),
            status: self.status.claim(self.issuer),
            grant,
        }
    }
}

/// What we read from an access token of ours whose signature was checked. It is only a pointer: everything else is asked of
/// the rows it points to.
#[derive(Debug, Clone)]
pub struct AccessPointer {
    /// The grant; `None` for a client's own token.
    pub grant: Option<GrantId>,
    /// The client.
    pub client: ClientId,
    /// The subject, to be compared with the rows.
    pub subject: String,
    /// Who checks it.
    pub audience: Vec<String>,
    /// What it says it allows; never more than the grant.
    pub scope: ScopeSet,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its own name.
    pub jti: String,
    /// The place it was born with.
    place: StatusIndex,
}

impl AccessPointer {
    /// Reads checked claims; `None` if a required one is missing, of another type, not ours, or the token's time is over or has
    /// not come.
    #[must_use]
    pub fn read(claims: &Map<String, Value>, issuer: &str, now: Timestamp) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let moment = |name: &str| claims.get(name).and_then(Value::as_i64).map(Timestamp::from_seconds);
        let audience = match claims.get("aud")? {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) if !several.is_empty() => {
                several.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?
            }
            _ => return None,
        };
        let read = Self {
            grant: text("gid").map(GrantId::new),
            client: ClientId::new(text("client_id")?),
            subject: text("sub")?.to_owned(),
            audience,
            scope: ScopeSet::parse(text("scope").unwrap_or_default()).ok()?,
            issued_at: moment("iat")?,
            expires_at: moment("exp")?,
            jti: text("jti")?.to_owned(),
            place: StatusIndex::claimed(claims.get("status")?, issuer)?,
        };
        // We write no `nbf`; one that is there was meant.
        let not_before = if claims.contains_key("nbf") { moment("nbf")? } else { read.issued_at };
        let latest = now.plus(AHEAD);
        let in_time = !read.expires_at.has_passed(now) && read.issued_at <= latest && not_before <= latest;
        (text("iss")? == issuer && in_time).then_some(read)
    }

    /// Whether the token still stands at the place that its grant, or its client, has now.
    #[must_use]
    pub fn stands_at(&self, status: StatusIndex) -> bool {
        self.place == status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn claims() -> AccessClaims {
        AccessTokenFor {
            issuer: "https://id.example.com",
            client: &ClientId::new("backend"),
            audience: Audience::One("https://api.example.com".to_owned()),
            scope: &ScopeSet::parse("notes:read").unwrap(),
            lifetime: Duration::from_secs(900),
            status: StatusIndex { list: 1, index: 7 },
        }
        .client_itself(NOW)
    }

    #[test]
    fn rfc9068_2_2_required_claims_are_there() {
        let Value::Object(json) = serde_json::to_value(claims()).unwrap() else { panic!("an object") };
        let mut names: Vec<_> = json.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "status", "sub"]);
        assert_eq!(json["sub"], "backend");
        assert_eq!(json["exp"].as_i64().unwrap() - json["iat"].as_i64().unwrap(), 900);
    }

    #[test]
    fn a_pointer_needs_every_claim_and_ends_in_time() {
        let Value::Object(json) = serde_json::to_value(claims()).unwrap() else { panic!("an object") };
        let read = |json: &Map<String, Value>, now| AccessPointer::read(json, "https://id.example.com", now);
        assert_eq!(read(&json, NOW).unwrap().audience, ["https://api.example.com"]);
        assert!(read(&json, Timestamp::from_seconds(1_899)).is_some());
        assert!(read(&json, Timestamp::from_seconds(1_900)).is_none());
        assert!(read(&json, Timestamp::from_seconds(990)).is_some());
        assert!(read(&json, Timestamp::from_seconds(989)).is_none(), "made in the future");
        assert!(AccessPointer::read(&json, "https://other.example.com", NOW).is_none());
        assert!(read(&json, NOW).unwrap().stands_at(StatusIndex { list: 1, index: 7 }));
        assert!(!read(&json, NOW).unwrap().stands_at(StatusIndex { list: 1, index: 8 }));
        let mut nobody = json.clone();
        nobody.insert("aud".to_owned(), Value::Array(Vec::new()));
        assert!(read(&nobody, NOW).is_none(), "for nobody");
        for name in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "status"] {
            let mut less = json.clone();
            less.remove(name);
            assert!(read(&less, NOW).is_none(), "without {name}");
            less.insert(name.to_owned(), Value::Bool(true));
            assert!(read(&less, NOW).is_none(), "{name} of another type");
        }
    }
}
