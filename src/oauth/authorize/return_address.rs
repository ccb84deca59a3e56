//! Where an answer may go, once proven. The only value a redirect accepts.

use url::Url;

use crate::domain::client::Client;
use crate::domain::redirect_uri::RedirectUri;
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;

/// How an answer's parameters travel (OAuth Multiple Response Types §2.1, Form Post §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of the redirect.
    Query,
    /// In a form that the browser posts.
    FormPost,
}

/// A proven address of a client, and how to answer there.
#[derive(Debug, Clone)]
pub struct ReturnAddress {
    uri: RedirectUri,
    mode: ResponseMode,
    state: Option<String>,
    issuer: String,
}

/// Whether a parameter takes part in deciding where an answer goes: sent twice, it decides nothing.
#[must_use]
pub fn decides(parameter: &str) -> bool {
    matches!(parameter, "client_id" | "redirect_uri" | "request" | "request_uri" | "response_mode")
}

impl ReturnAddress {
    /// Proves that answers to this client may go to the address it names.
    ///
    /// # Errors
    /// For a page of ours: the address is missing or not registered.
    pub fn prove(client: &Client, params: &Params, issuer: &str) -> Result<Self, OAuthError> {
        let presented = params.require("redirect_uri", "redirect_uri is missing")?;
        let uri = client
            .settings
            .redirect_uri(presented)
            .ok_or_else(|| OAuthError::invalid_request("redirect_uri is not registered for this app"))?;
        let mode = match params.get("response_mode") {
            Some("form_post") => ResponseMode::FormPost,
            // An unknown mode is refused later, in the mode that is the default.
            _ => ResponseMode::Query,
        };
        Ok(Self { uri, mode, state: params.get("state").map(str::to_owned), issuer: issuer.to_owned() })
    }

    /// The address.
    #[must_use]
    pub fn uri(&self) -> &RedirectUri {
        &self.uri
    }

    /// How answers travel.
    #[must_use]
    pub fn mode(&self) -> ResponseMode {
        self.mode
    }

    /// The parameters of a success (RFC 6749 §4.1.2, RFC 9207).
    #[must_use]
    pub fn success(&self, code: &str) -> Vec<(&'static str, String)> {
        self.with_state_and_issuer(vec![("code", code.to_owned())])
    }

    /// The parameters of a refusal (RFC 6749 §4.1.2.1, RFC 9207).
    #[must_use]
    pub fn refusal(&self, error: &OAuthError) -> Vec<(&'static str, String)> {
        self.with_state_and_issuer(vec![
            ("error", error.code().as_str().to_owned()),
            ("error_description", error.hint().to_owned()),
        ])
    }

    /// The address with the parameters appended to the query it was registered with.
    #[must_use]
    pub fn with_query(&self, parameters: &[(&'static str, String)]) -> String {
        append(self.uri.as_str(), parameters)
    }

    fn with_state_and_issuer(&self, mut parameters: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        if let Some(state) = &self.state {
            parameters.push(("state", state.clone()));
        }
        parameters.push(("iss", self.issuer.clone()));
        parameters
    }
}

/// A registered URI with parameters appended to its query.
#[must_use]
pub fn append(uri: &str, parameters: &[(&'static str, String)]) -> String {
    match Url::parse(uri) {
        Ok(mut url) => {
            if !parameters.is_empty() {
                url.query_pairs_mut().extend_pairs(parameters);
            }
            url.into()
        }
        // It was parsed when it was registered.
        Err(_) => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_appended_to_a_registered_query_and_encoded() {
        let parameters = [("code", "a b&c".to_owned()), ("state", "\"<é>\"\r\n".to_owned())];
        assert_eq!(
            append("https://app.example.com/cb?tenant=1", &parameters),
            "https://app.example.com/cb?tenant=1&code=a+b%26c&state=%22%3C%C3%A9%3E%22%0D%0A"
        );
        assert_eq!(append("com.example.app:/cb", &[("code", "x".to_owned())]), "com.example.app:/cb?code=x");
        assert_eq!(append("https://app.example.com/cb", &[]), "https://app.example.com/cb");
    }
}
