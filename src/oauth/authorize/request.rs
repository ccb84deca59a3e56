//! What is asked: raw parameters to a checked request.

use std::collections::BTreeSet;

use super::hint;
use crate::domain::claims::ClaimsRequest;
use crate::domain::client::Client;
use crate::domain::consent::Consent;
use crate::domain::id::Subject;
use crate::domain::pkce::CodeChallenge;
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;
use crate::oauth::audience;
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;

/// What a client wants shown (OIDC Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prompt {
    /// Nothing.
    None,
    /// The sign-in page, whoever is signed in.
    Login,
    /// The consent page.
    Consent,
    /// A choice of account.
    SelectAccount,
    /// Sign-up (Initiating User Registration 1.0); sign-in where there is none.
    Create,
}

/// A checked authorization request.
#[derive(Debug, Clone)]
pub struct AuthorizeRequest {
    /// What is asked, narrowed to what this client may ask.
    pub scope: ScopeSet,
    /// To be repeated in the ID token.
    pub nonce: Option<String>,
    /// What the verifier must meet.
    pub challenge: Option<CodeChallenge>,
    /// What is to be shown.
    pub prompt: BTreeSet<Prompt>,
    /// How many seconds old the sign-in may be.
    pub max_age: Option<u64>,
    /// A name to fill in.
    pub login_hint: Option<String>,
    /// The person of the ID token of ours that was told back to us.
    pub hinted: Option<Subject>,
    /// Who may answer, by that ID token and by `claims`; empty: anybody.
    pub subjects: Vec<Subject>,
    /// Preferred languages.
    pub ui_locales: String,
    /// Claims asked for by name.
    pub claims: ClaimsRequest,
    /// The resources named, in their registered spelling.
    pub resources: Vec<String>,
}

const LONGEST_NONCE: usize = 512;
const LONGEST_STATE: usize = 4096;
const LONGEST_LOGIN_HINT: usize = 254;

impl AuthorizeRequest {
    /// Checks the parameters in the order of the protocol.
    ///
    /// # Errors
    /// What to tell the client, by redirect.
    pub fn check(params: &Params, client: &Client, provider: &Provider, now: Timestamp) -> Result<Self, OAuthError> {
        params.refuse_duplicates()?;
        if params.has("request") {
            return Err(OAuthError::new(ErrorCode::RequestNotSupported, "request objects are not supported"));
        }
        if params.has("request_uri") {
            return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, "request_uri is not supported"));
        }
        if params.get("state").is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(OAuthError::invalid_request("state is longer than 4096 bytes"));
        }
        check_response_type(params, client)?;
        if !matches!(params.get("response_mode"), None | Some("query" | "form_post")) {
            return Err(OAuthError::invalid_request("response_mode is query or form_post"));
        }
        let challenge = check_challenge(params, client)?;
        let scope = check_scope(params, client)?;
        let nonce = check_nonce(params)?;
        let resources = audience::check_requested(&params.all("resource"), client, provider)?;
        let claims = match params.get("claims") {
            Some(text) => ClaimsRequest::parse(text)
                .map_err(|_| {
                    OAuthError::invalid_request("claims is a JSON object with the members userinfo and id_token")
                })?
                .within(&client.settings.scope),
            None => ClaimsRequest::default(),
        };
        let prompt = check_prompt(params)?;
        let max_age = match params.get("max_age") {
            Some(text) => Some(
                text.parse::<u64>()
                    .ok()
                    .filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
                    .ok_or_else(|| OAuthError::invalid_request("max_age is a number of seconds"))?,
            ),
            None => client.settings.default_max_age,
        };
        let hinted = match params.get("id_token_hint") {
            Some(token) => Some(hint::subject_of(token, client, provider, now)?),
            None => None,
        };
        let subjects = check_subjects(&claims, hinted.as_ref())?;
        Ok(Self {
            scope,
            nonce,
            challenge,
            prompt,
            max_age,
            login_hint: params
                .get("login_hint")
                .filter(|hint| hint.len() <= LONGEST_LOGIN_HINT && !hint.chars().any(char::is_control))
                .map(str::to_owned),
            hinted,
            subjects,
            ui_locales: params.get("ui_locales").unwrap_or_default().to_owned(),
            claims,
            resources,
        })
    }

    /// What a person lets the client have who says yes to this.
    #[must_use]
    pub fn as_consent(&self, now: Timestamp) -> Consent {
        Consent {
            scope: self.scope.clone(),
            claims: self.claims.names(),
            resources: self.resources.clone(),
            granted_at: now,
        }
    }

    /// Whether nothing may be shown.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.prompt.contains(&Prompt::None)
    }
}

fn check_response_type(params: &Params, client: &Client) -> Result<(), OAuthError> {
    use crate::domain::client::GrantType;
    match params.require("response_type", "response_type is missing")? {
        "code" if client.may(GrantType::AuthorizationCode) => Ok(()),
        "code" => Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this app may not ask for codes")),
        _ => Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "response_type is code")),
    }
}

/// RFC 7636, RFC 9700 §2.1.1: S256 and nothing else.
fn check_challenge(params: &Params, client: &Client) -> Result<Option<CodeChallenge>, OAuthError> {
    let required = client.settings.require_pkce || client.settings.is_public();
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, None) if required => Err(OAuthError::invalid_request("code_challenge is missing (PKCE, S256)")),
        (None, None) => Ok(None),
        (Some(challenge), Some("S256")) => CodeChallenge::parse(challenge)
            .map(Some)
            .ok_or_else(|| OAuthError::invalid_request("code_challenge is 43 characters of base64url")),
        _ => Err(OAuthError::invalid_request("code_challenge_method is S256, and code_challenge goes with it")),
    }
}

/// Unknown values and those the client may not have are dropped (OIDC practice); the answer tells what was granted.
fn check_scope(params: &Params, client: &Client) -> Result<ScopeSet, OAuthError> {
    let malformed = |_| OAuthError::new(ErrorCode::InvalidScope, "scope is a list of words apart by single spaces");
    let asked = ScopeSet::parse(params.get("scope").unwrap_or_default()).map_err(malformed)?;
    // What a client may have for itself only is no matter of people.
    let allowed = asked.narrow(&client.settings.scope).filter(|word| word != audience::REVOCATIONS_SCOPE);
    if allowed.is_empty() {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "scope holds nothing that this app may ask for"));
    }
    Ok(allowed)
}

fn check_nonce(params: &Params) -> Result<Option<String>, OAuthError> {
    match params.get("nonce") {
        Some(nonce) if nonce.len() > LONGEST_NONCE || nonce.chars().any(char::is_control) => {
            Err(OAuthError::invalid_request("nonce has at most 512 bytes and no control characters"))
        }
        nonce => Ok(nonce.map(str::to_owned)),
    }
}

/// OIDC Core §3.1.2.2: whoever is named is the only one who may answer. Named in several places, in all of them.
fn check_subjects(claims: &ClaimsRequest, hinted: Option<&Subject>) -> Result<Vec<Subject>, OAuthError> {
    let mut named: Vec<Vec<&str>> = claims.wanted_subjects();
    named.extend(hinted.map(|subject| vec![subject.as_str()]));
    let Some(mut meant) = named.pop() else { return Ok(Vec::new()) };
    meant.retain(|subject| named.iter().all(|others| others.contains(subject)));
    if meant.is_empty() {
        return Err(OAuthError::invalid_request("id_token_hint and claims name nobody who could answer"));
    }
    Ok(meant.into_iter().map(Subject::new).collect())
}

fn check_prompt(params: &Params) -> Result<BTreeSet<Prompt>, OAuthError> {
    let mut prompts = BTreeSet::new();
    for word in params.get("prompt").unwrap_or_default().split_whitespace() {
        prompts.insert(match word {
            "none" => Prompt::None,
            "login" => Prompt::Login,
            "consent" => Prompt::Consent,
            "select_account" => Prompt::SelectAccount,
            "create" => Prompt::Create,
            _ => return Err(OAuthError::invalid_request("prompt holds a word that is not known")),
        });
    }
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(OAuthError::invalid_request("prompt is none, or other words, not both"));
    }
    Ok(prompts)
}
