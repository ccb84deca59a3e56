//! What may be registered, and what is refused at which member.

use std::time::Duration;

use super::*;
use crate::domain::client::{AuthMethod, ClientSettings, Delivery, GrantType, RefreshIssuance};
use crate::domain::id::ClientId;
use crate::domain::refresh_family::Retry;
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeSet;
use crate::domain::secret::Secret;

fn house(issuer: &str) -> House {
    House {
        issuer: Origin::parse(issuer).unwrap(),
        development: issuer.starts_with("http:"),
        algorithms: vec![Alg::ES256, Alg::RS256],
        access_token: Duration::from_secs(900),
        longest_access_token: Duration::from_secs(3600),
        status_bit_kept: Duration::from_secs(3600 + 30 + 900),
        outbound: Rules::new(&[Origin::parse("https://app.internal:8443").unwrap()]),
    }
}

fn production() -> House {
    house("https://id.example.com")
}

fn notes() -> Vec<Resource> {
    vec![Resource {
        identifier: "https://api.example.com".to_owned(),
        name: "Notes".to_owned(),
        scopes: ScopeSet::parse("notes:read notes:write").unwrap(),
        introspected_by: Vec::new(),
        access_token_alg: Alg::ES256,
        disabled_at: None,
    }]
}

fn check(house: &House, text: &str) -> Result<ClientSettings, Vec<RegistrationError>> {
    check_client(house, &notes(), &toml::from_str(text).unwrap())
}

fn good(text: &str) -> ClientSettings {
    check(&production(), text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"))
}

const WEB: &str = "redirect_uris = ['https://app.example.com/cb']\n";
const BROWSER: &str = "application_type = 'browser'\nredirect_uris = ['https://app.example.com/cb']\n";
const COOKIE: &str = "application_type = 'browser'\nrefresh_token_delivery = 'cookie'\n";
const AT_HOME: &str = "redirect_uris = ['https://app.example.com/cb']\nallowed_origins = ['https://app.example.com']\n";
const SERVICE: &str = "application_type = 'service'\n";
const NATIVE: &str = "application_type = 'native'\n";

#[test]
fn defaults_depend_on_the_kind_of_program() {
    let web = good(WEB);
    assert_eq!(web.token_endpoint_auth_method, AuthMethod::ClientSecretBasic);
    assert_eq!(web.grant_types, [GrantType::AuthorizationCode]);
    assert_eq!(web.scope.to_string(), "openid");
    assert_eq!(
        (web.refresh_retry, web.refresh_token_issuance),
        (Retry::UntilSuccessorUsed, RefreshIssuance::OfflineAccess)
    );
    assert_eq!(web.id_token_signed_response_alg, Alg::RS256);
    assert!(web.require_pkce && !web.first_party && !web.direct_login && !web.admin_api);

    let browser = good(BROWSER);
    assert_eq!(browser.token_endpoint_auth_method, AuthMethod::None);
    assert_eq!((browser.refresh_retry, browser.refresh_token_issuance), (Retry::Grace, RefreshIssuance::Always));
    assert_eq!(browser.refresh_token_delivery, Delivery::Body);

    let cookie = good(&format!("{COOKIE}{AT_HOME}"));
    assert_eq!(cookie.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    assert!(cookie.is_cookie_mode() && cookie.is_public());

    let service = good(SERVICE);
    assert_eq!(service.grant_types, [GrantType::ClientCredentials]);
    assert!(service.scope.is_empty() && !service.is_public());
}

#[test]
fn lengths_of_time_are_written_for_people_or_in_seconds() {
    let settings = good(&format!("{WEB}access_token_ttl = '15m'\nrefresh_lifetime = 86400\ndefault_max_age = '1h30m'"));
    assert_eq!(settings.access_token_ttl, Some(900));
    assert_eq!(settings.refresh_lifetime, Some(86_400));
    assert_eq!(settings.default_max_age, Some(5_400));
    for bad in ["'15'", "'soon'", "-1", "1.5", "'500ms'", "true"] {
        assert!(toml::from_str::<ClientMetadata>(&format!("access_token_ttl = {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn what_is_registered_can_be_registered_again() {
    for text in [
        format!("{COOKIE}{AT_HOME}scope = 'openid notes:read'\nrefresh_grace = 5\nowner = 'me'\nfirst_party = true"),
        format!("{SERVICE}scope = 'notes:write'"),
        format!("{WEB}client_uri = 'https://app.example.com/'\naccess_token_ttl = 60\ndefault_max_age = 0"),
    ] {
        let settings = good(&text);
        let written = toml::to_string(&ClientMetadata::from(&settings)).unwrap();
        assert_eq!(good(&written), settings);
    }
}

#[test]
fn an_app_is_told_of_a_sign_out_where_nobody_else_can_be_meant() {
    for text in [
        "backchannel_logout_uri = 'https://app.example.com/out'\nbackchannel_logout_session_required = true",
        "backchannel_logout_uri = 'https://elsewhere.example/out?tenant=1'",
        "backchannel_logout_uri = 'https://app.internal:8443/out'",
        "frontchannel_logout_uri = 'https://app.example.com/out'\nfrontchannel_logout_session_required = true",
    ] {
        let settings = good(&format!("{WEB}{text}"));
        assert_eq!(good(&toml::to_string(&ClientMetadata::from(&settings)).unwrap()), settings);
    }
    for (member, values) in [
        (
            "backchannel_logout_uri",
            &[
                "http://app.example.com/out",
                "https://app.example.com:8080/out",
                "https://app.internal:8444/out",
                "http://localhost:3000/out",
                "https://localhost/out",
                "https://127.0.0.1/out",
                "https://10.0.0.1/out",
                "https://[::1]/out",
                "https://[fd00::1]/out",
                "https://2130706433/out",
                "https://0177.0.0.1/out",
                "https://app.example.com/out#x",
                "https://user@app.example.com/out",
                "file:///etc/passwd",
                "app.example.com/out",
                "",
            ][..],
        ),
        (
            "frontchannel_logout_uri",
            &[
                "http://app.example.com/out",
                "https://app.example.com:8443/out",
                "https://sub.app.example.com/out",
                "https://app.example.com.evil.example/out",
                "https://app.example.com/out#x",
                "javascript:alert(1)",
                "http://localhost:3000/out",
            ],
        ),
    ] {
        for value in values {
            let errors = check(&production(), &format!("{WEB}{member} = '{value}'")).map(|_| value).unwrap_err();
            assert_eq!(errors.iter().map(|error| error.member).collect::<Vec<_>>(), [member], "{value}: {errors:?}");
        }
        let service = format!("{SERVICE}{member} = 'https://app.example.com/out'");
        assert_eq!(check(&production(), &service).unwrap_err()[0].member, member);
    }
    let at_home = "redirect_uris = ['http://localhost:3000/cb']\nfrontchannel_logout_uri = 'http://localhost:3000/out'";
    assert!(check(&house("http://localhost:8080"), at_home).is_ok());
    for member in ["backchannel_logout_session_required", "frontchannel_logout_session_required"] {
        assert_eq!(check(&production(), &format!("{WEB}{member} = true")).unwrap_err()[0].member, member);
    }
}

#[test]
fn good_clients() {
    for text in [
        format!("{NATIVE}redirect_uris = ['http://127.0.0.1/cb', 'com.example.app:/cb', 'https://app.example.com/cb']"),
        format!("{WEB}token_endpoint_auth_method = 'client_secret_post'\nrefresh_retry = 'no_rotation'"),
        format!("{WEB}require_pkce = false"),
        format!("{WEB}grant_types = ['authorization_code', 'refresh_token', 'client_credentials']"),
        format!("{WEB}scope = 'openid frontdesk:admin'\nadmin_api = true"),
        format!("{COOKIE}{AT_HOME}first_party = true\ndirect_login = true"),
        format!("{BROWSER}allowed_origins = ['https://app.example.com', 'https://elsewhere.test']"),
        format!("{WEB}response_types = ['code']\ncallback_redirects = 'anywhere'"),
    ] {
        good(&text);
    }
}

#[test]
fn direct_login_is_for_one_resource() {
    let two = vec![
        Resource { scopes: ScopeSet::parse("notes:read").unwrap(), ..notes().remove(0) },
        Resource {
            identifier: "https://mail.example.com".to_owned(),
            scopes: ScopeSet::parse("notes:write").unwrap(),
            ..notes().remove(0)
        },
    ];
    let text =
        format!("{COOKIE}{AT_HOME}first_party = true\ndirect_login = true\nscope = 'openid notes:read notes:write'");
    good(&text);
    let refused = check_client(&production(), &two, &toml::from_str(&text).unwrap()).unwrap_err();
    assert_eq!(refused.iter().map(|error| error.member).collect::<Vec<_>>(), ["direct_login"], "{refused:?}");
    let one = text.replace(" notes:write", "");
    assert!(check_client(&production(), &two, &toml::from_str(&one).unwrap()).is_ok());
}

#[test]
fn the_grace_of_a_cookie_is_at_most_half_the_time_over_which_the_library_spreads_refreshes() {
    let cookie = |more: &str| format!("{COOKIE}{AT_HOME}{more}");
    for (text, fits) in [
        ("refresh_grace = 30", true),
        ("refresh_grace = 31", false),
        ("access_token_ttl = 60\nrefresh_grace = 6", true),
        ("access_token_ttl = 60\nrefresh_grace = 7", false),
        ("access_token_ttl = 3600\nrefresh_grace = 31", false),
    ] {
        let refused = check(&production(), &cookie(text)).err().unwrap_or_default();
        let members: Vec<_> = refused.iter().map(|error| error.member).collect();
        assert_eq!(members, if fits { vec![] } else { vec!["refresh_grace"] }, "{text}");
    }
    good(&format!("{WEB}refresh_grace = 60"));
}

#[test]
fn bad_clients_are_refused_at_the_member_that_is_wrong() {
    let uri = |uri: &str| format!("redirect_uris = [{uri:?}]");
    let cookie = |more: &str| format!("{COOKIE}{AT_HOME}{more}");
    let cases: Vec<(String, &str)> = vec![
        // redirect URIs
        (String::new(), "redirect_uris"),
        ("redirect_uris = []".to_owned(), "redirect_uris"),
        (uri("javascript:alert(1)"), "redirect_uris"),
        (uri("data:text/html,x"), "redirect_uris"),
        (uri("http://app.example.com/cb"), "redirect_uris"),
        (uri("https://app.example.com/cb#x"), "redirect_uris"),
        (uri("myapp:/cb"), "redirect_uris"),
        (uri("https://*.example.com/cb"), "redirect_uris"),
        (uri("https://me@app.example.com/cb"), "redirect_uris"),
        (uri("/cb"), "redirect_uris"),
        (uri("https://app.example.com/cb?code=1"), "redirect_uris"),
        (uri("https://app.example.com/cb?state=1"), "redirect_uris"),
        (uri("http://127.0.0.1/cb"), "redirect_uris"),
        (uri("http://localhost:8081/cb"), "redirect_uris"),
        (uri("https://localhost/cb"), "redirect_uris"),
        (uri("com.example.app:/cb"), "redirect_uris"),
        (format!("{WEB}post_logout_redirect_uris = ['http://localhost/']"), "post_logout_redirect_uris"),
        (format!("{WEB}post_logout_redirect_uris = ['javascript:x']"), "post_logout_redirect_uris"),
        ("redirect_uris = ['https://a.example/', 'https://a.example/']".to_owned(), "redirect_uris"),
        (format!("application_type = 'browser'\n{}", uri("com.example.app:/cb")), "redirect_uris"),
        (format!("{SERVICE}{WEB}"), "redirect_uris"),
        // kinds, proofs and grants
        (format!("{BROWSER}token_endpoint_auth_method = 'client_secret_basic'"), "token_endpoint_auth_method"),
        (format!("{SERVICE}token_endpoint_auth_method = 'none'"), "token_endpoint_auth_method"),
        (format!("{SERVICE}grant_types = ['authorization_code']"), "grant_types"),
        (format!("{WEB}grant_types = []"), "grant_types"),
        ("grant_types = ['refresh_token']".to_owned(), "grant_types"),
        (format!("{BROWSER}grant_types = ['authorization_code', 'client_credentials']"), "grant_types"),
        (format!("{WEB}response_types = ['code', 'token']"), "response_types"),
        (format!("{WEB}allowed_origins = ['https://app.example.com']"), "allowed_origins"),
        (format!("{BROWSER}require_pkce = false"), "require_pkce"),
        (format!("{BROWSER}direct_login = true\nfirst_party = true"), "direct_login"),
        (cookie("direct_login = true"), "direct_login"),
        // cookie mode
        (cookie("require_pkce = false"), "require_pkce"),
        (cookie("grant_types = ['authorization_code']"), "grant_types"),
        (cookie("refresh_retry = 'until_successor_used'"), "refresh_retry"),
        (cookie("refresh_retry = 'no_rotation'"), "refresh_retry"),
        (format!("{COOKIE}{WEB}"), "allowed_origins"),
        (format!("{COOKIE}{WEB}allowed_origins = ['https://other.example.com']"), "allowed_origins"),
        (
            format!("{COOKIE}{WEB}allowed_origins = ['https://app.example.com', 'https://app.example.org']"),
            "allowed_origins",
        ),
        (
            format!("{COOKIE}{WEB}allowed_origins = ['https://app.example.com', 'http://app.example.com']"),
            "allowed_origins",
        ),
        (
            format!("{COOKIE}{WEB}allowed_origins = ['https://app.example.com', 'http://localhost:1']"),
            "allowed_origins",
        ),
        (format!("{COOKIE}{WEB}allowed_origins = ['https://app.example.com/']"), "allowed_origins"),
        (format!("{COOKIE}{WEB}allowed_origins = ['https://*.example.com']"), "allowed_origins"),
        (format!("{COOKIE}{WEB}allowed_origins = ['null']"), "allowed_origins"),
        (format!("{WEB}refresh_token_delivery = 'cookie'"), "refresh_token_delivery"),
        (format!("{NATIVE}{AT_HOME}refresh_token_delivery = 'cookie'"), "refresh_token_delivery"),
        // refresh rules and lives
        (format!("{BROWSER}refresh_retry = 'until_successor_used'"), "refresh_retry"),
        (format!("{NATIVE}{WEB}refresh_retry = 'no_rotation'"), "refresh_retry"),
        (format!("{WEB}refresh_grace = 61"), "refresh_grace"),
        (format!("{WEB}refresh_grace = '2m'"), "refresh_grace"),
        (format!("{WEB}refresh_lifetime = 0"), "refresh_lifetime"),
        (format!("{WEB}refresh_lifetime = '366d'"), "refresh_lifetime"),
        (format!("{WEB}access_token_ttl = 59"), "access_token_ttl"),
        (format!("{WEB}access_token_ttl = '61m'"), "access_token_ttl"),
        (format!("{WEB}default_max_age = '3660d'"), "default_max_age"),
        // scopes
        (format!("{WEB}scope = 'openid  email'"), "scope"),
        (format!("{WEB}scope = 'openid \"x\"'"), "scope"),
        (format!("{WEB}scope = 'openid unknown'"), "scope"),
        (format!("{WEB}scope = 'frontdesk:admin'"), "scope"),
        (format!("{SERVICE}scope = 'openid'"), "scope"),
        // what people see
        (format!("{WEB}client_name = \"{}\"", "x".repeat(129)), "client_name"),
        (format!("{WEB}client_name = \"a\\u0007\""), "client_name"),
        (format!("{WEB}client_uri = 'http://app.example.com/'"), "client_uri"),
        (format!("{WEB}policy_uri = 'javascript:alert(1)'"), "policy_uri"),
        (format!("{WEB}tos_uri = 'https://me:pw@app.example.com/'"), "tos_uri"),
        (format!("{WEB}tos_uri = 'https://app.example.com/\"><script>'"), "tos_uri"),
        (format!("{WEB}tos_uri = 'https://me@app.example.com/'"), "tos_uri"),
        (format!("{WEB}tos_uri = 'https://:pw@app.example.com/'"), "tos_uri"),
        (format!("{WEB}tos_uri = 'https://app.example.com/ä'"), "tos_uri"),
        (format!("{WEB}tos_uri = 'https://app.example.com/a b'"), "tos_uri"),
        (format!("{WEB}tos_uri = \"https://app.example.com/\\u007f\""), "tos_uri"),
        (format!("{WEB}owner = ''"), "owner"),
        (format!("{WEB}contacts = [\"a\\nb\"]"), "contacts"),
    ];
    assert!(cases.len() >= 60);
    for (text, member) in cases {
        let errors = check(&production(), &text).expect_err(&text);
        assert!(errors.iter().any(|error| error.member == member), "{text}\n{errors:?}");
    }
    let no_key = House { algorithms: vec![Alg::ES256], ..production() };
    let errors = check(&no_key, &format!("{WEB}id_token_signed_response_alg = 'RS256'")).unwrap_err();
    assert_eq!(errors[0].member, "id_token_signed_response_alg");
    assert_eq!(check(&no_key, WEB).unwrap().id_token_signed_response_alg, Alg::ES256);
}

#[test]
fn names_lists_and_addresses_are_good_up_to_their_bounds() {
    let name = |length| format!("client_name = '{}'", "ä".repeat(length));
    let owner = |length| format!("owner = '{}'", "x".repeat(length));
    let contacts = |count| format!("contacts = {:?}", vec!["a@example.com"; count]);
    let address = |length: usize| format!("tos_uri = 'https://app.example.com/{}'", "x".repeat(length - 24));
    let goodbyes = |count| {
        let uris: Vec<String> = (0..count).map(|at| format!("https://app.example.com/{at}")).collect();
        format!("post_logout_redirect_uris = {uris:?}")
    };
    for (text, member) in [
        ([name(128), name(129)], "client_name"),
        ([owner(128), owner(129)], "owner"),
        ([contacts(100), contacts(101)], "contacts"),
        ([address(2048), address(2049)], "tos_uri"),
        ([goodbyes(100), goodbyes(101)], "post_logout_redirect_uris"),
        (["default_max_age = '365d'".to_owned(), "default_max_age = 31536001".to_owned()], "default_max_age"),
        (["refresh_lifetime = '365d'".to_owned(), "refresh_lifetime = 31536001".to_owned()], "refresh_lifetime"),
        (["access_token_ttl = 60".to_owned(), "access_token_ttl = 59".to_owned()], "access_token_ttl"),
        (["access_token_ttl = 3600".to_owned(), "access_token_ttl = 3601".to_owned()], "access_token_ttl"),
    ] {
        let [most, more] = text.map(|text| format!("{WEB}{text}"));
        good(&most);
        let members: Vec<_> = check(&production(), &more).unwrap_err().iter().map(|error| error.member).collect();
        assert_eq!(members, [member], "{more}");
    }
    let resource = |text: &str| check_resource(&production(), &[], |_| true, &toml::from_str(text).unwrap());
    let api = "identifier = 'https://api.example.com'\n";
    assert!(resource(&format!("{api}name = '{}'", "ä".repeat(128))).is_ok());
    assert!(resource(&format!("{api}name = '{}'", "ä".repeat(129))).is_err());
    // Where no name is given the identifier stands for it, however long it is.
    assert!(resource(&format!("identifier = 'https://api.example.com/{}'", "x".repeat(200))).is_ok());
}

#[test]
fn on_loopback_http_is_fine_and_sites_are_names() {
    let app = "application_type = 'browser'\nrefresh_token_delivery = 'cookie'\n";
    let at = |origin: &str| format!("{app}redirect_uris = ['{origin}/cb']\nallowed_origins = ['{origin}']");
    for (issuer, origin, fits) in [
        ("http://localhost:8080", "http://localhost:8081", true),
        ("http://localhost:8080", "http://127.0.0.1:8081", false),
        ("http://localhost:8080", "https://localhost:8081", false),
        ("http://localhost:8080", "https://app.example.com", false),
        ("http://id.demo.localhost:8080", "http://app.demo.localhost:8081", true),
        ("http://id.localhost:8080", "http://app.localhost:8081", false),
    ] {
        assert_eq!(check(&house(issuer), &at(origin)).is_ok(), fits, "{issuer} {origin}");
    }
    assert!(check(&house("http://localhost:8080"), "redirect_uris = ['http://localhost:9000/cb']").is_ok());
}

#[test]
fn names_of_clients() {
    for good in ["notes", "a", "Notes-App_1.0~x", "urn:example:app", "me@host", &"x".repeat(128)] {
        assert!(check_client_id(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        ".",
        "..",
        "https://app.example.com",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "a%20",
        "ä",
        "a\n",
        "a\"",
        &"x".repeat(129),
    ] {
        assert!(check_client_id(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_origin_in_cookie_mode_belongs_to_one_owner() {
    let at = |origin: &str, more: &str| {
        good(&format!("{COOKIE}redirect_uris = ['{origin}/cb']\nallowed_origins = ['{origin}']\n{more}"))
    };
    let app = at("https://app.example.com", "owner = 'us'");
    let cases = [
        ("another cookie-mode client there", at("https://app.example.com", ""), false),
        ("one of the same owner", at("https://app.example.com", "owner = 'us'"), true),
        ("one of another owner", at("https://app.example.com", "owner = 'them'"), false),
        ("elsewhere", at("https://other.example.com", ""), true),
        ("a server there", good("redirect_uris = ['https://app.example.com/server']"), false),
        (
            "a server there of the same owner",
            good("redirect_uris = ['https://app.example.com/server']\nowner = 'us'"),
            true,
        ),
        ("a public client with readable tokens", good(&format!("{BROWSER}owner = 'us'")), false),
        ("a native app with a claimed address", good(&format!("{NATIVE}{WEB}owner = 'us'")), false),
        ("another port", good("redirect_uris = ['https://app.example.com:8443/cb']"), true),
        (
            "only after sign-out",
            good("redirect_uris = ['https://x.example/']\npost_logout_redirect_uris = ['https://app.example.com/']"),
            true,
        ),
    ];
    let (app_id, other_id) = (ClientId::new("app"), ClientId::new("other"));
    for (what, other, fits) in cases {
        let all = [Listed { id: &app_id, settings: &app }, Listed { id: &other_id, settings: &other }];
        // Whichever of the two comes second is refused.
        for one in all {
            assert_eq!(check_together(one, &all).is_ok(), fits, "{what}, {}", one.id);
        }
    }
}

#[test]
fn without_an_owner_two_clients_are_not_of_the_same_owner() {
    let app = good(&format!("{COOKIE}{AT_HOME}"));
    let (one, other) = (ClientId::new("one"), ClientId::new("other"));
    let all = [Listed { id: &one, settings: &app }, Listed { id: &other, settings: &app }];
    assert!(check_together(all[0], &all).is_err());
}

#[test]
fn a_native_app_may_use_any_port_of_its_loopback_name() {
    let development = house("http://localhost:8080");
    let app = "redirect_uris = ['http://localhost:8081/cb']\nallowed_origins = ['http://localhost:8081']";
    let app = check(&development, &format!("{COOKIE}{app}")).unwrap();
    let native = |uri: &str| check(&development, &format!("{NATIVE}redirect_uris = ['{uri}']")).unwrap();
    let (app_id, other_id) = (ClientId::new("app"), ClientId::new("other"));
    for (uri, fits) in [("http://localhost/cb", false), ("http://127.0.0.1/cb", true), ("com.example.app:/cb", true)] {
        let settings = native(uri);
        let all = [Listed { id: &app_id, settings: &app }];
        assert_eq!(check_together(Listed { id: &other_id, settings: &settings }, &all).is_ok(), fits, "{uri}");
    }
    // A server has the port it is registered with.
    let all = [Listed { id: &app_id, settings: &app }];
    for (port, fits) in [(8081, false), (8082, true)] {
        let server = check(&development, &format!("redirect_uris = ['http://localhost:{port}/cb']")).unwrap();
        assert_eq!(check_together(Listed { id: &other_id, settings: &server }, &all).is_ok(), fits, "{port}");
    }
}

#[test]
fn resources_own_their_scopes() {
    let check =
        |text: &str| check_resource(&production(), &notes(), |id| id == "backend", &toml::from_str(text).unwrap());
    let photos =
        check("identifier = 'https://photos.example.com'\nscopes = ['photos:read']\nintrospected_by = ['backend']")
            .unwrap();
    assert_eq!((photos.name.as_str(), photos.access_token_alg), ("https://photos.example.com", Alg::ES256));
    assert!(check("identifier = 'https://api.example.com'\nscopes = ['notes:read']").is_ok(), "its own scopes");
    let new = "identifier = 'https://photos.example.com'\n";
    for (text, member) in [
        (String::new(), "identifier"),
        ("identifier = 'photos'".to_owned(), "identifier"),
        ("identifier = 'https://photos.example.com/#x'".to_owned(), "identifier"),
        ("identifier = 'https://photos.example.com/ x'".to_owned(), "identifier"),
        ("identifier = 'https://id.example.com'".to_owned(), "identifier"),
        ("identifier = 'https://API.example.com/'".to_owned(), "identifier"),
        (format!("{new}scopes = ['notes:read']"), "scopes"),
        (format!("{new}scopes = ['openid']"), "scopes"),
        (format!("{new}scopes = ['frontdesk:admin']"), "scopes"),
        (format!("{new}scopes = ['a b']"), "scopes"),
        (format!("{new}scopes = ['a', 'a']"), "scopes"),
        (format!("{new}scopes = ['']"), "scopes"),
        (format!("{new}introspected_by = ['nobody']"), "introspected_by"),
        (format!("{new}name = \"a\\u0000\""), "name"),
    ] {
        let errors = check(&text).expect_err(&text);
        assert_eq!(errors[0].member, member, "{text}: {errors:?}");
    }
}

#[test]
fn a_bit_stays_set_for_the_longest_life_of_a_token_the_time_others_may_be_behind_and_a_margin() {
    let now = Timestamp::from_seconds(1_800_000_000);
    assert_eq!(production().invalid_until(now), now.plus(Duration::from_secs(3600 + 30 + 900)));
}

#[test]
fn secrets_are_long_and_are_never_repeated_in_errors() {
    let fresh = fresh_secret();
    assert!(fresh.expose().starts_with("fd_cs_") && check_secret(&fresh).is_ok());
    assert!(!fresh_secret().matches(fresh.expose()));
    for bad in ["", "short", &"x".repeat(31), &"x".repeat(513), &format!("{} x", "y".repeat(40)), &"ä".repeat(20)] {
        let error = check_secret(&Secret::new(bad.to_owned())).expect_err(bad);
        assert!(bad.is_empty() || !error.to_string().contains(bad));
    }
    let key = crate::crypto::mac::MacKey::new(&[1; 32]);
    assert_eq!(secret_mac(&key, &fresh), secret_mac(&key, &fresh));
    assert_ne!(secret_mac(&key, &fresh), secret_mac(&key, &fresh_secret()));
    assert!(!secret_mac(&key, &fresh).contains(fresh.expose()));
}
