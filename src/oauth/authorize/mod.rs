//! The authorization endpoint: the order of the checks, as one list.
//!
//! | step                | file                | failures are             |
//! |---------------------|---------------------|--------------------------|
//! | who asks            | `mod.rs`            | pages                    |
//! | where answers go    | `return_address.rs` | pages                    |
//! | what is asked       | `request.rs`        | redirects                |
//! | what happens next   | `decide.rs`         | redirects                |
//! | the answer          | `answer.rs`         | redirects                |

pub mod answer;
pub mod decide;
pub mod hint;
pub mod parking;
pub mod request;
pub mod return_address;

use std::sync::Arc;

use super::error::OAuthError;
use super::params::Params;
use super::provider::Provider;
use crate::domain::client::Client;
use crate::domain::time::Timestamp;
use request::AuthorizeRequest;
use return_address::ReturnAddress;

/// A refusal, and the only two ways it may leave.
#[derive(Debug)]
pub enum Refusal {
    /// On a page of ours: it is not known where an answer may go.
    Page {
        /// Why.
        error: OAuthError,
        /// The name of the client, once it is known.
        client_name: Option<String>,
    },
    /// To the client's own address.
    Redirect {
        /// Where.
        to: Box<ReturnAddress>,
        /// Why.
        error: OAuthError,
        /// The app asked that nothing be shown (`prompt=none`).
        silent: bool,
    },
}

/// A request that passed every check that needs no person.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Who asks.
    pub client: Arc<Client>,
    /// Where the answer goes.
    pub to: ReturnAddress,
    /// What is asked.
    pub request: AuthorizeRequest,
}

/// Checks a request. Until the address is proven every failure is a page; from then on it is a redirect.
///
/// # Errors
/// [`Refusal`].
pub async fn check(params: &Params, provider: &Provider, now: Timestamp) -> Result<Checked, Box<Refusal>> {
    let page = |error| Box::new(Refusal::Page { error, client_name: None });
    params.refuse_nul().map_err(page)?;
    params.refuse_duplicates_among(return_address::decides).map_err(page)?;
    let id = params.require("client_id", "client_id is missing").map_err(page)?;
    let client = provider
        .client(id, now)
        .await
        .map_err(page)?
        .ok_or_else(|| page(OAuthError::invalid_request("this app is not known here, or it was switched off")))?;
    let to = ReturnAddress::prove(&client, params, provider.issuer_id())
        .map_err(|error| Box::new(Refusal::Page { error, client_name: Some(client.display_name().to_owned()) }))?;
    match AuthorizeRequest::check(params, &client, provider, now) {
        Ok(request) => Ok(Checked { client, to, request }),
        Err(error) => {
            let silent = params.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "none"));
            Err(Box::new(Refusal::Redirect { to: Box::new(to), error, silent }))
        }
    }
}
