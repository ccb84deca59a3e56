//! All lists before the first token comes (draft-ietf-oauth-status-list §9).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{MAX_LISTS, Shared, StatusCache, UNAVAILABLE};
use crate::error::VerifyError;
use crate::fetch::FetchError;
use crate::json;

/// Largest document that names the lists.
const MAX_DOCUMENT: usize = 256 * 1024;

/// How many lists are fetched at a time.
const AT_A_TIME: usize = 8;

/// How long one list may take.
const LONGEST: Duration = Duration::from_secs(10);

impl StatusCache {
    /// Fetches the lists that the issuer names, if it names them anywhere.
    pub(crate) async fn preload(&self) -> Result<(), VerifyError> {
        self.shared.preload(MAX_LISTS).await
    }
}

impl Shared {
    /// Fetches some of the lists that the issuer names.
    pub(super) async fn preload(self: &Arc<Self>, most: usize) -> Result<(), VerifyError> {
        let uris = match self.list_uris().await {
            Ok(uris) => uris,
            Err(error) => {
                tracing::warn!(%error, "could not fetch the names of the status lists");
                return Err(UNAVAILABLE);
            }
        };
        let mut complete = true;
        for uris in uris.get(..most).unwrap_or(&uris).chunks(AT_A_TIME) {
            // What does not lie under the issuer is no list that a token could name.
            let entries: Vec<_> = uris.iter().filter_map(|uri| self.enter(uri)).collect();
            let begun: Vec<_> = entries
                .iter()
                .filter(|entry| entry.list.load().is_none())
                .map(|entry| (entry, self.begin(entry)))
                .collect();
            for (entry, ended) in begun {
                if let Some(mut ended) = ended {
                    let _ = tokio::time::timeout(LONGEST, ended.changed()).await;
                }
                complete &= entry.list.load().is_some();
            }
        }
        if complete { Ok(()) } else { Err(UNAVAILABLE) }
    }

    async fn list_uris(&self) -> Result<Vec<String>, FetchError> {
        let metadata = self.trust.keys.metadata().await?;
        let Some(url) = &metadata.status_lists else {
            return Ok(Vec::new());
        };
        let answer = self.fetch.get(url, MAX_DOCUMENT).await?;
        let malformed = || FetchError::new("status_lists is not an array of addresses");
        let mut document = json::object(answer.accept(MAX_DOCUMENT)?).ok_or_else(malformed)?;
        let Some(Value::Array(uris)) = document.remove("status_lists") else {
            return Err(malformed());
        };
        let uri = |uri: Value| uri.as_str().map(str::to_owned).ok_or_else(malformed);
        uris.into_iter().take(MAX_LISTS).map(uri).collect()
    }
}
