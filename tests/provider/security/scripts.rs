//! Text that strangers choose stays text on every page.

use serde_json::json;

use crate::support::{ALICE, Answer, Page, TestProvider, encode, query_of};

/// What people try, and two words that harm nobody.
const PAYLOADS: [&str; 24] = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><svg onload=alert(1)>",
    "\" autofocus onfocus=alert(1) x=\"",
    "' onmouseover='alert(1)",
    "<img src=x onerror=alert(1)>",
    "</strong></h1><h1>Signed out</h1>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=https://evil.example><input name=password>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% include 'x' %}${7*7}#{7*7}",
    "<!--",
    "<![CDATA[",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "</textarea></noscript><script>alert(1)</script>",
    "\u{ff1c}script\u{ff1e}alert(1)\u{ff1c}/script\u{ff1e}",
    "\u{202e}gnp.exe\u{2066}",
    "<math><mtext><script>alert(1)</script>",
];

/// The tags of a page and the names of their attributes: what a browser builds from it. Text and values are left out.
fn skeleton(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let mut tag = String::new();
        let mut quote = None;
        let mut end = rest.len();
        for (at, letter) in rest[start..].char_indices() {
            match (quote, letter) {
                (None, '>') => {
                    end = start + at + 1;
                    break;
                }
                (None, '"' | '\'') => quote = Some(letter),
                (Some(open), letter) if letter == open => quote = None,
                (None, letter) => tag.push(letter),
                (Some(_), _) => {}
            }
        }
        tags.push(tag);
        rest = &rest[end..];
    }
    tags
}

/// Fails unless the page is built like the harmless one, and its policy would stop a script that slipped in.
#[track_caller]
fn harmless(answer: &Answer, plain: &Answer, payload: &str) {
    assert_eq!(answer.status, plain.status, "{payload:?}: {answer:#?}");
    assert_eq!(skeleton(&answer.body), skeleton(&plain.body), "{payload:?}: {}", answer.body);
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("base-uri 'none'"), "{policy}");
    assert!(!policy.contains("unsafe-") && !policy.contains("data: script"), "{policy}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

/// Fails if the text stands on the page as it was sent, where that would be more than text.
#[track_caller]
fn is_not_in(payload: &str, answer: &Answer) {
    let contained = payload.contains(['<', '"', '\'']) && answer.body.contains(payload);
    assert!(!contained, "{payload:?}: {answer:#?}");
}

/// The pages on which a person and an app meet, with everything about them made of one text.
async fn tour(provider: &TestProvider, text: &str) -> Vec<Page> {
    let metadata = json!({
        "client_name": text, "application_type": "web", "scope": "openid profile email notes:read",
        "redirect_uris": ["https://named.example/callback"], "client_uri": "https://named.example/",
        "post_logout_redirect_uris": ["https://named.example/bye"],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let app = provider.register("named", metadata).await;
    let claims = json!({ "name": text, "given_name": text, "nickname": text, "address": { "locality": text } });
    let literal = claims.to_string().replace('\'', "''");
    provider.run(&format!("UPDATE users SET claims = '{literal}' WHERE username = 'alice'")).await;
    provider.run(&format!("UPDATE resources SET name = '{}'", text.replace('\'', "''"))).await;
    // So that this process reads the resource's new name.
    provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'resources'").await;
    provider.follow_changes().await;

    let browser = provider.browser();
    let asked = app.ask().with("login_hint", text).with("state", text).with("nonce", text).with("prompt", "consent");
    let asked = asked.with("claims", &json!({ "userinfo": { "nickname": null, "address": null } }).to_string());
    let login = app.visit(&browser, &asked).await.expect_at("/login");
    let fields = [("username", text), ("password", "not the password")];
    let refused = browser.submit(&login, "/login", &fields).await.expect_at("/login");
    let fields = [("username", ALICE), ("password", crate::support::PASSWORD)];
    let consent = browser.submit(&refused, "/login", &fields).await.expect_at("/consent");
    let accepted = browser.submit(&consent, "/consent", &[("decision", "accept")]).await;
    assert_eq!(query_of(accepted.left_for(), "state").as_deref(), Some(text));
    let code = asked.code(query_of(accepted.left_for(), "code").unwrap());
    let tokens = app.redeem(&code).await.expect_tokens();
    let mut pages = vec![login, refused, consent];
    for path in [
        "/account",
        "/account/password",
        "/account/sessions",
        "/account/apps",
        "/account/apps/named/withdraw",
        "/login/other",
    ] {
        pages.push(browser.go(path).await.expect_at(path).expect(200));
    }
    let again = app.visit(&browser, &asked.clone().with("prompt", "login")).await.expect_at("/login/again");
    let choose = app.visit(&browser, &asked.clone().with("prompt", "select_account")).await.expect_at("/login/choose");
    let posted = app.visit(&browser, &app.ask().with("response_mode", "form_post").with("state", text)).await;
    let query = encode(&[
        ("id_token_hint", tokens.id.as_str()),
        ("post_logout_redirect_uri", "https://named.example/bye"),
        ("state", text),
    ]);
    let confirm = browser.come(&format!("/oauth2/logout?{query}")).await.expect(200);
    let page = browser.go("/account").await;
    let fields = [("txn", "client_id=named")];
    let out = browser.submit(&page, "/logout", &fields).await.expect(200);
    pages.extend([again, choose, posted, confirm, out]);
    pages
}

#[tokio::test]
async fn row_126_names_hints_and_states_are_text_on_every_page() {
    let provider = TestProvider::with(|config| {
        crate::support::on_https(config);
        config.passwords.attempts_per_account_and_network = 1000;
        config.passwords.attempts_per_network = 1000;
    })
    .await;
    let plain = tour(&provider, "harmless").await;
    assert_eq!(plain.len(), 14);
    let silent: Vec<&str> =
        plain.iter().filter(|page| !page.answer.body.contains("harmless")).map(|page| page.path.as_str()).collect();
    assert_eq!(silent, ["/login/other"], "every other page shows something of it");
    for payload in PAYLOADS {
        let pages = tour(&provider, payload).await;
        for (page, plain) in pages.iter().zip(&plain) {
            harmless(&page.answer, &plain.answer, payload);
        }
    }
    let seconds = i64::try_from(PAYLOADS.len()).unwrap() + 1;
    assert_eq!(provider.number("SELECT COUNT(*) FROM sessions").await, seconds, "each tour signed in once");
}

#[tokio::test]
async fn row_126_what_is_wrong_with_a_request_is_told_without_repeating_it() {
    let provider = TestProvider::https().await;
    let (web, native) = (provider.client("web"), provider.client("native"));
    let browser = provider.browser();
    let parameters = [
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "prompt",
        "max_age",
        "display",
        "ui_locales",
        "acr_values",
        "claims",
        "id_token_hint",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "request",
        "request_uri",
    ];
    for (at, payload) in PAYLOADS.into_iter().enumerate() {
        for parameter in parameters {
            for app in [&web, &native] {
                let state = format!("{payload}{at}");
                let page = app.visit(&browser, &app.ask().with(parameter, payload).with("state", &state)).await;
                let Some(url) = page.away else {
                    is_not_in(payload, &page.answer);
                    continue;
                };
                // It goes back to the app, in its own state and nowhere else.
                let told = query_of(&url, "error_description").unwrap_or_default();
                assert!(!told.contains(payload), "{parameter} {payload:?}: {url}");
                assert_eq!(query_of(&url, "state").as_deref(), Some(state.as_str()), "{url}");
                assert!(!url.contains(['<', '>', '"', '\'', ' ']), "{url}");
            }
        }
        // Pages and endpoints that answer with an error of their own.
        let query = encode(&[("txn", payload), ("done", payload), ("post_logout_redirect_uri", payload)]);
        for path in ["/login", "/consent", "/login/choose", "/oauth2/logout", "/account", "/nowhere"] {
            let answer = browser.go(&format!("{path}?{query}")).await.answer;
            is_not_in(payload, &answer);
        }
        for (name, value) in
            [("grant_type", payload), ("code", payload), ("scope", payload), ("refresh_token", payload)]
        {
            let mut form = vec![("grant_type", "refresh_token")];
            form.retain(|(own, _)| *own != name);
            form.push((name, value));
            let answer = web.token(&form).await;
            assert!(answer.status.is_client_error(), "{answer:#?}");
            assert_eq!(answer.header("content-type"), "application/json");
            let told = answer.text("error_description");
            assert!(!told.contains(payload), "{name} {payload:?}: {told}");
            assert!(told.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'), "{told}");
        }
    }
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (0, 0));
}

#[tokio::test]
async fn row_126_an_address_that_is_a_script_is_not_registered() {
    let provider = TestProvider::https().await;
    for address in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "blob:https://named.example/1",
        "file:///etc/passwd",
        "http://named.example/",
        "//named.example/",
        "/relative",
        "",
        "https://",
        "https:named.example",
        "https://user:pw@named.example/",
        "https://named.example/\"><script>",
        "https://named.example/<svg>",
        "https://named.example/ x",
        "https://named.example/\\evil",
        "https://named.example/{x}",
    ] {
        for member in ["client_uri", "policy_uri", "tos_uri"] {
            let metadata = json!({
                "client_name": "Named", "application_type": "web", "redirect_uris": ["https://named.example/callback"],
                member: address,
            });
            let refused = provider.try_to_register("named", metadata).await.expect_err(address);
            assert_eq!(refused, [member], "{address:?}");
        }
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE client_id = 'named'").await, 0);
}
