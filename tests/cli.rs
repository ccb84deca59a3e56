//! The program as an operator runs it: exit codes, the two streams, and the database it leaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::process::Stdio;

use serde_json::Value;

#[path = "support/place.rs"]
mod place;

use place::Place;

impl Place {
    fn new() -> Self {
        Self::with("[server]\nissuer = \"https://id.example.com\"\n[passwords]\nmemory_kib = 19456\n")
    }
}

const HOUSE: &str = r#"
[[users]]
username = "alice"
email = "alice@example.com"
email_verified = true
password_file = "alice.password"
roles = ["admin"]
[users.claims]
name = "Alice Liddell"
address = { locality = "Oxford", country = "GB" }

[[users]]
username = "bob"

[[clients]]
client_id = "notes"
client_name = "Notes"
application_type = "browser"
token_endpoint_auth_method = "none"
refresh_token_delivery = "cookie"
redirect_uris = ["https://notes.example.com/callback"]
allowed_origins = ["https://notes.example.com"]
grant_types = ["authorization_code", "refresh_token"]
scope = "openid profile email notes:read"

[[clients]]
client_id = "notes-backend"
application_type = "service"
scope = "notes:write"
access_token_ttl = "5m"

[[resources]]
identifier = "https://api.example.com"
name = "Notes API"
scopes = ["notes:read", "notes:write"]
introspected_by = ["notes-backend"]
access_token_alg = "ES256"
"#;

fn with_house() -> Place {
    let place = Place::new();
    place.write("alice.password", "a rather long sentence\n");
    place.write("house.toml", HOUSE);
    place
}

#[test]
fn applying_twice_changes_nothing_the_second_time() {
    let place = with_house();
    let (data, words) = place.ok(&["apply", "house.toml"]);
    let (client, secret) = data.trim_end().split_once(' ').unwrap();
    assert_eq!(client, "notes-backend");
    assert!(secret.starts_with("fd_cs_") && secret.len() == 49, "{secret}");
    assert!(!words.contains("fd_cs_"), "a secret goes to one stream only");
    assert!(words.contains("user bob has no password"), "{words}");

    let before = place.json(&["clients", "show", "notes-backend"]);
    let (data, words) = place.ok(&["apply", "house.toml"]);
    assert_eq!(data, "");
    assert!(words.contains("nothing changed"), "{words}");
    let report = place.json(&["apply", "house.toml"]);
    assert_eq!(report, serde_json::json!({ "changed": false, "dry_run": false, "changes": [], "client_secrets": {} }));
    assert_eq!(place.json(&["clients", "show", "notes-backend"]), before);

    let all = place.json(&["clients", "list"]);
    let ids: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["client_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["notes", "notes-backend"]);
    assert_eq!(all[0]["refresh_token_delivery"], "cookie");
    assert_eq!(all[1]["access_token_ttl"], 300);
    assert_eq!(all[1]["secrets"], 1);
    assert!(all[0]["created_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn applying_replaces_whole_clients_and_prunes_only_when_asked() {
    let place = with_house();
    place.ok(&["apply", "house.toml"]);
    place.write(
        "less.toml",
        "[[users]]\nusername = \"bob\"\n[[clients]]\nclient_id = \"notes-backend\"\napplication_type = \"service\"\n",
    );
    let report = place.json(&["apply", "less.toml"]);
    assert_eq!(
        report["changes"],
        serde_json::json!([{ "kind": "client", "id": "notes-backend", "change": "changed" }])
    );
    let backend = place.json(&["clients", "show", "notes-backend"]);
    assert_eq!((&backend["scope"], &backend["access_token_ttl"]), (&"".into(), &Value::Null));
    assert_eq!(backend["secrets"], 1, "the secret stays");

    let dry = place.json(&["apply", "less.toml", "--prune", "--dry-run"]);
    assert_eq!(dry["dry_run"], true);
    assert_eq!(place.json(&["clients", "show", "notes"])["disabled_at"], Value::Null, "nothing was written");

    let (_, words) = place.ok(&["apply", "less.toml", "--prune"]);
    assert!(words.contains("client notes: out of service"), "{words}");
    assert!(words.contains("resource https://api.example.com: out of service"), "{words}");
    assert!(words.contains("alice is not in the file and was kept"), "the last admin stays: {words}");
    assert!(place.json(&["clients", "show", "notes"])["disabled_at"].is_string());

    // The resource comes back with the file that names it; a client that is out of service stays so until it is enabled.
    let (_, words) = place.ok(&["apply", "house.toml"]);
    assert!(words.contains("resource https://api.example.com: in service again"), "{words}");
    assert!(words.contains("client notes is out of service and stays so"), "{words}");
    place.ok(&["clients", "enable", "notes"]);
    assert_eq!(place.json(&["clients", "show", "notes"])["disabled_at"], Value::Null);
}

#[test]
fn mistakes_in_a_file_are_named_with_file_line_and_key_and_nothing_is_written() {
    let place = with_house();
    for (text, expected) in [
        (
            "[[clients]]\nclient_id = \"a\"\nredirect_uris = [\"javascript:alert(1)\"]\n",
            "bad.toml:3: clients.redirect_uris: ",
        ),
        ("[[clients]]\nclient_id = \"a\"\napplication_type = \"web\"\nscope = 5\n", "bad.toml:4: clients.scope: "),
        ("[[clients]]\nclient_id = \"a\"\n\nredirect_uri = []\n", "bad.toml:4: clients.redirect_uri: "),
        (
            "[[clients]]\nclient_id = \"a/b\"\nredirect_uris = [\"https://a.example.com/\"]\n",
            "bad.toml:2: clients.client_id: ",
        ),
        ("[[clients]]\nredirect_uris = [\"https://a.example.com/\"]\n", "bad.toml:1: clients.client_id: "),
        (
            "[[clients]]\nclient_id = \"a\"\nclient_secret = \"short\"\nredirect_uris = [\"https://a.example.com/\"]\n",
            "bad.toml:3: clients.client_secret: ",
        ),
        (
            "[[clients]]\nclient_id = \"a\"\nclient_secret_file = \"gone\"\nredirect_uris = [\"https://a.example.com/\"]\n",
            "bad.toml:3: clients.client_secret_file: ",
        ),
        ("[[clients]]\nclient_id = \"a\"\naccess_token_ttl = \"soon\"\n", "bad.toml:3: clients.access_token_ttl: "),
        ("[[users]]\nusername = \"carol\"\nemail = \"nobody\"\n", "bad.toml:3: users.email: "),
        ("[[users]]\nusername = \"carol\"\nroles = [\"a b\"]\n", "bad.toml:3: users.roles: "),
        ("[[users]]\nusername = \"carol\"\n[users.claims]\nshoe_size = \"9\"\n", "users.claims: "),
        (
            "[[users]]\nusername = \"carol\"\npassword = \"x\"\npassword_file = \"y\"\n",
            "bad.toml:4: users.password_file: ",
        ),
        ("[[users]]\nusername = \"carol\"\n[[users]]\nusername = \"CAROL\"\n", "bad.toml:4: users.username: "),
        ("[[resources]]\nidentifier = \"photos\"\n", "bad.toml:2: resources.identifier: "),
        (
            "[[resources]]\nidentifier = \"https://p.example.com\"\nintrospected_by = [\"nobody\"]\n",
            "bad.toml:3: resources.introspected_by: ",
        ),
        ("[[peoples]]\nusername = \"carol\"\n", "bad.toml:1: peoples: "),
        ("clients = 5\n", "bad.toml:1: clients: "),
        ("[[clients]\n", "bad.toml:1: "),
    ] {
        place.write("bad.toml", text);
        let words = place.fails(2, &["apply", "bad.toml"]);
        assert!(words.contains(expected), "{text}\n{words}");
    }
    // One good and one bad entry: neither is written.
    place.write("bad.toml", "[[users]]\nusername = \"carol\"\n[[clients]]\nclient_id = \"good\"\napplication_type = \"service\"\n[[clients]]\nclient_id = \"bad\"\n");
    assert!(place.fails(2, &["apply", "bad.toml"]).contains("bad.toml:6: clients.redirect_uris: "));
    assert_eq!(place.json(&["clients", "list"]), serde_json::json!([]));
    place.fails(2, &["apply", "missing.toml"]);
}

#[test]
fn a_password_is_never_repeated_in_a_mistake() {
    let place = Place::new();
    place.write("bad.toml", "[[users]]\nusername = \"carol\"\npassword = \"open sesame\" x\n");
    assert!(!place.fails(2, &["apply", "bad.toml"]).contains("sesame"));
    place.write("bad.toml", "[[users]]\nusername = \"carol\"\npassword = \"open sesame\"\nfoo = 1\n");
    assert!(!place.fails(2, &["apply", "bad.toml"]).contains("sesame"));
}

#[test]
fn clients_from_the_command_line() {
    let place = Place::new();
    let (secret, words) = place.ok(&[
        "clients",
        "add",
        "app",
        "--redirect-uri",
        "https://app.example.com/cb",
        "--set",
        "access_token_ttl=5m",
    ]);
    assert!(secret.starts_with("fd_cs_") && words.contains("app is registered"));
    place.fails(1, &["clients", "add", "app", "--redirect-uri", "https://app.example.com/cb"]);
    let words = place
        .fails(2, &["clients", "add", "other", "--type", "browser", "--redirect-uri", "http://other.example.com/"]);
    assert!(words.contains("redirect_uris"), "{words}");
    place.fails(2, &["clients", "add", "other", "--set", "nonsense=1"]);
    place.fails(1, &["clients", "show", "nobody"]);

    place.ok(&["clients", "update", "app", "--name", "The app", "--unset", "access_token_ttl"]);
    let app = place.json(&["clients", "show", "app"]);
    assert_eq!(
        (&app["client_name"], &app["access_token_ttl"], &app["secrets"]),
        (&"The app".into(), &Value::Null, &1.into())
    );

    let next = place.json(&["clients", "rotate-secret", "app"]);
    assert_ne!(next["client_secret"].as_str().unwrap(), secret.trim_end());
    assert_eq!(place.json(&["clients", "show", "app"])["secrets"], 2);
    assert_eq!(place.ok(&["clients", "rotate-secret", "app", "--finish"]).0, "");
    assert_eq!(place.json(&["clients", "show", "app"])["secrets"], 1);
    place.fails(1, &["clients", "rotate-secret", "app", "--finish"]);

    place.ok(&["clients", "add", "spa", "--type", "browser", "--redirect-uri", "https://spa.example.com/"]);
    place.fails(1, &["clients", "rotate-secret", "spa"]);
    place.ok(&["clients", "disable", "spa"]);
    place.ok(&["clients", "enable", "spa"]);
    place.ok(&["clients", "remove", "spa"]);
    place.fails(1, &["clients", "show", "spa"]);
}

#[test]
fn two_clients_cannot_share_an_origin_in_cookie_mode() {
    let place = Place::new();
    let add = |id: &'static str, more: &[&'static str]| {
        [&["clients", "add", id, "--type", "browser", "--redirect-uri", "https://app.example.com/cb"], more].concat()
    };
    let cookie = ["--delivery", "cookie", "--allowed-origin", "https://app.example.com"];
    place.ok(&add("one", &cookie));
    assert!(place.fails(2, &add("other", &cookie)).contains("client one"));
    assert!(place.fails(2, &add("other", &[])).contains("cookie mode"));
    // While it is out of service its origin is free; then it cannot come back.
    place.ok(&["clients", "disable", "one"]);
    place.ok(&add("other", &cookie));
    assert!(place.fails(1, &["clients", "enable", "one"]).contains("client other"));
}

#[test]
fn two_processes_that_apply_at_once_agree() {
    let place = with_house();
    place.ok(&["migrate"]);
    let start = || {
        let mut command = place.command(&["apply", "house.toml", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let reports: Vec<Value> = [start(), start(), start()]
        .into_iter()
        .map(|child| child.wait_with_output().unwrap())
        .map(|output| {
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    let changed: Vec<&Value> = reports.iter().filter(|report| report["changed"] == true).collect();
    assert_eq!(changed.len(), 1, "{reports:?}");
    assert_eq!(changed[0]["changes"].as_array().unwrap().len(), 5);
    assert!(changed[0]["client_secrets"]["notes-backend"].is_string());
    let others: usize = reports.iter().map(|report| report["client_secrets"].as_object().unwrap().len()).sum();
    assert_eq!(others, 1, "only the secret that counts is shown");
}

#[test]
fn wrong_arguments_and_settings_are_code_2() {
    let place = Place::new();
    place.fails(2, &["no-such-command"]);
    place.fails(2, &["--config", "missing.toml", "config", "check"]);
    place.write("config.toml", "[server]\nissuer = \"https://id.example.com/\"\n");
    let words = place.fails(2, &["clients", "list"]);
    assert!(words.contains("config.toml:2: server.issuer: "), "{words}");
    place.write("config.toml", "[server]\n");
    place.ok(&["config", "check"]);
    assert_eq!(place.json(&["config", "print"])["server"]["issuer"], "http://localhost:8080");
}

/// The database of a place, past the program: runs a statement, and gives the numbers that a query finds.
async fn on_database(place: &Place, text: &'static str) -> Vec<i64> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let file = place.path().join("data/frontdesk.db");
    let mut db = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    let rows: Vec<(i64,)> = sqlx::query_as(text).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    rows.into_iter().map(|(number,)| number).collect()
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_code_3() {
    let place = Place::new();
    place.ok(&["migrate"]);
    assert!(place.json(&["migrate", "--status"]).as_array().unwrap().iter().all(|one| one["applied"] == true));
    on_database(
        &place,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, x'00', 0)",
    )
    .await;
    assert!(place.fails(3, &["clients", "list"]).contains("newer version"));
}

#[test]
fn an_unreachable_database_is_code_3() {
    let place = Place::new();
    place.write(
        "config.toml",
        "[server]\nissuer = \"https://id.example.com\"\n[database]\nurl = \"postgres://nobody@127.0.0.1:1/none\"\n",
    );
    place.fails(3, &["clients", "list"]);
}

#[test]
fn the_master_key_of_another_database_is_refused() {
    let place = with_house();
    place.ok(&["apply", "house.toml"]);
    let other = with_house();
    other.ok(&["apply", "house.toml"]);
    std::fs::copy(other.path().join("data/master.key"), place.path().join("data/master.key")).unwrap();
    let words = place.fails(1, &["clients", "rotate-secret", "notes-backend"]);
    assert!(words.contains("master key"), "{words}");
    std::fs::remove_file(place.path().join("data/master.key")).unwrap();
    place.fails(2, &["clients", "rotate-secret", "notes-backend"]);
    assert!(!place.path().join("data/master.key").exists(), "no new key is made for an old database");
    place.ok(&["clients", "list"]);
}

#[test]
fn the_master_key_is_turned_and_the_old_one_is_needed_no_more() {
    let place = with_house();
    place.ok(&["apply", "house.toml"]);
    let settings = std::fs::read_to_string(place.path().join("config.toml")).unwrap();
    let with = |name: &str, secrets: &str| place.write(name, &format!("{settings}[secrets]\n{secrets}\n"));
    with("both.toml", "master_key_file = \"data/new.key\"\nprevious_master_key_files = [\"data/master.key\"]");
    with("new.toml", "master_key_file = \"data/new.key\"");

    // Without a new key there is nothing to do.
    let report = place.json(&["keys", "rewrap"]);
    let old = report["kek_id"].as_str().unwrap().to_owned();
    assert_eq!(report["resealed"], serde_json::json!({ "master_key_check": 0 }));
    assert!(
        place.fails(2, &["--config", "both.toml", "keys", "rewrap"]).contains("new.key"),
        "it is made on purpose only"
    );

    let made = place.json(&["keys", "rewrap", "--make", "data/new.key"]);
    let new = made["kek_id"].as_str().unwrap().to_owned();
    assert_eq!(made["file"], "data/new.key");
    assert_ne!(new, old);
    let before = std::fs::read(place.path().join("data/new.key")).unwrap();
    assert!(place.fails(2, &["keys", "rewrap", "--make", "data/new.key"]).contains("is there already"));
    assert_eq!(std::fs::read(place.path().join("data/new.key")).unwrap(), before);

    // With both everything goes on, with the new one alone nothing.
    place.ok(&["--config", "both.toml", "clients", "rotate-secret", "notes-backend"]);
    place.ok(&["clients", "rotate-secret", "notes-backend"]);
    let words = place.fails(1, &["--config", "new.toml", "keys", "rewrap"]);
    assert!(words.contains(&old) && words.contains("secrets.previous_master_key_files"), "{words}");

    let (data, words) = place.ok(&["--config", "both.toml", "keys", "rewrap"]);
    assert!(data.contains("passwords         1") && data.contains("master_key_check  1"), "{data}");
    assert!(words.contains(&new) && words.contains("data/master.key"), "{words}");
    let again = place.json(&["--config", "both.toml", "keys", "rewrap"]);
    assert_eq!(
        again,
        serde_json::json!({
            "kek_id": new, "former_kek_id": null, "resealed": { "master_key_check": 0 },
            "previous_master_key_files": ["data/master.key"]
        })
    );

    assert!(place.fails(1, &["clients", "rotate-secret", "notes-backend"]).contains("master key"));
    std::fs::remove_file(place.path().join("data/master.key")).unwrap();
    place.ok(&["--config", "new.toml", "clients", "rotate-secret", "notes-backend"]);
    place.ok(&["--config", "new.toml", "keys", "export-jwks"]);
}

#[cfg(unix)]
#[test]
fn what_it_writes_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = with_house();
    place.ok(&["apply", "house.toml"]);
    for entry in std::fs::read_dir(place.path().join("data")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let place = with_house();
    let (data, words) = place.ok(&["apply", "house.toml", "--dry-run"]);
    assert_eq!(data, "");
    assert!(words.contains("user alice: would be created") && words.contains("nothing was written"), "{words}");
    assert!(!place.path().join("data").exists());
    place.ok(&["apply", "house.toml"]);
    let (_, words) = place.ok(&["apply", "house.toml", "--dry-run"]);
    assert!(words.contains("nothing changed"), "{words}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_a_wrong_setting() {
    let place = Place::new();
    place.write(
        "config.toml",
        "[server]\nissuer = \"https://id.example.com\"\nlisten = \"127.0.0.1:0\"\n\
         tls = { certificate = \"cert.pem\", key = \"key.pem\" }\n",
    );
    let words = place.fails(2, &["serve"]);
    assert!(words.contains("server.tls.key") && words.contains("key.pem"), "{words}");
    place.write("key.pem", "no key");
    let words = place.fails(2, &["serve"]);
    assert!(words.contains("server.tls."), "{words}");
}

#[test]
fn a_database_that_cannot_be_had_is_3() {
    let place = Place::new();
    place.write("data", "a file where the folder should be");
    place.fails(3, &["serve"]);
}

#[test]
fn updates_of_one_client_at_once_all_count() {
    let place = with_house();
    place.ok(&["apply", "house.toml"]);
    for round in 0..4 {
        let name = format!("--name=Notes {round}");
        let members = [
            name.as_str(),
            if round % 2 == 0 { "--set=access_token_ttl=6m" } else { "--set=access_token_ttl=7m" },
            if round % 2 == 0 { "--set=first_party=true" } else { "--set=first_party=false" },
            if round % 2 == 0 { "--set=require_pkce=false" } else { "--set=require_pkce=true" },
        ];
        std::thread::scope(|scope| {
            for member in members {
                let place = &place;
                scope.spawn(move || place.ok(&["clients", "update", "notes-backend", member]));
            }
        });
        let client = place.json(&["clients", "show", "notes-backend"]);
        let even = round % 2 == 0;
        assert_eq!(client["client_name"], format!("Notes {round}"));
        assert_eq!(client["access_token_ttl"], if even { 360 } else { 420 });
        assert_eq!((&client["first_party"], &client["require_pkce"]), (&even.into(), &(!even).into()));
    }
}

#[tokio::test]
async fn passwords_that_are_reset_end_all_there_is_however_much() {
    let place = with_house();
    place.ok(&["apply", "house.toml"]);
    // More than one unit of work ends.
    on_database(
        &place,
        "INSERT INTO grants (id, user_id, client_id, session_id, sid, session_linked, scope, resources, claims, auth_time, acr, \
         amr, delivery, status_list, status_index, created_at, last_used_at, expires_at, mac) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500) \
         SELECT 'm' || i, (SELECT id FROM users WHERE username = 'alice'), 'notes', '', '', FALSE, '', '', '', 0, '', '', 'body', \
         9, i, 0, 0, 9999999999, '' FROM n",
    )
    .await;
    let living = "SELECT COUNT(*) FROM grants WHERE ended_at IS NULL";
    place.ok(&["apply", "house.toml"]);
    assert_eq!(on_database(&place, living).await, [4_500]);
    place.ok(&["apply", "house.toml", "--reset-passwords", "--dry-run"]);
    assert_eq!(on_database(&place, living).await, [4_500]);
    place.ok(&["apply", "house.toml", "--reset-passwords"]);
    assert_eq!(on_database(&place, living).await, [0]);
}

#[tokio::test]
async fn a_clock_that_is_confirmed_is_believed_from_then_on() {
    let place = Place::new();
    place.ok(&["migrate"]);
    // Last seen long ago, as after a leap.
    on_database(&place, "INSERT INTO installation (name, value) VALUES ('last_tick', '1000000000')").await;
    let (data, words) = place.ok(&["config", "confirm-clock"]);
    assert!(data.is_empty() && words.contains("the time is 2"), "{data}{words}");
    let recent =
        "SELECT COUNT(*) FROM installation WHERE name = 'last_tick' AND CAST(value AS INTEGER) > unixepoch() - 600";
    assert_eq!(on_database(&place, recent).await, [1]);
    let told = "SELECT COUNT(*) FROM audit WHERE action = 'clock.confirm' AND actor = 'cli'";
    assert_eq!(on_database(&place, told).await, [1]);
}
