//! The requests that are sent, to both sides alike.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::generator::Given;
use crate::subject::{CHALLENGE, REDIRECT_URI, SECRET, VERIFIER, WEB};

/// A document.
pub(crate) fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// A client's own token.
pub(crate) fn client_credentials(address: SocketAddr, client: &str) -> Vec<u8> {
    let body = "grant_type=client_credentials";
    format!("{}Content-Length: {}\r\n\r\n{body}", head(address, "/oauth2/token", client), body.len()).into_bytes()
}

/// A code for tokens; the code is to be given.
pub(crate) fn redeem(address: SocketAddr) -> Given {
    let redirect_uri = encoded_uri(REDIRECT_URI);
    Given::new(
        &head(address, "/oauth2/token", WEB),
        &format!("grant_type=authorization_code&redirect_uri={redirect_uri}&code_verifier={VERIFIER}&code="),
    )
}

/// The next refresh token; the present one is to be given.
pub(crate) fn refresh(address: SocketAddr) -> Given {
    Given::new(&head(address, "/oauth2/token", WEB), "grant_type=refresh_token&refresh_token=")
}

/// Introspection; the token is to be given.
pub(crate) fn introspect(address: SocketAddr) -> Given {
    Given::new(&head(address, "/oauth2/introspect", WEB), "token=")
}

/// Revocation; the token is to be given.
pub(crate) fn revoke(address: SocketAddr) -> Given {
    Given::new(&head(address, "/oauth2/revoke", WEB), "token=")
}

/// Where a browser asks for a code.
pub(crate) fn authorize() -> String {
    format!(
        "/oauth2/authorize?response_type=code&client_id={WEB}&redirect_uri={}&scope=openid%20es256%3Aread%20es256%3Awrite\
         &state=load&nonce=n-0S6_WzA2Mj&code_challenge={CHALLENGE}&code_challenge_method=S256",
        encoded_uri(REDIRECT_URI),
    )
}

fn head(address: SocketAddr, path: &str, client: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\nAuthorization: Basic {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n",
        STANDARD.encode(format!("{client}:{SECRET}"))
    )
}

fn encoded_uri(uri: &str) -> String {
    uri.replace(':', "%3A").replace('/', "%2F")
}
