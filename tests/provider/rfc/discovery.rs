//! OpenID Connect Discovery 1.0 §3 and §4, RFC 8414 §2 and §3, RFC 7517: the documents, and that they are true.

use axum::body::Body;
use axum::http::{Method, Request};
use frontdesk::domain::alg::Alg;
use serde_json::{Value, json};

use crate::support::{ALICE, TestProvider, on_https};

const DOCUMENTS: [&str; 3] =
    ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"];

async fn house() -> TestProvider {
    TestProvider::with(|config| {
        on_https(config);
        config.keys.algorithms = vec![Alg::ES256, Alg::RS256];
    })
    .await
}

fn words(document: &Value, member: &str) -> Vec<String> {
    let list = document[member].as_array().unwrap_or_else(|| panic!("{member}: {document}"));
    list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// RFC 9110 §9.3.2: HEAD answers as GET does, without the body.
#[tokio::test]
async fn head_answers_as_get_does() {
    let provider = TestProvider::https().await;
    for path in DOCUMENTS {
        let whole = provider.get(path).await.expect(200);
        let request = Request::builder().method(Method::HEAD).uri(path).body(Body::empty()).unwrap();
        let head = provider.send(request).await.expect(200);
        assert_eq!(head.body, "");
        for name in ["content-type", "etag", "cache-control", "access-control-allow-origin"] {
            assert_eq!(head.header(name), whole.header(name), "{path} {name}");
        }
        assert_eq!(whole.header("cache-control"), "public, max-age=300", "{path}");
        assert!(whole.header("etag").starts_with('"'), "a strong one: {path}");
    }
}

/// The documents are everybody's: no cookie is read or set, and no header of the request moves the issuer.
#[tokio::test]
async fn the_issuer_comes_from_the_settings_alone() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let cookies = format!(
        "__Host-Http-sid={}; __Host-Http-browser={}",
        browser.cookie("sid").unwrap(),
        browser.cookie("browser").unwrap()
    );
    for path in DOCUMENTS {
        let plain = provider.get(path).await.expect(200);
        for headers in [
            vec![("host", "evil.example")],
            vec![("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http"), ("x-forwarded-port", "81")],
            vec![("forwarded", "host=evil.example;proto=http")],
            vec![("x-original-url", "https://evil.example/"), ("x-rewrite-url", "/evil")],
            vec![("cookie", cookies.as_str())],
            vec![("accept", "text/html"), ("accept-language", "de")],
        ] {
            let answer = provider.get_with(path, &headers).await.expect(200);
            assert_eq!(answer.body, plain.body, "{path} {headers:?}");
            assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{path} {headers:?}");
        }
        let queried = provider.get(&format!("{path}?issuer=https://evil.example")).await.expect(200);
        assert_eq!(queried.body, plain.body);
    }
    assert_eq!(provider.live_sessions().await, 1);
}

/// Discovery §3: required members, `RS256` among the algorithms, every address an https one of the issuer's own origin.
#[tokio::test]
async fn the_document_has_what_it_must_have() {
    let provider = house().await;
    let document = provider.get(DOCUMENTS[0]).await.json();
    assert_eq!(document["issuer"], json!("https://id.shop.test"));
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            assert!(value.as_str().unwrap().starts_with("https://id.shop.test/"), "{name}: {value}");
        }
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        assert!(!empty, "RFC 8414 §2: a member without a value is left out: {name}");
    }
    for (name, word) in [
        ("response_types_supported", "code"),
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("scopes_supported", "openid"),
        ("code_challenge_methods_supported", "S256"),
    ] {
        assert!(words(&document, name).contains(&word.to_owned()), "{name}");
    }
    for list in ["id_token_signing_alg_values_supported", "code_challenge_methods_supported"] {
        assert!(
            !words(&document, list).iter().any(|word| ["none", "HS256", "plain"].contains(&word.as_str())),
            "{list}"
        );
    }
}

/// RFC 8414 §2: what is not there is not named, and its usual address is nobody's.
#[tokio::test]
async fn what_is_not_there_is_neither_named_nor_answered() {
    let provider = house().await;
    let document = provider.get(DOCUMENTS[0]).await.json();
    for absent in [
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "require_pushed_authorization_requests",
        "device_authorization_endpoint",
        "backchannel_authentication_endpoint",
        "backchannel_token_delivery_modes_supported",
        "check_session_iframe",
        "request_object_signing_alg_values_supported",
        "authorization_signing_alg_values_supported",
        "userinfo_signing_alg_values_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "dpop_signing_alg_values_supported",
        "tls_client_certificate_bound_access_tokens",
        "mtls_endpoint_aliases",
        "authorization_details_types_supported",
        "client_id_metadata_document_supported",
        "protected_resources",
        "signed_metadata",
    ] {
        assert_eq!(document.get(absent), None, "{absent}");
    }
    for (list, absent) in [
        ("response_modes_supported", vec!["fragment", "jwt", "query.jwt"]),
        ("subject_types_supported", vec!["pairwise"]),
        ("prompt_values_supported", vec!["create"]),
        ("token_endpoint_auth_methods_supported", vec!["private_key_jwt", "client_secret_jwt", "tls_client_auth"]),
        ("grant_types_supported", vec!["implicit", "password", "urn:ietf:params:oauth:grant-type:device_code"]),
        ("scopes_supported", vec!["frontdesk:admin", "frontdesk:revocations"]),
    ] {
        let named = words(&document, list);
        assert!(!absent.iter().any(|word| named.contains(&(*word).to_owned())), "{list}: {named:?}");
    }
    for path in [
        "/oauth2/par",
        "/oauth2/register",
        "/oauth2/device_authorization",
        "/oauth2/bc-authorize",
        "/device",
        "/register",
        "/admin/api/v1/users",
        "/.well-known/webfinger",
        "/.well-known/oauth-protected-resource",
        "/.well-known/openid-configuration/",
        "/.well-known/openid-configuration/x",
        "/.well-known/",
        "/oauth2/authorize/",
        "/nothing",
    ] {
        for answer in [provider.get(path).await, provider.post(path, &[], &[("client_id", "own")]).await] {
            assert_eq!(answer.status.as_u16(), 404, "{path}");
            assert!(!answer.body.contains(path) && answer.set_cookies().is_empty(), "{path}: {answer:#?}");
        }
    }
}

/// RFC 8414 §2: what is named works.
#[tokio::test]
async fn what_the_authorization_endpoint_is_said_to_know_works() {
    let provider = house().await;
    let document = provider.get(DOCUMENTS[0]).await.json();
    let all = words(&document, "scopes_supported").join(" ");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for alg in words(&document, "id_token_signing_alg_values_supported") {
        let metadata = json!({
            "redirect_uris": ["https://app.example.com/callback"], "first_party": true, "scope": all,
            "id_token_signed_response_alg": alg, "grant_types": ["authorization_code", "refresh_token"],
        });
        let app = provider.register("app", metadata).await;
        for mode in words(&document, "response_modes_supported") {
            let asked = app.ask().with("response_mode", &mode);
            let page = app.visit(&browser, &asked).await;
            let code = match page.away {
                Some(_) => asked.code_in(page.left_for(), provider.issuer()),
                None => asked.code(page.hidden(&app.redirect_uri, "code")),
            };
            let answer = app.redeem(&code).await.expect(200);
            assert_eq!(answer.text("scope"), all);
            let (head, _) = provider.verify(&answer.text("id_token")).await;
            assert_eq!(json!(head.alg), json!(alg));
        }
        let before = provider.live_grants().await;
        for prompt in words(&document, "prompt_values_supported") {
            let asked = app.ask().with("prompt", &prompt);
            let page = app.visit(&browser, &asked).await;
            let page = browser.answer_all(page, ALICE).await;
            asked.code_in(page.left_for(), provider.issuer());
        }
        for acr in words(&document, "acr_values_supported") {
            let wish = json!({ "id_token": { "acr": { "essential": true, "value": acr } } }).to_string();
            let asked = app.ask().with("claims", &wish);
            asked.code_in(app.visit(&browser, &asked).await.left_for(), provider.issuer());
        }
        let wishes: serde_json::Map<String, Value> =
            words(&document, "claims_supported").into_iter().map(|claim| (claim, Value::Null)).collect();
        let asked = app.ask().with("claims", &json!({ "userinfo": wishes, "id_token": wishes }).to_string());
        asked.code_in(app.visit(&browser, &asked).await.left_for(), provider.issuer());
        assert_eq!(provider.live_grants().await, before + 6);
    }
}

/// RFC 7517 §5 leaves the order to us: apps that take the first key that fits shall meet one that signs.
#[tokio::test]
async fn the_key_that_signs_stands_first() {
    let provider = house().await;
    let jwks = provider.get(DOCUMENTS[2]).await.json();
    let states = provider.texts("SELECT kid FROM signing_keys WHERE state = 'active'").await;
    assert_eq!(states.len(), 2);
    let keys = jwks["keys"].as_array().unwrap();
    for alg in ["ES256", "RS256"] {
        let first = keys.iter().find(|key| key["alg"] == json!(alg)).unwrap();
        assert!(states.iter().any(|kid| first["kid"] == json!(kid)), "{alg}");
        assert_eq!(first["use"], json!("sig"));
    }
    for (at, key) in keys.iter().enumerate() {
        let active = states.iter().any(|kid| key["kid"] == json!(kid));
        assert_eq!(active, at < 2, "active keys stand before pending ones");
    }
}
