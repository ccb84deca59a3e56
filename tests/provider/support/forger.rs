//! Someone who stole a signing key, and can put anything into a token that carries our own signature.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use frontdesk::crypto::encoding::{b64u, from_b64u};
use frontdesk::domain::alg::Alg;
use frontdesk::keys::pair::{self, KeyPair};
use frontdesk::keys::record::KeyRecord;
use frontdesk::keys::vault::Sealed;
use frontdesk::store::signing_keys;
use serde_json::{Value, json};

use super::TestProvider;

/// A signing key in the wrong hands.
pub(crate) struct Forger {
    pair: KeyPair,
}

impl Forger {
    /// With the provider's own signing key of this algorithm.
    pub(crate) async fn with_stolen_key(provider: &TestProvider, alg: Alg) -> Self {
        let app = provider.app();
        let rows = signing_keys::list(&mut app.store.read().await.unwrap()).await.unwrap();
        let row = rows.into_iter().find(|row| row.alg == alg.as_str() && row.state == "active").unwrap();
        let public = KeyRecord::read(&row).unwrap().public;
        let sealed = Sealed { text: row.private_sealed.unwrap(), kek_id: row.kek_id.unwrap() };
        let private = app.vault.open(KeyRecord::place(public.kid()), &sealed).unwrap();
        Self { pair: KeyPair { public, private } }
    }

    /// With a key of his own.
    pub(crate) fn with_own_key(alg: Alg) -> Self {
        Self { pair: pair::make(alg, 2048).unwrap() }
    }

    /// The name of the key.
    pub(crate) fn kid(&self) -> &str {
        self.pair.public.kid().as_str()
    }

    /// The public half as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        serde_json::from_str(&self.pair.public.text()).unwrap()
    }

    /// A proper header.
    pub(crate) fn header(&self, typ: &str) -> Value {
        json!({ "typ": typ, "alg": self.pair.public.alg(), "kid": self.kid() })
    }

    /// Signs these texts as header and claims.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_parts(&b64u(header), &b64u(claims))
    }

    /// Signs these parts as they are.
    pub(crate) fn sign_parts(&self, header: &str, claims: &str) -> String {
        let message = format!("{header}.{claims}");
        let random = SystemRandom::new();
        let signature = match self.pair.public.alg() {
            Alg::RS256 => {
                let key = RsaKeyPair::from_pkcs8(&self.pair.private).unwrap();
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Alg::ES256 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pair.private).unwrap();
                key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{message}.{}", b64u(signature))
    }

    /// An ES256 signature in the ASN.1 form, which JWS does not know.
    pub(crate) fn sign_as_der(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64u(header), b64u(claims));
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pair.private).unwrap();
        let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", b64u(signature.as_ref()))
    }
}

/// The claims of a token, as anybody can read them.
pub(crate) fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&from_b64u(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}
