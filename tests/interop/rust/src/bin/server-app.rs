// main.rs
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreUserInfoClaims};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, Scope, TokenResponse, reqwest,
};

const ISSUER: &str = "http://localhost:8080";
const HOME: &str = "http://localhost:3000/";

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What this app keeps of a browser. In a real app: in a store that all processes share.
enum Session {
    Asked { state: CsrfToken, nonce: Nonce, verifier: PkceCodeVerifier },
    SignedIn { name: String, id_token: Box<CoreIdToken> },
}

static SESSIONS: LazyLock<Mutex<HashMap<String, Session>>> = LazyLock::new(Mutex::default);

/// Asks discovery and the key set each time, because the keys change: keep the answer for a few minutes at most.
async fn frontdesk() -> Result<(Client, reqwest::Client, Option<EndSessionUrl>), Failed> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let metadata = ProviderMetadataWithLogout::discover_async(IssuerUrl::new(ISSUER.into())?, &http).await?;
    let end_session = metadata.additional_metadata().end_session_endpoint.clone();
    let secret = ClientSecret::new(std::env::var("CLIENT_SECRET")?);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new("office".into()), Some(secret))
        .set_redirect_uri(RedirectUrl::new(format!("{HOME}callback"))?);
    Ok((client, http, end_session))
}

async fn home(headers: HeaderMap) -> Html<String> {
    let sessions = SESSIONS.lock().unwrap();
    Html(match id_of(&headers).and_then(|id| sessions.get(&id)) {
        Some(Session::SignedIn { name, .. }) => format!(
            r#"<p>Signed in: {}</p><form method="post" action="/sign-out"><button>Sign out</button></form>"#,
            name.replace('&', "&amp;").replace('<', "&lt;")
        ),
        _ => r#"<a href="/sign-in">Sign in</a>"#.to_owned(),
    })
}

async fn sign_in(headers: HeaderMap) -> Result<Response, Refusal> {
    let (client, ..) = frontdesk().await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email", "notes:read"].map(|scope| Scope::new(scope.into())))
        .set_pkce_challenge(challenge)
        .url();
    Ok(begin(&headers, Session::Asked { state, nonce, verifier }, url.as_str()))
}

async fn callback(headers: HeaderMap, Query(answer): Query<HashMap<String, String>>) -> Result<Response, Refusal> {
    // What was asked is taken out: an answer counts once.
    let asked = id_of(&headers).and_then(|id| SESSIONS.lock().unwrap().remove(&id));
    let Some(Session::Asked { state, nonce, verifier }) = asked else { return Err("not begun in this browser".into()) };
    if answer.get("state") != Some(state.secret()) || answer.get("iss").map(String::as_str) != Some(ISSUER) {
        return Err("an answer to something else".into());
    }
    let code = answer.get("code").ok_or_else(|| answer.get("error").cloned().unwrap_or_default())?;
    let (client, http, _) = frontdesk().await?;
    let tokens = client
        .exchange_code(AuthorizationCode::new(code.clone()))?
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await?;
    let id_token = tokens.id_token().ok_or("no ID token")?;
    let claims = id_token.claims(&client.id_token_verifier(), &nonce)?; // signature, iss, aud, exp and nonce
    let person: CoreUserInfoClaims =
        client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))?.request_async(&http).await?;
    let name =
        person.name().and_then(|name| name.get(None)).map_or(claims.subject().to_string(), |name| name.to_string());
    Ok(begin(&headers, Session::SignedIn { name, id_token: Box::new(id_token.clone()) }, HOME))
}

async fn sign_out(headers: HeaderMap) -> Result<Response, Refusal> {
    let ended = id_of(&headers).and_then(|id| SESSIONS.lock().unwrap().remove(&id));
    let Some(Session::SignedIn { id_token, .. }) = ended else { return Ok(Redirect::to(HOME).into_response()) };
    let (_, _, end_session) = frontdesk().await?;
    let url = LogoutRequest::from(end_session.ok_or("no end_session_endpoint")?)
        .set_id_token_hint(&id_token)
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(HOME.into())?)
        .http_get_url();
    Ok(Redirect::to(url.as_str()).into_response())
}

/// Gives the browser a session under a new id; the old one is forgotten.
fn begin(headers: &HeaderMap, session: Session, then: &str) -> Response {
    let id = CsrfToken::new_random_len(32).secret().clone();
    let mut sessions = SESSIONS.lock().unwrap();
    id_of(headers).and_then(|old| sessions.remove(&old));
    let cookie = format!("office={id}; Path=/; HttpOnly; SameSite=Lax"); // with https: Secure too
    sessions.insert(id, session);
    (AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(then)).into_response()
}

fn id_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("office=")).map(str::to_owned)
}

/// What a person is shown when something failed; the reason goes to the log.
struct Refusal(Failed);

impl<E: Into<Failed>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        eprintln!("{}", self.0);
        (StatusCode::BAD_REQUEST, "That did not work. Please try again.").into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let app = Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in))
        .route("/callback", get(callback))
        .route("/sign-out", post(sign_out));
    Ok(axum::serve(tokio::net::TcpListener::bind("localhost:3000").await?, app).await?)
}
