//! The static files: part of the binary, named after their content so that browsers may keep them for ever.

use std::borrow::Cow;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::crypto::digest::sha256;
use crate::http::pages::brand::Brand;

/// The browser library, the one file that other origins load; its address must not change with its content.
pub const BROWSER_LIBRARY: &str = "frontdesk.js";

const FOREVER: &str = "public, max-age=31536000, immutable";
const FIVE_MINUTES: &str = "public, max-age=300";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        Asset::new("style.css", "text/css; charset=utf-8", smaller_css(include_str!("../../static/style.css"))),
        Asset::new("page.js", JAVASCRIPT, smaller_script(include_str!("../../static/page.js"))),
        Asset::new("leaving.js", JAVASCRIPT, smaller_script(include_str!("../../static/leaving.js"))),
        Asset::new("check_session.js", JAVASCRIPT, smaller_script(include_str!("../../static/check_session.js"))),
        Asset::new("admin.css", "text/css; charset=utf-8", smaller_css(include_str!("../../static/admin.css"))),
        Asset::new("admin.js", JAVASCRIPT, smaller_script(include_str!("../../static/admin.js"))),
        Asset::new("icon.svg", "image/svg+xml", Cow::Borrowed(include_str!("../../static/icon.svg"))),
        Asset::new(BROWSER_LIBRARY, JAVASCRIPT, Cow::Borrowed(include_str!("../../static/frontdesk.js"))),
    ]
});

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// One embedded file.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: Cow<'static, str>,
    /// The strong validator, with its quotes (RFC 9110, 8.8.3).
    etag: String,
    /// The address, `/static/<stem>.<hash>.<extension>`; without the hash for the browser library.
    path: String,
}

impl Asset {
    fn new(name: &'static str, content_type: &'static str, body: Cow<'static, str>) -> Self {
        let hash: String = sha256(body.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = match name.rsplit_once('.') {
            Some((stem, extension)) if name != BROWSER_LIBRARY => format!("/static/{stem}.{hash}.{extension}"),
            _ => format!("/static/{name}"),
        };
        Self { name, content_type, body, etag: format!("\"{hash}\""), path }
    }
}

/// The address of an embedded file for use in a page. A test keeps the templates to names that exist.
pub fn asset(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/static/", |asset| asset.path.as_str())
}

/// Every file with its address, for tests that look at pages in a browser.
#[cfg(test)]
pub(in crate::http) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    ASSETS.iter().map(|asset| (asset.path.as_str(), asset.body.as_ref()))
}

/// `GET /static/{*path}`: the file of that address, or 404. An address with an old hash is not answered with new
/// content, since browsers keep what they get.
pub async fn serve(Path(path): Path<String>, request: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path.strip_prefix("/static/") == Some(path.as_str())) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut reply = if is_fresh(&request, &asset.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, asset.content_type)], asset.body.as_ref()).into_response()
    };
    let headers = reply.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (cache, policy) = if asset.name == BROWSER_LIBRARY {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        (FIVE_MINUTES, "cross-origin")
    } else {
        (FOREVER, "same-origin")
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static(policy));
    reply
}

/// `GET /static/brand.css`: the operator's colours, or 404 where none are set. Its address carries a hash.
pub fn brand_stylesheet(brand: &Brand) -> Response {
    let Some(css) = brand.stylesheet() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, FOREVER),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, css).into_response()
}

/// `If-None-Match` (RFC 9110, 13.1.2), by weak comparison.
fn is_fresh(request: &HeaderMap, etag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == etag || tag == "*")
}

/// Takes comments and indentation out of our stylesheet (which has no strings with either).
fn smaller_css(text: &'static str) -> Cow<'static, str> {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    let lines: Vec<&str> = out.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let joined = lines.join("");
    Cow::Owned(joined.replace(" {", "{").replace(": ", ":").replace(", ", ",").replace(";}", "}").replace(" > ", ">"))
}

/// Takes indentation and whole lines of comment out of our page script (which has no text over several lines).
fn smaller_script(text: &'static str) -> Cow<'static, str> {
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
    Cow::Owned(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fetch(path: &str, if_none_match: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(tag) = if_none_match {
            headers.insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        }
        serve(Path(path.strip_prefix("/static/").unwrap().to_owned()), headers).await
    }

    #[tokio::test]
    async fn files_carry_their_hash_and_may_be_kept_for_ever() {
        for name in ["style.css", "page.js", "icon.svg"] {
            let reply = fetch(asset(name), None).await;
            assert_eq!(reply.status(), StatusCode::OK, "{name}");
            assert_eq!(reply.headers()[header::CACHE_CONTROL], FOREVER);
            assert_eq!(reply.headers()["cross-origin-resource-policy"], "same-origin");
            assert_eq!(reply.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert!(!reply.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
            let etag = reply.headers()[header::ETAG].to_str().unwrap().to_owned();
            assert!(asset(name).contains(etag.trim_matches('"')), "{name}");
            let again = fetch(asset(name), Some(&format!("\"x\", W/{etag}"))).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(again.headers()[header::ETAG].to_str().unwrap(), etag);
            assert_eq!(fetch(asset(name), Some("\"other\"")).await.status(), StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn the_browser_library_is_for_every_origin_at_a_steady_address() {
        let reply = fetch("/static/frontdesk.js", None).await;
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(reply.headers()["cross-origin-resource-policy"], "cross-origin");
        assert_eq!(reply.headers()[header::CACHE_CONTROL], FIVE_MINUTES);
        assert_eq!(reply.headers()[header::CONTENT_TYPE], JAVASCRIPT);
    }

    #[tokio::test]
    async fn other_addresses_are_not_found() {
        for path in ["/static/style.css", "/static/style.0000000000000000.css", "/static/../Cargo.toml", "/static/"] {
            assert_eq!(fetch(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn the_operators_colours_are_served_where_there_are_any() {
        let plain = Brand::plain("id.example.com".into());
        assert_eq!(brand_stylesheet(&plain).status(), StatusCode::NOT_FOUND);
        let reply = brand_stylesheet(&Brand { accent: "#7a1f5c".parse().ok(), ..plain });
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
    }

    #[test]
    fn what_people_load_stays_small() {
        let size = |name: &str| ASSETS.iter().find(|asset| asset.name == name).unwrap().body.len();
        assert!(size("style.css") < 20_000, "{}", size("style.css"));
        assert!(size("page.js") < 1_500, "{}", size("page.js"));
    }

    #[test]
    fn the_stylesheet_keeps_its_rules_and_loses_its_comments() {
        assert_eq!(smaller_css("/* a */\n.b {\n  color: red; /* c */\n}\n"), ".b{color:red}");
    }
}
