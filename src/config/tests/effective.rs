//! What comes out: overrides, paths, computed values, and how they are shown.

use crate::domain::alg::Alg;

use super::*;

#[test]
fn defaults_are_valid_and_quiet() {
    assert_eq!(parse("", &[]).unwrap().1, []);
    let (config, _) = Config::parse("", Path::new(""), []).unwrap();
    assert_eq!(config, Config::default());
    assert!(config.is_development());
    assert_eq!(config.issuer_url("/oauth2/token"), "http://localhost:8080/oauth2/token");
}

#[test]
fn a_variable_overrides_the_file_by_the_type_of_its_setting() {
    let file = "[server]\nissuer = 'http://localhost:1'\nhsts = true\n[keys]\nretire_window = '2d'\n";
    let (config, _) = parse(
        file,
        &[
            ("FRONTDESK__SERVER__ISSUER", "https://id.example.com"),
            ("FRONTDESK__SERVER__LISTEN", "[::1]:443"),
            ("FRONTDESK__SERVER__TRUSTED_PROXIES", "[\"10.0.0.7\", \"10.1.0.0/16\"]"),
            ("FRONTDESK__SERVER__HSTS", "false"),
            ("FRONTDESK__SERVER__TLS__CERTIFICATE", "/tls/c.pem"),
            ("FRONTDESK__SERVER__TLS__KEY", "k.pem"),
            ("FRONTDESK__DATABASE__MAX_CONNECTIONS", "3"),
            ("FRONTDESK__KEYS__ALGORITHMS", "['RS256']"),
            ("FRONTDESK__KEYS__PERIOD", "60d"),
            ("FRONTDESK__KEYS__RETIRE_WINDOW", ""),
            ("FRONTDESK__PAGES__NAME", "true"),
            ("FRONTDESK_SERVER_ISSUER", "not ours"),
            ("HOME", "/root"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.issuer.as_str(), "https://id.example.com");
    assert_eq!(config.server.listen.0[0].to_string(), "[::1]:443");
    assert_eq!(config.server.trusted_proxies, ["10.0.0.7/32".parse().unwrap(), "10.1.0.0/16".parse().unwrap()]);
    assert!(!config.server.hsts);
    assert_eq!(config.server.tls.files(), Some((Path::new("/tls/c.pem"), Path::new("etc/k.pem"))));
    assert_eq!(config.database.max_connections, 3);
    assert_eq!(config.keys.algorithms, [Alg::RS256]);
    assert_eq!(config.keys.period, duration::days(60));
    assert_eq!(config.keys.retire_window, None);
    assert_eq!(config.pages.name, "true");
}

#[test]
fn listen_takes_one_address_or_many() {
    let listen = |text: &str, variables: &[(&str, &str)]| parse(text, variables).unwrap().0.server.listen;
    let many = listen("[server]\nlisten = ['127.0.0.1:8080', '[::1]:8080']", &[]);
    assert_eq!(many.0.len(), 2);
    assert_eq!(listen("", &[("FRONTDESK__SERVER__LISTEN", "['127.0.0.1:8080', '[::1]:8080']")]), many);
    let localhost = listen("[server]\nlisten = 'localhost:8080'", &[]);
    let sockets: Vec<String> = localhost.0[0].sockets().iter().map(ToString::to_string).collect();
    assert_eq!(sockets, ["127.0.0.1:8080", "[::1]:8080"]);
    assert!(localhost.is_loopback());
}

#[test]
fn plain_http_off_loopback_is_for_named_proxies() {
    let proxied = "[server]\nissuer = 'https://id.example.com'\nlisten = '0.0.0.0:80'\ntrusted_proxies = ['10.0.0.7']";
    assert_eq!(parse(proxied, &[]).unwrap().1, []);
    let own =
        "[server]\nissuer = 'https://id.example.com'\nlisten = '[::]:443'\ntls = { certificate = 'c', key = 'k' }";
    assert_eq!(parse(own, &[]).unwrap().1, []);
    // An IPv4 loopback address in IPv6 clothes is loopback, a mapped public one is not.
    assert!(parse("[server]\nlisten = '[::ffff:127.0.0.1]:8080'", &[]).is_ok());
    assert!(parse("[server]\nlisten = '[::ffff:10.0.0.1]:8080'", &[]).is_err());
}

#[test]
fn relative_paths_start_at_the_file() {
    let file = "[secrets]\nmaster_key_file = 'm.key'\nprevious_master_key_files = ['old.key', '/old.key']\n[pages]\nlogo_file = 'logo.svg'\nplaces_file = 'places.mmdb'";
    let (config, _) = parse(file, &[]).unwrap();
    assert_eq!(config.secrets.master_key_file, Path::new("etc/m.key"));
    assert_eq!(config.secrets.previous_master_key_files, [Path::new("etc/old.key"), Path::new("/old.key")]);
    assert_eq!(config.pages.logo_file.as_deref(), Some(Path::new("etc/logo.svg")));
    assert_eq!(config.pages.places_file.as_deref(), Some(Path::new("etc/places.mmdb")));
    assert_eq!(config.database.url, DatabaseUrl::Sqlite("etc/data/frontdesk.db".into()));
    assert_eq!(config.data_folder(), Path::new("etc/data"));
}

#[test]
fn the_master_key_lies_beside_the_database() {
    for (url, key, folder) in [
        ("sqlite:///srv/desk/x.db", "/srv/desk/master.key", "/srv/desk"),
        ("sqlite://x.db", "etc/master.key", "etc"),
        ("postgres://db/desk", "etc/data/master.key", "etc/data"),
    ] {
        let (config, _) = parse("", &[("FRONTDESK__DATABASE__URL", url)]).unwrap();
        assert_eq!(config.secrets.master_key_file, Path::new(key), "{url}");
        assert_eq!(config.data_folder(), Path::new(folder), "{url}");
    }
    let here = Config::in_folder(Path::new(""));
    assert_eq!(here.data_folder(), Path::new("."));
    assert_eq!(Config::in_folder(Path::new("data")), Config::default());
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let variables = [
        ("FRONTDESK__SERVER__ISSUER", "https://id.example.com"),
        ("FRONTDESK__SERVER__LISTEN", "['127.0.0.1:8080', 'localhost:0']"),
        ("FRONTDESK__SERVER__TLS__CERTIFICATE", "/tls/a \"quoted\" name.pem"),
        ("FRONTDESK__SERVER__TLS__KEY", "/tls/k.pem"),
        ("FRONTDESK__SERVER__TRUSTED_PROXIES", "['10.0.0.7', 'fd00::/8']"),
        ("FRONTDESK__DATABASE__URL", "postgres://desk@db.internal/desk"),
        ("FRONTDESK__LIMITS__CHANGE_POLL", "500ms"),
    ];
    let (config, _) = parse("", &variables).unwrap();
    let printed = config.print();
    let (mut again, _) = Config::parse(&printed, Path::new(""), []).unwrap();
    assert_eq!(again.keys.retire_window, Some(config.retire_window()));
    again.keys.retire_window = None;
    assert_eq!(again, config, "{printed}");
    assert!(printed.starts_with("[server]\nissuer = \"https://id.example.com\"\n"), "{printed}");
}

#[test]
fn the_password_of_the_database_is_never_shown() {
    let (config, _) = parse("[database]\nurl = 'postgres://desk:hunter2@db.internal/desk'", &[]).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    for shown in [config.print(), json, format!("{config:?}"), format!("{config:#?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("postgres://desk:***@db.internal/desk"), "{shown}");
    }
    assert!(config.database.url.connect_url().contains("hunter2"));
}

#[test]
fn json_has_every_section() {
    let json = Config::default().to_json();
    assert_eq!(json["server"]["issuer"], "http://localhost:8080");
    assert_eq!(json["server"]["tls"]["certificate"], serde_json::Value::Null);
    assert_eq!(json["server"]["hsts"], true);
    assert_eq!(json["tokens"]["access_token_ttl"], "15m");
    assert_eq!(json["keys"]["algorithms"], serde_json::json!(["ES256", "RS256"]));
    assert_eq!(json["passwords"]["memory_kib"], 19_456);
    assert_eq!(json["gateway"]["apps"], serde_json::json!([]));
    assert_eq!(json.as_object().unwrap().len(), 13);
}

#[test]
fn apps_behind_a_proxy_are_written_in_either_way_and_shown_in_one() {
    let one = "[gateway]\napps = [{ host = 'notes.localhost:9000', client_id = 'x', scope = 'openid email' }]";
    let other = "[[gateway.apps]]\nhost = 'notes.localhost:9000'\nclient_id = 'x'\nscope = 'openid email'";
    let (config, warnings) = parse(one, &[]).unwrap();
    assert_eq!((&config, &warnings), (&parse(other, &[]).unwrap().0, &vec![]));
    assert_eq!(config.gateway.apps[0].audience, "https://notes.localhost:9000");
    let variable =
        ("FRONTDESK__GATEWAY__APPS", "[{ host = 'notes.localhost:9000', client_id = 'x', scope = 'openid email' }]");
    assert_eq!(parse("", &[variable]).unwrap().0, config);
    assert_eq!(parse(&config.print(), &[]).unwrap().0.gateway, config.gateway);
    assert_eq!(config.to_json()["gateway"]["apps"][0]["client_id"], "x");
}

#[test]
fn windows_are_computed_from_the_lives_they_must_cover() {
    let mut config = Config::default();
    assert_eq!(config.publish_ahead_floor(), seconds(361));
    assert_eq!(config.retire_window(), hours(24));
    assert_eq!(config.longest_access_token(), LONGEST_ACCESS_TOKEN);
    config.keys.jwks_max_age = hours(24);
    assert_eq!(config.retire_window(), hours(26) + seconds(300));
    config.keys.retire_window = Some(hours(25));
    assert_eq!(config.longest_access_token(), duration::minutes(59));
    // A process that is cut off signs with the old key for so long.
    config.limits.stale_stop = hours(24) + duration::minutes(30);
    assert_eq!(config.longest_access_token(), duration::minutes(29));
}

#[test]
fn the_clocks_of_a_test_can_be_scaled_together() {
    let text = "[keys]\nperiod = '10s'\npublish_ahead = '3s'\njwks_max_age = '1s'\nclock_skew = '500ms'\nretire_window = '1m31s'\n\
                [tokens]\naccess_token_ttl = '1m'\nid_token_ttl = '1m'";
    let (config, _) = parse(text, &[]).unwrap();
    assert_eq!(config.publish_ahead_floor(), Duration::from_millis(2_500));
}
