//! Each mistake is named by key and place, with what to do.

use super::*;

/// Text of the file, line of the mistake, its key, and words the message must have.
const IN_THE_FILE: &[(&str, usize, &str, &str)] = &[
    // Keys that do not exist.
    ("[server]\nisuer = 'x'", 2, "server.isuer", "Did you mean server.issuer?"),
    ("[serer]\nissuer = 'x'", 1, "serer", "the sections are server, database, secrets"),
    ("issuer = 'https://id.example.com'", 1, "issuer", "Did you mean server.issuer?"),
    ("[tokens]\nidle = '1h'", 2, "tokens.idle", "Did you mean sessions.idle?"),
    ("[server]\ntls.password = 'x'", 2, "server.tls.password", "there is no such setting"),
    ("[server.tls]\ncertificat = 'x'", 2, "server.tls.certificat", "Did you mean server.tls.certificate?"),
    ("[telemetry]\nmetrics_listen = 'x'", 2, "telemetry.metrics_listen", "[telemetry] has telemetry.log"),
    ("[mail]\nhost = 'x'", 1, "mail", "there is no such section"),
    ("\"server.issuer\" = 'https://id.example.com'", 1, "server.issuer", "there is no such setting"),
    // Values of another type.
    ("server = 'x'", 1, "server", "Write [server]"),
    ("[[server]]\nissuer = 'x'", 1, "server", "Write [server]"),
    ("[server.issuer]\nx = 1", 1, "server.issuer", "this table does not fit"),
    ("[server]\n\nhsts = 'yes'", 3, "server.hsts", "Write true or false."),
    ("[database]\nmax_connections = '16'", 2, "database.max_connections", "without quotes"),
    ("[database]\nmax_connections = 1.5", 2, "database.max_connections", "this float does not fit"),
    ("[database]\nmax_connections = -1", 2, "database.max_connections", "not between 0 and 4294967295"),
    ("[database]\nmax_connections = 99999999999", 2, "database.max_connections", "not between 0"),
    ("[keys]\nalgorithms = 'ES256'", 2, "keys.algorithms", "Write a list"),
    ("[keys]\nalgorithms = [\n  'ES256',\n  'HS256',\n]", 4, "keys.algorithms", "Write one of \"RS256\", \"ES256\"."),
    ("[keys]\nperiod = 30", 2, "keys.period", "with its unit"),
    ("[keys]\nperiod = '30'", 2, "keys.period", "has no unit after 30"),
    ("[keys]\nperiod = '1y'", 2, "keys.period", "unknown unit \"y\""),
    ("[telemetry]\nlog_format = 'xml'", 2, "telemetry.log_format", "Write one of \"text\", \"json\"."),
    ("[telemetry]\nlog = 'verbose'", 2, "telemetry.log", "off, error, warn, info"),
    ("[telemetry]\nlog = 'info,sqlx'", 2, "telemetry.log", "\"sqlx\" is not a log level"),
    ("[pages]\naccent = 'blue'", 2, "pages.accent", "such as \"#2b59c3\""),
    ("[pages]\naccent = '#12345'", 2, "pages.accent", "six hexadecimal digits"),
    ("[secrets]\nmaster_key_file = ''", 2, "secrets.master_key_file", "is empty"),
    // The server.
    ("[server]\nissuer = 'https://id.example.com/'", 2, "server.issuer", "Write \"https://id.example.com\"."),
    ("[server]\nissuer = 'https://id.example.com/auth'", 2, "server.issuer", "has a path"),
    ("[server]\nissuer = 'http://id.example.com'", 2, "server.issuer", "Write \"https://id.example.com\"."),
    ("[server]\nissuer = 'id.example.com'", 2, "server.issuer", "Write \"https://id.example.com\"."),
    ("[server]\nlisten = '8080'", 2, "server.listen", "such as \"127.0.0.1:8080\""),
    ("[server]\nlisten = []", 2, "server.listen", "the list is empty"),
    (
        "[server]\nlisten = [\n'127.0.0.1:80',\n'id.example.com:80']",
        4,
        "server.listen",
        "not an IP address with a port",
    ),
    ("[server]\nlisten = '0.0.0.0:8080'", 2, "server.listen", "plain http to the network"),
    ("[server]\nissuer = 'https://id.example.com'\nlisten = '[::]:80'", 3, "server.listen", "trusted_proxies"),
    ("[server]\ntrusted_proxies = ['proxy']", 2, "server.trusted_proxies", "such as \"10.0.0.7\""),
    ("[server]\ntrusted_proxies = ['10.0.0.7/8']", 2, "server.trusted_proxies", "Write \"10.0.0.0/8\" for the network"),
    ("[server]\ntrusted_proxies = ['0.0.0.0/0']", 2, "server.trusted_proxies", "lets everybody forge"),
    ("[server]\ntls.certificate = 'c.pem'", 2, "server.tls.key", "is missing"),
    ("[server]\ntls.key = 'k.pem'", 2, "server.tls.certificate", "is missing"),
    ("[server]\ntls = { certificate = 'c.pem', key = 'k.pem' }", 2, "server.issuer", "speaks TLS"),
    ("[outbound]\nallow = ['rp.test']", 2, "outbound.allow", "Write an origin"),
    ("[outbound]\nallow = ['https://rp.test/']", 2, "outbound.allow", "without path or trailing slash"),
    ("[outbound]\nallow = ['http://rp.test']", 2, "outbound.allow", "http is for this machine"),
    ("[outbound]\nallow = ['https://rp.test', 'https://rp.test']", 2, "outbound.allow", "names https://rp.test twice"),
    ("[outbound]\nextra_ca = ''", 2, "outbound.extra_ca", "is empty"),
    // Apps behind a proxy.
    ("[gateway]\napps = 'x'", 2, "gateway.apps", "Write a list"),
    ("[gateway]\napps = ['notes.example.com']", 2, "gateway.apps", "this string does not fit"),
    ("[[gateway.apps]]\nclient_id = 'x'", 1, "gateway.apps", "the app has no host"),
    ("[[gateway.apps]]\nhost = 'notes.localhost'", 1, "gateway.apps", "the app has no client_id"),
    ("[[gateway.apps]]\nhost = 'notes.localhost'\nclient = 'x'", 3, "gateway.apps", "\"client\" is no member"),
    ("[[gateway.apps]]\nhost = 7\nclient_id = 'x'", 2, "gateway.apps", "Write text in quotes."),
    ("[[gateway.apps]]\nhost = 'https://notes.localhost/'\nclient_id = 'x'", 2, "gateway.apps", "is not a host"),
    ("[[gateway.apps]]\nhost = 'Notes.localhost'\nclient_id = 'x'", 2, "gateway.apps", "Write \"notes.localhost\"."),
    ("[[gateway.apps]]\nhost = 'notes.localhost'\nclient_id = ''", 3, "gateway.apps", "client_id is empty"),
    ("[[gateway.apps]]\nhost = 'notes.localhost'\nclient_id = 'x'\nscope = 'a  b'", 4, "gateway.apps", "is no scope"),
    ("[gateway]\napps = [{ host = 'notes.example.com', client_id = 'x' }]", 2, "gateway.apps", "loopback only"),
    ("[gateway]\napps = [{ host = 'localhost:8080', client_id = 'x' }]", 2, "gateway.apps", "is our own host"),
    (
        "[gateway]\napps = [{ host = 'a.localhost', client_id = 'x' }, { host = 'a.localhost', client_id = 'y' }]",
        2,
        "gateway.apps",
        "is there twice",
    ),
    (
        "[gateway]\napps = [{ host = 'a.localhost', client_id = 'x', audience = 'http://localhost:8080' }]",
        2,
        "gateway.apps",
        "not an identifier of its own",
    ),
    (
        "[gateway]\napps = [{ host = 'a.localhost', client_id = 'x', scope = 'openid frontdesk:admin' }]",
        2,
        "gateway.apps",
        "may not have the scope frontdesk:admin",
    ),
    (
        "[server]\nissuer = 'https://id.example.com'\n[gateway]\napps = [{ host = 'a.example.com', client_id = 'x' }]",
        4,
        "server.trusted_proxies",
        "no proxy may ask",
    ),
    (
        "[server]\nissuer = 'https://id.example.com'\ntrusted_proxies = ['10.0.0.7']\n[gateway]\napps = [{ host = 'id.example.com:8443', client_id = 'x' }]",
        5,
        "gateway.apps",
        "is our own host",
    ),
    // Data and keys.
    ("[database]\nurl = 'mysql://db/x'", 2, "database.url", "neither SQLite nor PostgreSQL"),
    ("[database]\nurl = 'data.db'", 2, "database.url", "Write \"sqlite://"),
    ("[database]\nurl = 'postgres://db'", 2, "database.url", "names no database"),
    ("[database]\nurl = 'sqlite::memory:'", 2, "database.url", "lost at every stop"),
    ("[database]\nurl = 'sqlite://x.db?mode=ro'", 2, "database.url", "takes no parameters"),
    ("[database]\nmax_connections = 0", 2, "database.max_connections", "from 1 to 1000"),
    (
        "[secrets]\nmaster_key_file = 'a'\nprevious_master_key_files = ['b', 'a']",
        3,
        "secrets.previous_master_key_files",
        "present master key",
    ),
    ("[keys]\nalgorithms = []", 2, "keys.algorithms", "is empty"),
    ("[keys]\nalgorithms = ['ES256', 'RS256', 'ES256']", 2, "keys.algorithms", "names ES256 twice"),
    ("[keys]\nrsa_bits = 1024", 2, "keys.rsa_bits", "2048, 3072 or 4096"),
    ("[keys]\npublish_ahead = '6m'", 2, "keys.publish_ahead", "Write at least \"6m1s\""),
    ("[keys]\njwks_max_age = '1d'", 2, "keys.publish_ahead", "Write at least \"1d1m1s\""),
    ("[keys]\nperiod = '12h'", 2, "keys.period", "longer than publish_ahead"),
    ("[keys]\nretire_window = '20m'", 2, "keys.retire_window", "Write at least \"21m\""),
    ("[keys]\nclock_skew = '6m'", 2, "keys.clock_skew", "from \"0s\" to \"5m\""),
    // Lives.
    ("[tokens]\naccess_token_ttl = '59s'", 2, "tokens.access_token_ttl", "from \"1m\" to \"1h\""),
    ("[tokens]\naccess_token_ttl = '61m'", 2, "tokens.access_token_ttl", "\"1h1m\" is more than \"1h\""),
    ("[tokens]\nid_token_ttl = '2h'", 2, "tokens.id_token_ttl", "from \"1m\" to \"1h\""),
    ("[tokens]\nauthorization_code_ttl = '11m'", 2, "tokens.authorization_code_ttl", "to \"10m\""),
    ("[tokens]\nrefresh_grace_body = '61s'", 2, "tokens.refresh_grace_body", "to \"1m\""),
    ("[tokens]\nrefresh_grace_cookie = '31s'", 2, "tokens.refresh_grace_cookie", "to \"30s\""),
    ("[tokens]\nrefresh_grace_cookie = '1500ms'", 2, "tokens.refresh_grace_cookie", "Write \"1s\"."),
    ("[tokens]\nrefresh_idle_native = '91d'", 2, "tokens.refresh_idle_native", "raise tokens.refresh_lifetime_native"),
    ("[tokens]\nrefresh_lifetime_confidential = '1d'", 2, "tokens.refresh_idle_confidential", "Write at most \"1d\""),
    ("[tokens]\nrefresh_lifetime_browser = '0s'", 2, "tokens.refresh_lifetime_browser", "from \"1s\""),
    ("[sessions]\nabsolute = '4h'", 2, "sessions.keep_signed_in", "raise sessions.absolute"),
    ("[sessions]\nidle = '8d'", 2, "sessions.idle", "raise sessions.keep_signed_in"),
    ("[sessions]\nauthorize_request_ttl = '2h'", 2, "sessions.authorize_request_ttl", "to \"1h\""),
    // Passwords, limits, pages.
    ("[passwords]\nmemory_kib = 19455", 2, "passwords.memory_kib", "Write 19456 or more."),
    ("[passwords]\niterations = 1", 2, "passwords.iterations", "Write 2 or more."),
    ("[passwords]\nparallelism = 0", 2, "passwords.parallelism", "from 1"),
    ("[passwords]\nmin_length = 7", 2, "passwords.min_length", "from 8 to 64"),
    ("[passwords]\nmax_length = 64", 2, "passwords.max_length", "from 256"),
    ("[passwords]\nqueue = 0", 2, "passwords.queue", "from 1"),
    ("[passwords]\nattempts_per_account = 5", 2, "passwords.attempts_per_account_and_network", "Write at most 5"),
    ("[passwords]\nattempts_window = '0s'", 2, "passwords.attempts_window", "from \"1s\""),
    ("[limits]\nbody_bytes = 100", 2, "limits.body_bytes", "from 8192"),
    ("[limits]\nrequest_timeout = '0s'", 2, "limits.request_timeout", "from \"1s\""),
    ("[limits]\nstale_log = '40s'", 2, "limits.stale_log", "raise limits.stale_stop"),
    ("[limits]\nchange_poll = '6s'", 2, "limits.change_poll", "raise limits.stale_log"),
    ("[pages]\nname = ' '", 2, "pages.name", "1 to 60 characters"),
    ("[pages]\nlogo_file = 'logo.pdf'", 2, "pages.logo_file", "ends in .svg"),
];

#[test]
fn mistakes_in_the_file_are_named_with_line_and_remedy() {
    for (text, line, key, hint) in IN_THE_FILE {
        let error = parse(text, &[]).expect_err(text);
        let shown = error.to_string();
        assert_eq!(error.findings().len(), 1, "one mistake, one message\n{text}\n{shown}");
        assert!(shown.starts_with(&format!("etc/config.toml:{line}: {key}: ")), "{text}\n{shown}");
        assert!(shown.contains(hint), "{text}\n{shown}");
        assert!(shown.ends_with(['.', '?', ')']), "{text}\n{shown}");
    }
}

#[test]
fn mistakes_in_the_environment_are_named_by_variable() {
    for (name, value, hint) in [
        ("FRONTDESK__SERVER__ISSUER", "https://id.example.com/", "server.issuer: \"https://id.example.com/\" ends"),
        ("FRONTDESK__SERVER__HSTS", "yes", "server.hsts: \"yes\" is not a TOML value. Write true or false."),
        ("FRONTDESK__SERVER__TLS__KEY", "k.pem", "server.tls.certificate: is missing"),
        ("FRONTDESK__SERVER__ISUER", "x", "Did you mean FRONTDESK__SERVER__ISSUER?"),
        ("FRONTDESK__ISSUER", "x", "Did you mean FRONTDESK__SERVER__ISSUER?"),
        ("FRONTDESK__SERVER", "x", "there is no such section"),
        ("FRONTDESK__", "x", "there is no such section"),
        ("FRONTDESK__server__issuer", "x", "in capitals, FRONTDESK__SECTION__KEY: FRONTDESK__SERVER__ISSUER."),
        ("FRONTDESK__KEYS__ALGORITHMS", "ES256", "Write a list in brackets"),
        ("FRONTDESK__KEYS__ALGORITHMS", "[\"none\"]", "Write one of \"RS256\", \"ES256\"."),
        ("FRONTDESK__KEYS__PERIOD", "soon", "\"soon\" is not a length of time"),
        ("FRONTDESK__DATABASE__MAX_CONNECTIONS", "many", "Write a whole number"),
        ("FRONTDESK__DATABASE__MAX_CONNECTIONS", "5000", "5000 is more than 1000"),
        ("FRONTDESK__SERVER__LISTEN", "[\"::1\"]", "such as \"127.0.0.1:8080\""),
    ] {
        // The same key in the file is right and does not draw the blame.
        let error = parse("[server]\nissuer = 'http://localhost:8080'", &[(name, value)]).expect_err(name);
        let shown = error.to_string();
        assert_eq!(error.findings().len(), 1, "{name}\n{shown}");
        assert!(shown.starts_with(&format!("environment variable {name}: ")), "{shown}");
        assert!(shown.contains(hint), "{name}\n{shown}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "[server]\nissuer = 'https://id.example.com/'\nlissen = 'x'\n[tokens]\naccess_token_ttl = '2h'\n";
    let error = parse(text, &[("FRONTDESK__KEYS__RSA_BITS", "1")]).unwrap_err();
    let shown = error.to_string();
    let starts: Vec<&str> = shown.lines().filter_map(|line| line.split(": ").next()).collect();
    let variable = "environment variable FRONTDESK__KEYS__RSA_BITS";
    assert_eq!(starts, ["etc/config.toml:2", "etc/config.toml:3", variable, "etc/config.toml:5"], "{shown}");
}

#[test]
fn a_broken_value_draws_no_follow_up_messages() {
    // With the default issuer in place of the broken one, TLS would look wrong too.
    let text = "[server]\nissuer = 'https://id.example.com/'\ntls = { certificate = 'c.pem', key = 'k.pem' }";
    assert_eq!(parse(text, &[]).unwrap_err().findings().len(), 1);
}

#[test]
fn text_that_is_not_toml_is_placed_and_not_repeated() {
    let text = "[server]\nhsts = true\n[database]\nurl = 'postgres://desk:hunter2@db/x\n";
    let shown = parse(text, &[]).unwrap_err().to_string();
    assert!(shown.starts_with("etc/config.toml:4: this is not TOML: "), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let twice = parse("[server]\nhsts = true\nhsts = false", &[]).unwrap_err().to_string();
    assert!(twice.starts_with("etc/config.toml:3: this is not TOML: duplicate key"), "{twice}");
}

#[test]
fn no_message_repeats_a_password() {
    for url in ["postgres://desk:hunter2@db:99999/x", "mysql://desk:hunter2@db/x", "postgres://desk:hunter2@db"] {
        let in_file = parse(&format!("[database]\nurl = '{url}'"), &[]).unwrap_err().to_string();
        let in_variable = parse("", &[("FRONTDESK__DATABASE__URL", url)]).unwrap_err().to_string();
        for shown in [in_file, in_variable] {
            assert!(shown.contains("database.url") && !shown.contains("hunter2"), "{shown}");
        }
    }
}

#[test]
fn doubtful_settings_are_warned_about() {
    for (text, line, key, hint) in [
        ("[keys]\npublish_ahead = '10m'", 2, "keys.publish_ahead", "better \"24h\""),
        ("[keys]\nalgorithms = ['ES256']", 2, "keys.algorithms", "lacks RS256"),
        ("[pages]\naccent = '#ffcc00'", 2, "pages.accent", "1.5 against white"),
        ("[server]\nlisten = '127.0.0.1:9000'", 2, "server.listen", "port of the issuer, http://localhost:8080"),
        (
            "[server]\nissuer = 'https://id.example.com'\nlisten = '127.0.0.1:80'",
            3,
            "server.trusted_proxies",
            "behind a proxy",
        ),
    ] {
        let (_, warnings) = parse(text, &[]).unwrap();
        assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
        let shown = warnings[0].to_string();
        assert!(shown.starts_with(&format!("etc/config.toml:{line}: {key}: ")) && shown.contains(hint), "{shown}");
    }
}

#[test]
fn a_broken_proxy_list_does_not_blame_the_listener() {
    let text = "[server]\nlisten = '0.0.0.0:80'\ntrusted_proxies = ['proxy']";
    assert_eq!(parse(text, &[]).unwrap_err().findings().len(), 1);
}
