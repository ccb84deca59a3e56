//! Rows 76 to 85 at our own endpoints: whatever a token says, and whoever signed it. Each change is really signed with our own
//! key, so that nothing but the check in question can refuse it. What the ring itself refuses is tabled in `src/keys/verify.rs`;
//! row 86 is `rfc::rfc9068`.

use frontdesk::crypto::encoding::b64u;
use frontdesk::crypto::mac::MacKey;
use frontdesk::domain::alg::Alg;
use serde_json::{Value, json};

use crate::support::{ALICE, Forger, RelyingParty, TestProvider, Tokens, claims_of, encode};

/// A person with tokens, and someone who stole the key that signed them.
struct Robbed {
    provider: TestProvider,
    app: RelyingParty,
    tokens: Tokens,
    forger: Forger,
}

impl Robbed {
    async fn new() -> Self {
        Self::of(Alg::ES256).await
    }

    async fn of(alg: Alg) -> Self {
        let provider = TestProvider::with(|config| config.keys.algorithms = vec![alg]).await;
        let app = provider.client("web");
        let tokens = app.tokens_of(ALICE).await;
        let forger = Forger::with_stolen_key(&provider, alg).await;
        let robbed = Self { provider, app, tokens, forger };
        // What the thief signs anew without any change is taken: so it is the change that is refused below.
        let (access, hint) = (robbed.access_claims(), robbed.id_claims());
        let header = |typ| robbed.forger.header(typ).to_string();
        let same = robbed.forger.sign(&header("at+jwt"), &access.to_string());
        robbed.app.userinfo(&same).await.expect(200);
        let same = robbed.forger.sign(&header("JWT"), &hint.to_string());
        let query = encode(&[("id_token_hint", &same)]);
        robbed.provider.get(&format!("/oauth2/logout?{query}")).await.expect(200);
        robbed
    }

    fn access_claims(&self) -> Value {
        claims_of(&self.tokens.access)
    }

    fn id_claims(&self) -> Value {
        claims_of(&self.tokens.id)
    }

    /// Presents it wherever an access token is read.
    async fn refuse_access(&self, token: &str, what: &str) {
        let answer = self.provider.post("/oauth2/userinfo", &[], &[("access_token", token)]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text("error").as_str()),
            (401, "invalid_token"),
            "{what}: {answer:#?}"
        );
        for asker in ["web", "api"] {
            let answer = self.provider.client(asker).introspect(token).await.expect(200);
            assert_eq!(answer.body, r#"{"active":false}"#, "{what}");
        }
        self.app.revoke(token).await.expect(200);
    }

    /// Presents it wherever an ID token is read.
    async fn refuse_hint(&self, token: &str, what: &str) {
        let asked = self.app.ask().with("id_token_hint", token).with("prompt", "none");
        let page = self.app.visit(&self.provider.browser(), &asked).await;
        assert_eq!(asked.error_in(page.left_for(), self.provider.issuer()), "invalid_request", "{what}");
        let query = encode(&[("id_token_hint", token), ("post_logout_redirect_uri", "https://web.example/bye")]);
        let answer = self.provider.get(&format!("/oauth2/logout?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{what}");
    }

    /// A header with this change, in both roles.
    async fn refuse_header(&self, change: &dyn Fn(&mut Value), what: &str) {
        for (typ, claims) in [("at+jwt", self.access_claims()), ("JWT", self.id_claims())] {
            let mut header = self.forger.header(typ);
            change(&mut header);
            let token = self.forger.sign(&header.to_string(), &claims.to_string());
            self.refuse_both(&token, what).await;
        }
    }

    async fn refuse_both(&self, token: &str, what: &str) {
        self.refuse_access(token, what).await;
        self.refuse_hint(token, what).await;
    }

    /// Nothing came of it all.
    async fn is_unharmed(&self) {
        let provider = &self.provider;
        assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
        assert_eq!(provider.live_sessions().await, 1);
        assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 0);
        self.app.userinfo(&self.tokens.access).await.expect(200);
        self.app.refresh(&self.tokens.refresh).await.expect_tokens();
    }
}

#[tokio::test]
async fn row_76_no_token_chooses_its_algorithm() {
    for (own, other) in [(Alg::ES256, "RS256"), (Alg::RS256, "ES256")] {
        let robbed = Robbed::of(own).await;
        for alg in [
            json!("none"),
            json!("None"),
            json!("NONE"),
            json!("nOnE"),
            json!("none "),
            json!(""),
            json!("HS256"),
            json!("HS384"),
            json!("HS512"),
            json!("hs256"),
            json!("es256"),
            json!("rs256"),
            json!("ES384"),
            json!("ES256K"),
            json!("RS512"),
            json!("PS256"),
            json!("EdDSA"),
            json!("RSA1_5"),
            json!("dir"),
            json!(other),
            json!(null),
            json!(256),
            json!([own]),
        ] {
            robbed.refuse_header(&|header| header["alg"] = alg.clone(), &alg.to_string()).await;
            for (typ, claims) in [("at+jwt", robbed.access_claims()), ("JWT", robbed.id_claims())] {
                let header = json!({ "typ": typ, "alg": alg, "kid": robbed.forger.kid() }).to_string();
                let unsigned = format!("{}.{}.", b64u(header), b64u(claims.to_string()));
                robbed.refuse_both(&unsigned, &alg.to_string()).await;
            }
        }
        robbed.refuse_header(&|header| drop(header.as_object_mut().unwrap().remove("alg")), "without alg").await;
        robbed.is_unharmed().await;
    }
}

#[tokio::test]
async fn row_77_the_public_key_is_no_shared_secret() {
    for alg in [Alg::ES256, Alg::RS256] {
        let robbed = Robbed::of(alg).await;
        let jwks = robbed.provider.get("/.well-known/jwks.json").await;
        let jwk = robbed.forger.jwk();
        let mut spaced = serde_json::to_string_pretty(&jwk).unwrap();
        let parts: Vec<String> =
            ["n", "e", "x", "y"].iter().filter_map(|name| jwk[*name].as_str().map(str::to_owned)).collect();
        let raw: Vec<Vec<u8>> =
            parts.iter().map(|part| frontdesk::crypto::encoding::from_b64u(part).unwrap()).collect();
        let pem = pem_of(&jwk);
        let der = pem_bytes(&pem);
        spaced.push('\n');
        let mut secrets: Vec<Vec<u8>> = vec![
            jwk.to_string().into_bytes(),
            spaced.into_bytes(),
            jwks.body.clone().into_bytes(),
            pem.clone().into_bytes(),
            pem.trim_end().as_bytes().to_vec(),
            pem.replace('\n', "\r\n").into_bytes(),
            der,
            robbed.forger.kid().as_bytes().to_vec(),
            Vec::new(),
            b"secret".to_vec(),
            vec![0; 32],
        ];
        secrets.extend(parts.into_iter().map(String::into_bytes));
        secrets.push(raw.concat());
        secrets.extend(raw);
        let mut tried = 0;
        for secret in secrets {
            for named in ["HS256", alg.as_str()] {
                for (typ, claims) in [("at+jwt", robbed.access_claims()), ("JWT", robbed.id_claims())] {
                    let header = json!({ "typ": typ, "alg": named, "kid": robbed.forger.kid() }).to_string();
                    let message = format!("{}.{}", b64u(header), b64u(claims.to_string()));
                    let mac = MacKey::new(&secret).sign(&[message.as_bytes()]);
                    robbed.refuse_both(&format!("{message}.{}", b64u(mac)), named).await;
                    tried += 1;
                }
            }
        }
        assert!(tried >= 20);
        robbed.is_unharmed().await;
    }
}

/// The public key as `openssl` would write it.
fn pem_of(jwk: &Value) -> String {
    use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
    let bytes = |name: &str| frontdesk::crypto::encoding::from_b64u(jwk[name].as_str().unwrap()).unwrap();
    if jwk["kty"] == "EC" {
        let point = [vec![4], bytes("x"), bytes("y")].concat();
        p256::PublicKey::from_sec1_bytes(&point).unwrap().to_public_key_pem(LineEnding::LF).unwrap()
    } else {
        let number = |name| rsa::BoxedUint::from_be_slice_vartime(&bytes(name));
        rsa::RsaPublicKey::new(number("n"), number("e")).unwrap().to_public_key_pem(LineEnding::LF).unwrap()
    }
}

fn pem_bytes(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn row_78_a_kid_is_only_a_name() {
    let robbed = Robbed::new().await;
    let own = robbed.forger.kid().to_owned();
    let stranger = Forger::with_own_key(Alg::ES256);
    let kids = [
        json!(""),
        json!(" "),
        json!("unknown"),
        json!("../../etc/passwd"),
        json!("..\\..\\windows\\win.ini"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!("https://evil.example/jwks"),
        json!("' OR '1'='1"),
        json!("x' UNION SELECT 'a' --"),
        json!("1; DROP TABLE signing_keys"),
        json!("$(id)"),
        json!("%2e%2e%2f"),
        json!("*"),
        json!("\u{0}"),
        json!("ä"),
        json!(format!("{own} ")),
        json!(format!("{own}\u{0}")),
        json!(own.to_lowercase()),
        json!(own[..42]),
        json!("A".repeat(5_000)),
        json!(stranger.kid()),
        json!(null),
        json!(1),
        json!([own]),
    ];
    for kid in kids {
        robbed.refuse_header(&|header| header["kid"] = kid.clone(), &kid.to_string()).await;
    }
    robbed.refuse_header(&|header| drop(header.as_object_mut().unwrap().remove("kid")), "without kid").await;
    for (typ, claims) in [("at+jwt", robbed.access_claims().to_string()), ("JWT", robbed.id_claims().to_string())] {
        for header in [
            format!(r#"{{"typ":"{typ}","alg":"ES256","kid":"x","kid":"{own}"}}"#),
            format!(r#"{{"typ":"{typ}","alg":"ES256","kid":"{own}","kid":"{own}"}}"#),
        ] {
            robbed.refuse_both(&robbed.forger.sign(&header, &claims), "kid twice").await;
        }
        // A stranger's key, under its own name and under ours.
        for header in [stranger.header(typ), robbed.forger.header(typ)] {
            robbed.refuse_both(&stranger.sign(&header.to_string(), &claims), "stranger").await;
        }
    }
    robbed.is_unharmed().await;
}

#[tokio::test]
async fn row_79_no_token_brings_its_key_along() {
    let robbed = Robbed::new().await;
    let stranger = Forger::with_own_key(Alg::ES256);
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jwk", robbed.forger.jwk()),
        ("jwk", json!({})),
        ("jwk", json!(null)),
        ("jku", json!("https://evil.example/jwks")),
        ("jku", json!(format!("{}/.well-known/jwks.json", robbed.provider.issuer()))),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5c", json!([])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("epk", json!({})),
        ("p2c", json!(2_000_000_000)),
        ("iss", json!("https://evil.example")),
        ("x", json!(1)),
    ] {
        let what = format!("{name}: {value}");
        robbed.refuse_header(&|header| header[name] = value.clone(), &what).await;
        for (typ, claims) in [("at+jwt", robbed.access_claims()), ("JWT", robbed.id_claims())] {
            for kid in [stranger.kid(), robbed.forger.kid()] {
                let mut header = json!({ "typ": typ, "alg": "ES256", "kid": kid });
                header[name] = value.clone();
                robbed.refuse_both(&stranger.sign(&header.to_string(), &claims.to_string()), &what).await;
            }
        }
    }
    robbed.is_unharmed().await;
}

#[tokio::test]
async fn row_82_a_token_counts_within_its_time_only() {
    let robbed = Robbed::new().await;
    let header = robbed.forger.header("at+jwt").to_string();
    let now = robbed.provider.now();
    for (name, value) in [
        ("exp", json!(now)),
        ("exp", json!(now - 1)),
        ("exp", json!(now - 60)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!((now + 900).to_string())),
        ("exp", json!(null)),
        ("exp", json!(true)),
        ("exp", json!([now + 900])),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 11)),
        ("nbf", json!(now + 3_600)),
        ("nbf", json!(i64::MAX)),
        ("nbf", json!("0")),
        ("nbf", json!(null)),
        ("iat", json!(now + 11)),
        ("iat", json!(now + 3_600)),
        ("iat", json!(i64::MAX)),
        ("iat", json!("1")),
        ("iat", json!(null)),
        ("iat", json!(false)),
    ] {
        let mut claims = robbed.access_claims();
        claims[name] = value.clone();
        robbed.refuse_access(&robbed.forger.sign(&header, &claims.to_string()), &format!("{name}: {value}")).await;
    }
    for name in ["exp", "iat"] {
        let mut claims = robbed.access_claims();
        claims.as_object_mut().unwrap().remove(name);
        robbed.refuse_access(&robbed.forger.sign(&header, &claims.to_string()), name).await;
    }
    // Clocks of two processes of ours may differ by a little.
    for (name, value) in [("nbf", now), ("nbf", now + 10), ("iat", now + 10), ("exp", now + 1)] {
        let mut claims = robbed.access_claims();
        claims[name] = json!(value);
        robbed.app.userinfo(&robbed.forger.sign(&header, &claims.to_string())).await.expect(200);
    }
    robbed.is_unharmed().await;
    // A hint says who is meant and proves nothing, so it may be old.
    robbed.provider.advance(3_600).await;
    robbed.app.userinfo(&robbed.tokens.access).await.expect_error("invalid_token");
    let query = encode(&[("id_token_hint", &robbed.tokens.id)]);
    robbed.provider.get(&format!("/oauth2/logout?{query}")).await.expect(200);
}

#[tokio::test]
async fn row_83_the_type_of_another_kind_is_refused_though_our_key_signed_it() {
    let robbed = Robbed::new().await;
    for typ in [
        "",
        "jwt",
        "JOSE",
        "AT+JWT",
        "at+jwt ",
        "application/at+jwt",
        "logout+jwt",
        "dpop+jwt",
        "statuslist+jwt",
        "secevent+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
        "entity-statement+jwt",
        "vc+sd-jwt",
        "kb+jwt",
        "passport",
        "null",
        "id+jwt",
        "reset+jwt",
    ] {
        robbed.refuse_header(&|header| header["typ"] = json!(typ), typ).await;
    }
    // Each under the other's name.
    let header = |typ| robbed.forger.header(typ).to_string();
    robbed.refuse_access(&robbed.forger.sign(&header("JWT"), &robbed.access_claims().to_string()), "AT as JWT").await;
    robbed.refuse_hint(&robbed.forger.sign(&header("at+jwt"), &robbed.id_claims().to_string()), "ID as at+jwt").await;
    // The claims of an ID token under the header of an access token name no client and no grant.
    robbed.refuse_access(&robbed.forger.sign(&header("at+jwt"), &robbed.id_claims().to_string()), "ID claims").await;
    robbed.is_unharmed().await;
}

#[tokio::test]
async fn row_85_strange_shapes_are_refused_wherever_they_are_shown() {
    let robbed = Robbed::new().await;
    for good in [&robbed.tokens.access, &robbed.tokens.id] {
        let parts: Vec<&str> = good.split('.').collect();
        let [head, body, signature] = parts[..] else { panic!("{good}") };
        let nested = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        let typ = if *good == robbed.tokens.access { "at+jwt" } else { "JWT" };
        let header = robbed.forger.header(typ).to_string();
        let claims = claims_of(good).to_string();
        let big = claims.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(9 * 1024)), 1);
        // Too much for a body of ours, so it comes in the header.
        robbed.app.userinfo(&robbed.forger.sign(&header, &big)).await.expect_error("invalid_token");
        for token in [
            ".".to_owned(),
            "..".to_owned(),
            "a.b".to_owned(),
            "%%%.%%%.%%%".to_owned(),
            head.to_owned(),
            format!("{head}.{body}"),
            format!("{head}.{body}."),
            format!("{good}."),
            format!(".{good}"),
            // Five parts are a JWE.
            format!("{good}.{signature}.{signature}"),
            format!("{head}..{body}.{signature}.{signature}"),
            format!("{good}.{signature}"),
            format!("{good} x"),
            format!("{good}="),
            format!("{head}=.{body}.{signature}"),
            format!("{head}. {body}.{signature}"),
            format!("{head}.{body}.{}+", &signature[1..]),
            good.replace('.', ","),
            // All of these are really signed.
            robbed.forger.sign("", &claims),
            robbed.forger.sign("{}", &claims),
            robbed.forger.sign("[]", &claims),
            robbed.forger.sign(&nested, &claims),
            robbed.forger.sign(&header, &nested),
            robbed.forger.sign(&header, "{}"),
            robbed.forger.sign(&header, "[]"),
            robbed.forger.sign(&header, ""),
            robbed.forger.sign(&header, &claims.replacen('{', "{\"iss\":\"https://evil.example\",", 1)),
            robbed.forger.sign(&header, &claims.replacen('{', "{\"sub\":\"admin\",", 1)),
            robbed.forger.sign(&header, &format!("{claims}{claims}")),
            robbed.forger.sign_parts(&b64u(&header), &format!("{}=", b64u(&claims))),
            robbed.forger.sign_as_der(&header, &claims),
        ] {
            robbed.refuse_both(&token, &token[..token.len().min(200)]).await;
        }
    }
    robbed.is_unharmed().await;
}
