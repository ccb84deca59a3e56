//! What an app behind a proxy is given with each request: an access token for it alone, good for a minute at most. So it can call
//! other services of its own in the person's name, and a copy of it is soon worth nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::client::Client;
use crate::domain::grant::Grant;
use crate::domain::id::ClientId;
use crate::domain::scope::ScopeSet;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;
use crate::oauth::audience::Target;
use crate::oauth::error::OAuthError;
use crate::oauth::provider::Provider;
use crate::tokens::access::{AccessClaims, AccessTokenFor, Audience};

/// How long one lives.
const LIFE: Duration = Duration::from_secs(60);
/// For how many seconds the same one is handed out, so that a page with a hundred pictures does not cost a hundred signatures.
const FRESH: u64 = 5;
/// So many are remembered at most.
const MOST: usize = 4_096;

/// The tokens made in the last seconds.
#[derive(Debug, Default)]
pub struct Passes(Mutex<HashMap<String, Pass>>);

/// Its `Debug` shows no token.
struct Pass {
    made_at: Timestamp,
    what: What,
    token: String,
}

/// What a token says, as far as the same visitor may be given another one: where it counts, for what, and its place.
#[derive(Debug, PartialEq, Eq)]
struct What {
    audience: Audience,
    scope: ScopeSet,
    status: StatusIndex,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pass({:?})", self.made_at)
    }
}

/// For whom a token is made.
#[derive(Debug)]
pub(super) struct For<'a> {
    /// What it is remembered under: the visit, or the token that was shown.
    pub(super) key: &'a str,
    /// The client.
    pub(super) client: &'a Client,
    /// The person's grant and `sub`; `None`: the client itself.
    pub(super) person: Option<(&'a Grant, &'a str)>,
    /// When the one who asks has nothing to show any more.
    pub(super) until: Timestamp,
}

impl Passes {
    fn kept(&self) -> MutexGuard<'_, HashMap<String, Pass>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &str, what: &What, now: Timestamp) -> Option<String> {
        let kept = self.kept();
        // A revoked token takes its place in the status lists with it, so what was made before is not handed out any more; nor is
        // one for another app, or for more than may be by now.
        let pass = kept.get(key).filter(|pass| pass.is_fresh(now) && pass.what == *what)?;
        Some(pass.token.clone())
    }

    fn keep(&self, key: &str, pass: Pass) {
        let mut kept = self.kept();
        if kept.len() >= MOST {
            let now = pass.made_at;
            kept.retain(|_, pass| pass.is_fresh(now));
            if kept.len() >= MOST {
                kept.clear();
            }
        }
        kept.insert(key.to_owned(), pass);
    }
}

impl Pass {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.seconds_since(self.made_at) < FRESH
    }
}

/// A token for the app, made in the last seconds or now.
pub(super) fn token(whom: &For<'_>, target: Target, provider: &Provider, now: Timestamp) -> Result<String, OAuthError> {
    let status = whom.person.map_or(whom.client.status, |(grant, _)| grant.status);
    let what = What { audience: target.audience.clone(), scope: target.scope.clone(), status };
    let passes = &provider.gateway.passes;
    if let Some(token) = passes.find(whom.key, &what, now) {
        return Ok(token);
    }
    let alg = target.alg;
    let claims = claims(whom, target, status, &whom.client.id, provider, now);
    let token = provider.issuer.sign_access(alg, &claims, now).map_err(OAuthError::unavailable)?;
    passes.keep(whom.key, Pass { made_at: now, what, token: token.clone() });
    Ok(token)
}

fn claims(
    whom: &For<'_>,
    target: Target,
    status: StatusIndex,
    client: &ClientId,
    provider: &Provider,
    now: Timestamp,
) -> AccessClaims {
    let token = AccessTokenFor {
        issuer: provider.issuer_id(),
        client,
        audience: target.audience,
        scope: &target.scope,
        lifetime: LIFE.min(Duration::from_secs(whom.until.seconds_since(now))),
        status,
    };
    match whom.person {
        Some((grant, subject)) => token.grant(grant, subject, now),
        None => token.client_itself(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_handed_out_again_for_seconds_and_only_where_it_says_the_same() {
        let passes = Passes::default();
        let at = Timestamp::from_seconds;
        let what = |audience: &str, scope, index| What {
            audience: Audience::One(audience.to_owned()),
            scope: ScopeSet::parse(scope).unwrap(),
            status: StatusIndex { list: 1, index },
        };
        let same = what("https://a.example.com", "openid email", 7);
        let pass = |made_at| Pass {
            made_at,
            what: what("https://a.example.com", "openid email", 7),
            token: "token".to_owned(),
        };
        passes.keep("a", pass(at(100)));
        assert_eq!(passes.find("a", &same, at(104)).as_deref(), Some("token"));
        assert_eq!(passes.find("a", &same, at(105)), None);
        assert_eq!(passes.find("b", &same, at(100)), None);
        assert_eq!(passes.find("a", &what("https://a.example.com", "openid email", 8), at(100)), None);
        assert_eq!(passes.find("a", &what("https://a.example.com", "openid", 7), at(100)), None);
        assert_eq!(passes.find("a", &what("https://b.example.com", "openid email", 7), at(100)), None);
        for number in 0..3 * MOST {
            passes.keep(&number.to_string(), pass(at(100)));
        }
        assert!(passes.kept().len() <= MOST);
        assert!(!format!("{passes:?}").contains("token\""));
    }
}
