//! A relying app: asks with PKCE, state and nonce, redeems codes, refreshes, and checks what it gets.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use frontdesk::crypto::{digest, encoding, random};
use frontdesk::domain::client::AuthMethod;
use serde_json::{Value, json};

use super::{Answer, Browser, Page, TestProvider, encode, house, query_of};

/// How it proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    None,
    Basic,
    Post,
}

/// A relying app.
#[derive(Debug, Clone)]
pub(crate) struct RelyingParty {
    provider: TestProvider,
    pub(crate) id: String,
    proof: Proof,
    /// Where it wants its answers.
    pub(crate) redirect_uri: String,
    /// The origin of its pages.
    pub(crate) origin: String,
    scope: String,
}

/// What the provider knows of it.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) method: AuthMethod,
    /// The first one, empty where there is none.
    pub(super) redirect_uri: String,
    pub(super) scope: String,
}

/// An authorization request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    params: Vec<(String, String)>,
    verifier: String,
    state: String,
    nonce: String,
}

/// A code with what is needed to redeem it.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) code: String,
    pub(crate) verifier: String,
    pub(crate) nonce: String,
    pub(crate) redirect_uri: String,
}

/// What a token endpoint gave.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    /// Empty in cookie mode, and where none was given.
    pub(crate) refresh: String,
    /// Empty where none was given.
    pub(crate) id: String,
}

impl Answer {
    /// The tokens.
    #[track_caller]
    pub(crate) fn expect_tokens(self) -> Tokens {
        let this = self.expect(200);
        assert_eq!(this.header("cache-control"), "no-store", "{this:#?}");
        assert_eq!(this.json()["token_type"], "Bearer");
        Tokens { access: this.text("access_token"), refresh: this.text("refresh_token"), id: this.text("id_token") }
    }
}

impl Asked {
    /// With another value, or one more parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.params.retain(|(own, _)| own != name);
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.params.retain(|(own, _)| own != name);
        self
    }

    /// The parameters.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Path and query.
    pub(crate) fn path(&self) -> String {
        format!("/oauth2/authorize?{}", encode(&self.pairs()))
    }

    fn value(&self, name: &str) -> String {
        self.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The code in the answer; checks `state` and `iss` as a careful app does.
    #[track_caller]
    pub(crate) fn code_in(&self, url: &str, issuer: &str) -> Code {
        assert!(url.starts_with(&self.value("redirect_uri")), "{url}");
        assert_eq!(query_of(url, "state").as_deref(), Some(self.state.as_str()), "{url}");
        assert_eq!(query_of(url, "iss").as_deref(), Some(issuer), "{url}");
        let code = query_of(url, "code").unwrap_or_else(|| panic!("no code: {url}"));
        self.code(code)
    }

    /// The error in the answer; checks `state` and `iss`.
    #[track_caller]
    pub(crate) fn error_in(&self, url: &str, issuer: &str) -> String {
        assert_eq!(query_of(url, "state").as_deref(), Some(self.state.as_str()), "{url}");
        assert_eq!(query_of(url, "iss").as_deref(), Some(issuer), "{url}");
        assert_eq!(query_of(url, "code"), None);
        query_of(url, "error").unwrap_or_else(|| panic!("no error: {url}"))
    }

    /// A code that came by another way.
    pub(crate) fn code(&self, code: String) -> Code {
        Code {
            code,
            verifier: self.verifier.clone(),
            nonce: self.nonce.clone(),
            redirect_uri: self.value("redirect_uri"),
        }
    }

    /// What it sent as `state`.
    pub(crate) fn state(&self) -> &str {
        &self.state
    }
}

impl RelyingParty {
    pub(super) fn of(provider: &TestProvider, id: &str) -> Self {
        let Registered { method, redirect_uri, scope } = provider.registered(id);
        let origin = url::Url::parse(&redirect_uri).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        Self {
            provider: provider.clone(),
            id: id.to_owned(),
            proof: match method {
                AuthMethod::None => Proof::None,
                AuthMethod::ClientSecretBasic => Proof::Basic,
                AuthMethod::ClientSecretPost => Proof::Post,
            },
            redirect_uri,
            origin,
            scope,
        }
    }

    /// The provider it relies on.
    pub(super) fn provider(&self) -> &TestProvider {
        &self.provider
    }

    /// Its secret.
    pub(crate) fn secret(&self) -> String {
        house::secret_of(&self.id)
    }

    /// Its name and secret as a header.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(encode(&[(&self.id, &self.secret())]).replacen('=', ":", 1)))
    }

    /// A fresh request for everything it may have.
    pub(crate) fn ask(&self) -> Asked {
        let (verifier, state, nonce) = (word(), word(), word());
        let challenge = URL_SAFE_NO_PAD.encode(digest::sha256(verifier.as_bytes()));
        let params = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let params = params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Asked { params, verifier, state, nonce }
    }

    /// A code of this person, in this browser; every page on the way is answered yes.
    pub(crate) async fn code_at(&self, browser: &Browser, name: &str) -> Code {
        self.code_for(browser, &self.ask(), name).await
    }

    /// A code of this person for this request.
    pub(crate) async fn code_for(&self, browser: &Browser, asked: &Asked, name: &str) -> Code {
        let page = self.visit(browser, asked).await;
        let page = browser.answer_all(page, name).await;
        asked.code_in(page.left_for(), self.provider.issuer())
    }

    /// A code of this person in a fresh browser.
    pub(crate) async fn code_of(&self, name: &str) -> Code {
        self.code_at(&self.provider.browser(), name).await
    }

    /// Tokens of this person in a fresh browser.
    pub(crate) async fn tokens_of(&self, name: &str) -> Tokens {
        let code = self.code_of(name).await;
        self.redeem(&code).await.expect_tokens()
    }

    /// Tokens of this person in this browser.
    pub(crate) async fn tokens_at(&self, browser: &Browser, name: &str) -> Tokens {
        let code = self.code_at(browser, name).await;
        self.redeem(&code).await.expect_tokens()
    }

    /// Starts a sign-in and stops at the first page.
    pub(crate) async fn visit(&self, browser: &Browser, asked: &Asked) -> Page {
        browser.come(&asked.path()).await
    }

    /// The code for tokens.
    pub(crate) async fn redeem(&self, code: &Code) -> Answer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code.code),
            ("redirect_uri", &code.redirect_uri),
            ("code_verifier", &code.verifier),
        ])
        .await
    }

    /// The refresh token for tokens.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// A token request.
    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.post("/oauth2/token", form).await
    }

    /// Gives a token back.
    pub(crate) async fn revoke(&self, token: &str) -> Answer {
        self.post("/oauth2/revoke", &[("token", token)]).await
    }

    /// Asks about a token.
    pub(crate) async fn introspect(&self, token: &str) -> Answer {
        self.post("/oauth2/introspect", &[("token", token)]).await
    }

    /// Whether introspection says that the token is alive. The answer about a dead one says nothing else.
    pub(crate) async fn sees_alive(&self, token: &str) -> bool {
        let told = self.introspect(token).await.expect(200).json();
        if told["active"] == json!(true) {
            return true;
        }
        assert_eq!(told, json!({ "active": false }));
        false
    }

    /// A form to an endpoint, with the proof of who it is.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let (secret, basic) = (self.secret(), self.basic());
        let mut form = form.to_vec();
        let mut headers = Vec::new();
        match self.proof {
            Proof::None => form.push(("client_id", &self.id)),
            Proof::Basic => headers.push(("authorization", basic.as_str())),
            Proof::Post => form.extend([("client_id", self.id.as_str()), ("client_secret", &secret)]),
        }
        self.provider.post(path, &headers, &form).await
    }

    /// What a fetch of its page sends along.
    pub(crate) fn page_headers(&self) -> Vec<(&str, &str)> {
        vec![
            ("origin", self.origin.as_str()),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
            ("x-oauth-browser", "1"),
        ]
    }

    /// A form that the script of its page sends, with credentials.
    pub(crate) async fn fetch(&self, browser: &Browser, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut form = form.to_vec();
        form.push(("client_id", &self.id));
        let mut headers = self.page_headers();
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        browser.fetch(path, &headers, encode(&form)).await
    }

    /// JSON that the script of its page sends, with credentials.
    pub(crate) async fn fetch_json(&self, browser: &Browser, path: &str, mut body: Value) -> Answer {
        body["client_id"] = json!(self.id);
        let mut headers = self.page_headers();
        headers.push(("content-type", "application/json"));
        browser.fetch(path, &headers, body.to_string()).await
    }

    /// Cookie mode: the code for an access token and a cookie.
    pub(crate) async fn redeem_at(&self, browser: &Browser, code: &Code) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.code.as_str()),
            ("redirect_uri", &code.redirect_uri),
            ("code_verifier", &code.verifier),
        ];
        self.fetch(browser, "/oauth2/token", &form).await
    }

    /// Cookie mode: the cookies for an access token.
    pub(crate) async fn refresh_at(&self, browser: &Browser) -> Answer {
        self.fetch(browser, "/oauth2/token", &[("grant_type", "refresh_token")]).await
    }

    /// Cookie mode: signed in and redeemed.
    pub(crate) async fn signed_in_at(&self, browser: &Browser, name: &str) -> Tokens {
        let code = self.code_at(browser, name).await;
        self.redeem_at(browser, &code).await.expect_tokens()
    }

    /// Userinfo with a token in the header.
    pub(crate) async fn userinfo(&self, token: &str) -> Answer {
        self.provider.get_with("/oauth2/userinfo", &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// Checks an ID token as OIDC Core §3.1.3.7 says and returns its claims.
    pub(crate) async fn check_id_token(&self, token: &str, nonce: Option<&str>) -> Value {
        let (_, claims) = self.provider.verify(token).await;
        assert_eq!(claims["aud"], json!(self.id));
        assert_eq!(claims.get("nonce").and_then(Value::as_str), nonce);
        assert!(claims["exp"].as_i64().unwrap() > self.provider.now());
        claims
    }
}

fn word() -> String {
    encoding::b64u(random::bytes::<32>())
}
