//! From proof to client (RFC 6749 §2.3, OIDC Core §9). Exactly one proof, by the registered method.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::error::OAuthError;
use super::params::Params;
use super::provider::Provider;
use crate::crypto::encoding;
use crate::crypto::mac::MacKey;
use crate::domain::client::{AuthMethod, Client};
use crate::domain::id::ClientId;
use crate::domain::refresh_family::Bound;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::keys::macs::Macs;
use crate::store::audit::{self, Event};
use crate::store::{Store, StoreError, clients};

/// A client that identified itself, and proved it if it can.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    /// The client.
    pub client: Arc<Client>,
    /// The proof that it authenticated; `None` for public clients.
    pub bound: Option<Bound>,
}

/// What a request brings to show who its client is.
#[derive(Debug)]
pub struct Presented {
    id: String,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    None,
    Basic(Secret),
    Post(Secret),
}

impl Presented {
    /// Reads the `Authorization` header and the form.
    ///
    /// # Errors
    /// `invalid_request` if there are two proofs, `invalid_client` if there is none or it cannot be read.
    pub fn read(authorization: Option<&str>, params: &Params) -> Result<Self, OAuthError> {
        let posted = params.get("client_secret");
        let asserted = params.has("client_assertion") || params.has("client_assertion_type");
        if [authorization.is_some(), posted.is_some(), asserted].into_iter().filter(|used| *used).count() > 1 {
            return Err(OAuthError::invalid_request("the client proved itself in two ways, use one"));
        }
        if asserted {
            // Not a method of ours yet, so it proves nothing.
            return Err(OAuthError::invalid_client());
        }
        match (authorization, posted) {
            (Some(header), _) => {
                let (id, secret) = basic(header).ok_or_else(OAuthError::invalid_client)?;
                if params.get("client_id").is_some_and(|posted| posted != id) {
                    return Err(OAuthError::invalid_request(
                        "client_id differs from the name in the Authorization header",
                    ));
                }
                Ok(Self { id, proof: Proof::Basic(secret) })
            }
            (None, posted) => {
                let id = params.get("client_id").ok_or_else(OAuthError::invalid_client)?.to_owned();
                let proof = posted.map_or(Proof::None, |secret| Proof::Post(Secret::new(secret.to_owned())));
                Ok(Self { id, proof })
            }
        }
    }

    /// The name it gave.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.id
    }

    /// Checks the proof against the client of that name, if there is one. A good secret whose MAC was made under an ended MAC
    /// root is MACed anew.
    ///
    /// # Errors
    /// `invalid_client` with one hint for all causes.
    pub async fn authenticate(
        self,
        found: Option<Arc<Client>>,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let Some(client) = found else {
            // The same work as for a known client, so that the answer's time does not tell them apart.
            if let Proof::Basic(secret) | Proof::Post(secret) = &self.proof {
                drop(provider.secret_keys.each(|key| secret_mac(key, secret.expose())));
            }
            return Err(OAuthError::invalid_client());
        };
        let (caller, outdated) = self.prove(client, &provider.secret_keys)?;
        if let Some(outdated) = outdated
            && let Err(error) = outdated.replace(&provider.store, &caller.client.id, now).await
        {
            // The secret is good all the same, and will be MACed anew another time.
            tracing::warn!(client = caller.client.id.as_str(), %error, "a client secret could not be MACed anew");
        }
        Ok(caller)
    }

    fn prove(self, client: Arc<Client>, keys: &Macs) -> Result<(AuthenticatedClient, Option<OutdatedMac>), OAuthError> {
        let secret = match (client.settings.token_endpoint_auth_method, self.proof) {
            (AuthMethod::None, Proof::None) => return Ok((AuthenticatedClient { client, bound: None }, None)),
            (AuthMethod::ClientSecretBasic, Proof::Basic(secret))
            | (AuthMethod::ClientSecretPost, Proof::Post(secret)) => secret,
            _ => return Err(OAuthError::invalid_client()),
        };
        // Also under ended MAC roots: only the app knows its secret, so that nobody else can have it MACed anew.
        let presented = keys.each(|key| secret_mac(key, secret.expose()));
        let Some((current, ended)) = presented.split_first() else { return Err(OAuthError::invalid_client()) };
        let equal = |one: &str, other: &str| crate::crypto::equal(one.as_bytes(), other.as_bytes());
        let (mut fits, mut outdated) = (false, None);
        // Every slot is compared with each, so that the time does not tell which one fits.
        for stored in &client.secret_macs {
            let fits_ended = ended.iter().fold(false, |fits, mac| fits | equal(stored, mac));
            fits |= equal(stored, current) | fits_ended;
            if fits_ended {
                outdated = Some(OutdatedMac { stored: stored.clone(), current: current.clone() });
            }
        }
        if fits {
            let bound = Some(Bound::by_client_authentication());
            Ok((AuthenticatedClient { client, bound }, outdated))
        } else {
            Err(OAuthError::invalid_client())
        }
    }
}

/// The MAC of a good secret under an ended MAC root, and the one that should stand in its place. Of all that is MACed this
/// alone cannot be made anew without its owner; once it is, nothing of that client hangs on the old root any more.
#[derive(Debug)]
struct OutdatedMac {
    stored: String,
    current: String,
}

impl OutdatedMac {
    /// Until this process hears of it, which takes a second, every request of that client comes by here.
    async fn replace(self, store: &Store, id: &ClientId, now: Timestamp) -> Result<(), StoreError> {
        if !clients::has_secret_mac(&mut store.read().await?, id, &self.stored).await? {
            return Ok(());
        }
        let id = id.clone();
        store
            .write(async move |tx| {
                if clients::replace_secret_mac(tx, &id, &self.stored, &self.current).await? {
                    let actor = format!("client:{id}");
                    let (action, data) = ("client.secret_mac", json!({}));
                    audit::record(tx, &Event { actor: &actor, action, subject: id.as_str(), data }, now).await?;
                }
                Ok(())
            })
            .await
    }
}

/// A client secret as rows hold it. Secrets are long and random, so a MAC suffices; no slow hash on a path of machines.
#[must_use]
pub fn secret_mac(key: &MacKey, secret: &str) -> String {
    encoding::b64u(key.sign(&[secret.as_bytes()]))
}

/// Name and secret of an `Authorization: Basic` header. Both are form-urlencoded before base64 (RFC 6749 §2.3.1); values that
/// were not encoded are taken as they are as long as they hold no `%` and no `+`.
fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = zeroize::Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let text = std::str::from_utf8(&bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    if id.is_empty() || secret.is_empty() {
        return None;
    }
    Some((decoded(id)?, Secret::new(decoded(secret)?)))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn rfc6749_2_3_1_both_halves_are_decoded() {
        for (text, id, secret) in [
            ("app:secret", "app", "secret"),
            ("my%20app:a%2Bb%3Ac%25", "my app", "a+b:c%"),
            ("app:a:b", "app", "a:b"),
            ("app:a+b", "app", "a b"),
        ] {
            let (read_id, read_secret) = basic(&header(text)).unwrap();
            assert_eq!((read_id.as_str(), read_secret.expose()), (id, secret), "{text}");
        }
    }

    #[test]
    fn what_is_no_basic_header_is_refused() {
        for text in [":secret", "app:", "app", "", "app:%zz", "app:%2", "app:%00"] {
            assert!(basic(&header(text)).is_none(), "{text}");
        }
        for raw in ["Bearer YTpi", "Basic", "Basic !!!", "YTpi", ""] {
            assert!(basic(raw).is_none(), "{raw}");
        }
    }

    #[test]
    fn two_proofs_are_refused() {
        let params = Params::parse(b"client_id=app&client_secret=x");
        let error = Presented::read(Some(&header("app:x")), &params).unwrap_err();
        assert_eq!(error.code().as_str(), "invalid_request");
        let error = Presented::read(Some(&header("app:x")), &Params::parse(b"client_id=other")).unwrap_err();
        assert_eq!(error.code().as_str(), "invalid_request");
        assert!(Presented::read(Some(&header("app:x")), &Params::parse(b"client_id=app")).is_ok());
        for also in [&b"client_assertion=x"[..], b"client_assertion_type=x"] {
            let error = Presented::read(Some(&header("app:x")), &Params::parse(also)).unwrap_err();
            assert_eq!(error.code().as_str(), "invalid_request");
            let error = Presented::read(None, &Params::parse(also)).unwrap_err();
            assert_eq!(error.code().as_str(), "invalid_client", "alone it is a proof that nobody here knows");
        }
        let error = Presented::read(None, &Params::parse(b"a=b")).unwrap_err();
        assert_eq!(error.code().as_str(), "invalid_client");
    }
}
