//! `/forward-auth/…`: a proxy asks whether a request may pass. What it says of the request is believed only if the proxy is one
//! that the operator named, and only if it asks by itself: a proxy that also leads the world to us hands on requests that others
//! made up.
//!
//! | proxy                                 | says                                      | understands                          |
//! |---------------------------------------|-------------------------------------------|--------------------------------------|
//! | nginx, `auth_request`                 | `X-Original-URL`, `X-Original-Method`     | 200, 401, 403                        |
//! | Traefik, `ForwardAuth`                | `X-Forwarded-Host`, `-Uri`, `-Method`     | 200; all else goes to the browser    |
//! | Envoy, `ext_authz` over HTTP          | the request itself, behind our own path   | the same                             |

use axum::extract::State;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::answer::{self, Speech};
use super::host::FORWARDED_HOST;
use crate::http::doors::Doors;
use crate::http::layers::Visit;
use crate::http::protocol::bearer_of;
use crate::oauth::error::OAuthError;
use crate::oauth::gateway::ask::{Answer, Asked, ask};

/// The request that a proxy asks about.
struct Original {
    /// Somebody else asks, and the proxy only handed it on.
    handed_on: bool,
    /// `None`: it was not said, or it can be read in two ways.
    host: Option<String>,
    path: String,
    method: String,
}

/// nginx, `ngx_http_auth_request_module`.
pub async fn nginx(State(doors): State<Doors>, visit: Visit, uri: Uri, headers: HeaderMap) -> Response {
    let url = said(&headers, "x-original-url");
    let (host, path) = of_url(&url).unwrap_or_default();
    let original = Original {
        handed_on: came_around(&doors, &uri, &headers),
        host: doors.app_hosts().normal(host),
        path: path.to_owned(),
        method: said(&headers, "x-original-method"),
    };
    answer_to(&doors, &visit, &headers, &original, Speech::StatusOnly).await
}

/// Traefik, the middleware `ForwardAuth`.
pub async fn traefik(State(doors): State<Doors>, visit: Visit, uri: Uri, headers: HeaderMap) -> Response {
    let original = Original {
        handed_on: doors.app_hosts().is_public(&uri, &headers),
        host: doors.app_hosts().forwarded(&headers),
        path: said(&headers, "x-forwarded-uri"),
        method: said(&headers, "x-forwarded-method"),
    };
    answer_to(&doors, &visit, &headers, &original, Speech::Verbatim).await
}

/// Envoy, the filter `ext_authz` with an HTTP service and this path as its prefix.
pub async fn envoy(State(doors): State<Doors>, visit: Visit, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let target = uri.path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let original = Original {
        handed_on: came_around(&doors, &uri, &headers),
        host: doors.app_hosts().named(&uri, &headers),
        path: target.strip_prefix("/forward-auth/envoy").unwrap_or_default().to_owned(),
        method: method.to_string(),
    };
    answer_to(&doors, &visit, &headers, &original, Speech::Verbatim).await
}

async fn answer_to(doors: &Doors, visit: &Visit, headers: &HeaderMap, original: &Original, speech: Speech) -> Response {
    if !visit.by_proxy {
        return answer::forbidden("the one who asks is not in server.trusted_proxies");
    }
    if original.handed_on {
        return answer::forbidden(
            "the proxy handed this question on; its own goes to an address or a name that is not the issuer's",
        );
    }
    if headers.keys().any(answer::is_alias) {
        return answer::forbidden("a header of the request would be taken for one of ours by some apps");
    }
    let Some(host) = &original.host else {
        return answer::forbidden("the proxy does not say for which host the request is");
    };
    let repeatable = matches!(original.method.as_str(), "" | "GET" | "HEAD");
    let decided = decide(doors, visit, headers, host, &original.path, repeatable).await;
    answer::write(decided, speech, is_navigation(headers), doors.cookies().for_the_app(headers))
}

async fn decide(
    doors: &Doors,
    visit: &Visit,
    headers: &HeaderMap,
    host: &str,
    path: &str,
    repeatable: bool,
) -> Result<Answer, OAuthError> {
    let now = doors.app().clock.now();
    // A header of this scheme that cannot be read shows a token that is not good.
    let Ok(bearer) = bearer_of(headers) else { return Ok(Answer::BadToken) };
    let cookie = doors.cookies().of_app_host(headers).session;
    let asked = Asked { host, path, repeatable, bearer: bearer.as_deref(), cookie };
    let policy = doors.app().accounts.session_policy();
    let Some(shown) = bearer.as_deref().or(cookie) else {
        // Nothing is looked up for who shows nothing, so it is not counted either.
        return ask(asked, policy, doors.provider(), now).await;
    };
    let limits = doors.limits();
    let permit = limits.enter_guest(shown, visit, now)?;
    let answer = ask(asked, policy, doors.provider(), now).await?;
    match &answer {
        Answer::Pass(_) => limits.welcome(shown, permit, now),
        _ => limits.turn_away(shown, permit, visit, now)?,
    }
    Ok(answer)
}

/// Whether a question came where a proxy leads others, for those that say the app's host elsewhere: they clear
/// `X-Forwarded-Host`, so whoever sends it has found a way around.
fn came_around(doors: &Doors, uri: &Uri, headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_HOST) || doors.app_hosts().is_public(uri, headers)
}

/// Host and path of an address.
fn of_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    Some(rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)))
}

/// A header's text. Proxies hand on what browsers wrote, whatever bytes that may be.
fn said(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// Whether a person goes to a page, rather than a page to its server (Fetch Metadata; older browsers say what they want to see).
fn is_navigation(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => {
            let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            accepted.is_some_and(|accept| accept.contains("text/html")) && !headers.contains_key(header::UPGRADE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn an_address_is_read_in_one_way() {
        for (url, host, path) in [
            ("https://notes.example.com/a?b=https://evil.test/", "notes.example.com", "/a?b=https://evil.test/"),
            ("http://notes.example.com", "notes.example.com", "/"),
            ("https://notes.example.com//evil.test", "notes.example.com", "//evil.test"),
            ("https://notes.example.com?x=/", "notes.example.com?x=", "/"),
            ("https://evil.test@notes.example.com/", "evil.test@notes.example.com", "/"),
        ] {
            assert_eq!(of_url(url), Some((host, path)));
        }
        for url in ["", "notes.example.com/", "//notes.example.com/", "ftp://notes.example.com/"] {
            assert_eq!(of_url(url), None);
        }
    }

    #[test]
    fn scripts_pictures_and_sockets_are_no_navigation() {
        for (pairs, navigation) in [
            (&[("sec-fetch-mode", "navigate")][..], true),
            (&[("sec-fetch-mode", "cors"), ("accept", "text/html")], false),
            (&[("sec-fetch-mode", "websocket")], false),
            (&[("accept", "text/html,*/*;q=0.8")], true),
            (&[("accept", "text/html"), ("upgrade", "websocket")], false),
            (&[("accept", "*/*")], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_navigation(&headers), navigation, "{pairs:?}");
        }
    }
}
