//! An API that polls the status lists.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Answer, TestProvider, claims_of};

/// A status list as it was fetched and checked.
#[derive(Debug, Clone)]
pub(crate) struct StatusList {
    /// The answer.
    pub(crate) answer: Answer,
    /// The header of the token.
    pub(crate) header: jsonwebtoken::Header,
    /// The claims of the token.
    pub(crate) claims: Value,
    bytes: Vec<u8>,
}

impl StatusList {
    /// Whether the bit is set.
    pub(crate) fn is_set(&self, index: usize) -> bool {
        self.bytes[index / 8] >> (index % 8) & 1 == 1
    }

    /// The places that are set.
    pub(crate) fn set(&self) -> Vec<usize> {
        (0..self.bytes.len() * 8).filter(|index| self.is_set(*index)).collect()
    }
}

/// The place that a token names: the list's address and the index.
pub(crate) fn place_of(token: &str) -> (String, usize) {
    let status = &claims_of(token)["status"]["status_list"];
    let index = status["idx"].as_u64().unwrap();
    (status["uri"].as_str().unwrap().to_owned(), usize::try_from(index).unwrap())
}

impl TestProvider {
    /// What a running process does every second for the status lists.
    pub(crate) async fn publish_status(&self) {
        let (app, now) = (self.app(), self.app().clock.now());
        app.status_lists.look(app.status_sources(), now).await.unwrap();
        app.status_lists.publish(app.status_sources(), now).await.unwrap();
    }

    /// Fetches a list by its address and checks its token.
    pub(crate) async fn status_list(&self, uri: &str) -> StatusList {
        let path = uri.strip_prefix(self.issuer()).unwrap();
        let answer = self.get(path).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/statuslist+jwt");
        let (header, claims) = self.verify_with(&answer.body, &["iss", "sub", "exp"]).await;
        assert_eq!((header.typ.as_deref(), &claims["sub"]), (Some("statuslist+jwt"), &uri.into()));
        let list = &claims["status_list"];
        assert_eq!(list["bits"], 1);
        let packed = URL_SAFE_NO_PAD.decode(list["lst"].as_str().unwrap()).unwrap();
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 131_072);
        StatusList { answer, header, claims, bytes }
    }

    /// Whether an API that polls takes a token for revoked, once the lists are up to date.
    pub(crate) async fn is_revoked(&self, token: &str) -> bool {
        self.publish_status().await;
        let (uri, index) = place_of(token);
        self.status_list(&uri).await.is_set(index)
    }
}
