//! `session_state` (OpenID Connect Session Management 1.0): what an app is told of the session at its browser, so that a frame of ours can
//! say later whether it is still the same. Off unless the operator wants it.

use url::Url;

use super::provider::Provider;
use crate::crypto::digest::sha256_b64u;
use crate::crypto::encoding::b64u;
use crate::crypto::random;
use crate::domain::id::{ClientId, SessionId};
use crate::domain::redirect_uri::RedirectUri;

/// Where the frame is found.
pub const PATH: &str = "/oauth2/check_session";

/// What the browser's scripts may know of a session, if session management is on.
#[must_use]
pub fn browser_state(session: &SessionId, provider: &Provider) -> Option<String> {
    let on = provider.config.features.session_management;
    on.then(|| provider.grant_keys.browser_state(session))
}

/// The parameter for an app that is answered at this address. An address without an origin, of a native app, has nobody who could ask.
#[must_use]
pub fn session_state(client: &ClientId, to: &RedirectUri, browser_state: &str) -> Option<String> {
    let origin = Url::parse(to.as_str()).ok()?.origin();
    let salt = b64u(random::bytes::<16>());
    origin.is_tuple().then(|| salted(client, &origin.ascii_serialization(), browser_state, &salt))
}

/// The frame's script makes the same of what it is asked.
fn salted(client: &ClientId, origin: &str, browser_state: &str, salt: &str) -> String {
    let hash = sha256_b64u(format!("{client} {origin} {browser_state} {salt}").as_bytes());
    format!("{hash}.{salt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spa() -> ClientId {
        ClientId::new("spa-1")
    }

    #[test]
    fn the_hash_is_over_client_origin_state_and_salt() {
        // printf '%s' 'spa-1 https://app.example.com state salt' | openssl dgst -sha256 -binary | basenc --base64url
        let made = salted(&spa(), "https://app.example.com", "state", "salt");
        assert_eq!(made, "vdpPb_Ug4gJ40g0bmrm2F89jERKmAH7saKRGqPFrfVE.salt");
    }

    #[test]
    fn every_answer_has_a_salt_of_its_own() {
        let to = RedirectUri::register("https://app.example.com:8443/callback?a=b").unwrap();
        let states: Vec<String> = (0..2).map(|_| session_state(&spa(), &to, "state").unwrap()).collect();
        for state in &states {
            let (_, salt) = state.split_once('.').unwrap();
            assert_eq!(*state, salted(&spa(), "https://app.example.com:8443", "state", salt));
        }
        assert_ne!(states[0], states[1]);
    }

    #[test]
    fn a_scheme_of_an_app_has_no_origin() {
        let to = RedirectUri::register("com.example.notes:/callback").unwrap();
        assert_eq!(session_state(&spa(), &to, "state"), None);
    }
}
