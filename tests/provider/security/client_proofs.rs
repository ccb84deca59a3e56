//! Rows 49 and 50: clients that prove too much, too little, or in another way than they registered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{ALICE, Answer, TestProvider};

/// `Authorization: Basic` over the text as it is.
fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// The endpoints where clients prove who they are.
const ENDPOINTS: [&str; 3] = ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"];

#[tokio::test]
async fn row_49_two_proofs_in_one_request_are_one_too_many() {
    let provider = TestProvider::start().await;
    let (web, post) = (provider.client("web"), provider.client("post"));
    let tokens = web.tokens_of(ALICE).await;
    let (web_secret, post_secret) = (web.secret(), post.secret());
    let header = basic(&format!("web:{web_secret}"));
    let of_post = basic(&format!("post:{post_secret}"));
    let wrong = basic("web:guess");
    let jwt_bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = tokens.id.as_str();
    let second_proofs: Vec<(&str, Vec<(&str, &str)>)> = vec![
        (&header, vec![("client_secret", web_secret.as_str())]),
        (&header, vec![("client_id", "web"), ("client_secret", &web_secret)]),
        (&header, vec![("client_secret", "guess")]),
        (&header, vec![("client_id", "post"), ("client_secret", &post_secret)]),
        (&header, vec![("client_id", "own"), ("client_secret", "guess")]),
        (&header, vec![("client_id", "post")]),
        (&header, vec![("client_id", "native")]),
        (&header, vec![("client_id", "nobody")]),
        (&header, vec![("client_id", "Web")]),
        (&of_post, vec![("client_secret", &post_secret)]),
        (&of_post, vec![("client_id", "post"), ("client_secret", &post_secret)]),
        (&wrong, vec![("client_id", "web"), ("client_secret", &web_secret)]),
        ("Bearer x", vec![("client_id", "post"), ("client_secret", &post_secret)]),
        ("Basic", vec![("client_id", "post"), ("client_secret", &post_secret)]),
        ("", vec![("client_id", "post"), ("client_secret", &post_secret)]),
        (&header, vec![("client_assertion", assertion), ("client_assertion_type", jwt_bearer)]),
        (&header, vec![("client_id", "web"), ("client_assertion", assertion), ("client_assertion_type", jwt_bearer)]),
        (&header, vec![("client_assertion", assertion)]),
        (&header, vec![("client_assertion_type", jwt_bearer)]),
        (&of_post, vec![("client_assertion", assertion), ("client_assertion_type", jwt_bearer)]),
    ];
    assert_eq!(second_proofs.len(), 20);
    for path in ENDPOINTS {
        for (authorization, proof) in &second_proofs {
            let mut form = vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", tokens.refresh.as_str()),
                ("token", &tokens.refresh),
            ];
            form.extend_from_slice(proof);
            let headers = [("authorization", *authorization)];
            provider.post(path, &headers, &form).await.expect_error("invalid_request");
        }
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        form.extend([("token", tokens.refresh.as_str()), ("client_id", "post"), ("client_secret", &post_secret)]);
        form.extend([("client_assertion", assertion), ("client_assertion_type", jwt_bearer)]);
        provider.post(path, &[], &form).await.expect_error("invalid_request");
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    web.refresh(&tokens.refresh).await.expect_tokens();
}

/// By which method, the `Authorization` header, and what stands in the form.
type Proof<'a> = (&'a str, Option<String>, Vec<(&'a str, &'a str)>);

#[tokio::test]
async fn row_50_a_client_proves_itself_as_it_registered_and_not_otherwise() {
    let provider = TestProvider::start().await;
    let mut tried = 0;
    for (id, method) in [("web", "basic"), ("post", "post"), ("native", "none")] {
        let app = provider.client(id);
        let tokens = app.tokens_of(ALICE).await;
        let secret = app.secret();
        let right = basic(&format!("{id}:{secret}"));
        let proofs: Vec<Proof<'_>> = vec![
            ("none", None, vec![("client_id", id)]),
            ("none", None, vec![("client_id", id), ("client_secret", "")]),
            ("basic", Some(right), vec![]),
            ("post", None, vec![("client_id", id), ("client_secret", secret.as_str())]),
            ("wrong", None, vec![]),
            ("wrong", None, vec![("client_secret", &secret)]),
            ("wrong", None, vec![("client_id", id), ("client_secret", "guess")]),
            ("wrong", None, vec![("client_id", id), ("client_secret", " ")]),
            ("wrong", None, vec![("client_id", id), ("client_secret", &secret[..secret.len() - 1])]),
            ("wrong", None, vec![("client_id", "nobody"), ("client_secret", &secret)]),
            ("wrong", None, vec![("client_id", id), ("client_assertion", &tokens.id)]),
            ("wrong", Some(basic(&format!("{id}:"))), vec![]),
            ("wrong", Some(basic(id)), vec![]),
            ("wrong", Some(basic(&format!(":{secret}"))), vec![]),
            ("wrong", Some(basic(&format!("{id}:guess"))), vec![]),
            ("wrong", Some(basic(&format!("{id}:{secret}x"))), vec![]),
            ("wrong", Some(basic(&format!("{id}:{}", secret.to_uppercase()))), vec![]),
            ("wrong", Some(basic(&format!("nobody:{secret}"))), vec![]),
            ("wrong", Some(basic(&format!("{id}%00:{secret}"))), vec![]),
            ("wrong", Some(format!("Bearer {}", tokens.access)), vec![]),
            ("wrong", Some(format!("Bearer {}", STANDARD.encode(format!("{id}:{secret}")))), vec![]),
            ("wrong", Some("Basic %%%".to_owned()), vec![]),
            ("wrong", Some("Basic".to_owned()), vec![]),
        ];
        for (used, authorization, proof) in proofs {
            let headers: Vec<(&str, &str)> =
                authorization.iter().map(|value| ("authorization", value.as_str())).collect();
            for path in ENDPOINTS {
                if used == method {
                    continue;
                }
                let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
                form.push(("token", &tokens.refresh));
                form.extend_from_slice(&proof);
                let answer = provider.post(path, &headers, &form).await.expect_error("invalid_client");
                let challenge = answer.header("www-authenticate");
                assert_eq!(challenge, if authorization.is_some() { "Basic realm=\"oauth2\"" } else { "" });
                tried += 1;
            }
        }
        assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families WHERE ended_at IS NULL").await, 0);
        // What the client does as it registered works all the same.
        app.refresh(&tokens.refresh).await.expect_tokens();
        app.revoke(&tokens.refresh).await.expect(200);
    }
    // Of the 23 proofs, one or two for each client are the registered one.
    assert_eq!(tried, 3 * (22 + 22 + 21));
}

#[tokio::test]
async fn row_50_an_unknown_client_and_a_wrong_secret_are_told_the_same() {
    let provider = TestProvider::start().await;
    let told = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("request-id");
        (answer.status, headers, answer.body.clone())
    };
    for path in ENDPOINTS {
        let mut answers = Vec::new();
        for text in ["web:guess", "nobody:guess", "post:guess", "native:guess", "web:"] {
            let header = basic(text);
            let form = [("grant_type", "refresh_token"), ("refresh_token", "fd_rt_x"), ("token", "x")];
            answers
                .push(provider.post(path, &[("authorization", &header)], &form).await.expect_error("invalid_client"));
        }
        assert!(answers.iter().all(|answer| told(answer) == told(&answers[0])), "{path} {answers:#?}");
    }
    assert_eq!(provider.live_grants().await, 0);
}
