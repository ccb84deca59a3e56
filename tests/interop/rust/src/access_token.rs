//! An access token checked with the library's own key set (RFC 9068 §4).

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey as _, JsonWebKeyId};
use serde_json::Value;

use crate::settings::{Algorithm, Settings};

/// The claims, if signature, `typ`, `alg`, issuer and audience are right.
pub fn verified(token: &str, keys: &CoreJsonWebKeySet, settings: &Settings, one: Algorithm) -> Result<Value> {
    let mut parts = token.split('.');
    let (Some(head), Some(body), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        bail!("not a JWT");
    };
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head)?)?;
    ensure!(header["typ"] == "at+jwt", "typ is {}", header["typ"]);
    ensure!(header["alg"] == one.name(), "alg is {}", header["alg"]);
    let kid = JsonWebKeyId::new(header["kid"].as_str().context("no kid")?.to_owned());
    let key = keys.keys().iter().find(|key| key.key_id() == Some(&kid)).context("no such key")?;
    let alg = match one {
        Algorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    };
    key.verify_signature(&alg, format!("{head}.{body}").as_bytes(), &URL_SAFE_NO_PAD.decode(signature)?)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body)?)?;
    ensure!(claims["iss"] == settings.get("issuer")?, "iss is {}", claims["iss"]);
    let audience = match &claims["aud"] {
        Value::Array(several) => several.iter().any(|aud| *aud == one.resource().as_str()),
        aud => *aud == one.resource().as_str(),
    };
    ensure!(audience, "aud is {}", claims["aud"]);
    Ok(claims)
}
