//! The keys that sign, as an operator turns them by command.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on shall stop")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

#[path = "support/place.rs"]
mod place;
#[expect(dead_code, reason = "the tests of faults use all of it")]
#[path = "faults/support/server.rs"]
mod server;

use place::Place;
use server::Server;

const SETTINGS: &str = r#"
[server]
issuer = "http://localhost:8080"
listen = "127.0.0.1:0"
[telemetry]
log = "info"
log_format = "json"
"#;

/// The same with keys that may sign seconds after they were published.
const SOON: &str = r#"
[keys]
period = "30d"
publish_ahead = "2s"
jwks_max_age = "1s"
clock_skew = "0s"
"#;

const HOUSE: &str = r#"
[[clients]]
client_id = "notes"
application_type = "service"
scope = "notes:read"

[[resources]]
identifier = "https://api.example.com"
name = "Notes"
scopes = ["notes:read"]
introspected_by = ["notes"]
"#;

/// A house whose keys were made by its first start.
fn with_keys() -> Place {
    let place = Place::with(SETTINGS);
    place.write("soon.toml", &format!("{SETTINGS}{SOON}"));
    place.write("house.toml", HOUSE);
    place.ok(&["apply", "house.toml"]);
    Server::start(&mut place.command(&["serve"])).unwrap().kill();
    place
}

/// The names of the keys in a state, by algorithm.
fn kids(place: &Place, state: &str) -> Vec<(String, String)> {
    let listed = place.json(&["keys", "list"]);
    let kids = listed.as_array().unwrap().iter().filter(|key| key["state"] == state);
    let mut kids: Vec<_> = kids.map(|key| (text(&key["alg"]), text(&key["kid"]))).collect();
    kids.sort_unstable();
    kids
}

fn kid(place: &Place, state: &str, alg: &str) -> String {
    kids(place, state).into_iter().find(|(own, _)| own == alg).unwrap().1
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// What the audit says was done of a kind: the subjects and the data, the oldest first.
fn audited(place: &Place, action: &str) -> Vec<(String, Value)> {
    let (lines, _) = place.ok(&["audit", "export"]);
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events = events.filter(|event| event["action"] == action);
    events.map(|event| (text(&event["subject"]), event["data"].clone())).collect()
}

#[test]
fn keys_are_listed_with_their_states_and_times() {
    let place = with_keys();
    let listed = place.json(&["keys", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 4);
    for key in listed.as_array().unwrap() {
        let expected = ["kid", "alg", "state", "created_at", "published_at", "activate_at", "retire_at", "waiting_for"];
        assert_eq!(members(key), BTreeSet::from(expected));
        assert!(text(&key["activate_at"]).ends_with('Z') && key["retire_at"].is_null(), "{key}");
    }
    for state in ["active", "pending"] {
        let algs: Vec<String> = kids(&place, state).into_iter().map(|(alg, _)| alg).collect();
        assert_eq!(algs, ["ES256", "RS256"], "{state}");
    }
}

#[test]
fn a_turn_by_command_is_as_early_as_is_safe_or_at_once() {
    let place = with_keys();
    let (active, pending) = (kids(&place, "active"), kids(&place, "pending"));

    let planned = place.json(&["keys", "rotate"]);
    let mut turned = Vec::new();
    for one in planned.as_array().unwrap() {
        assert!(members(one).is_superset(&BTreeSet::from(["alg", "kid", "activate_at"])), "{one}");
        assert_eq!(one["active"], false, "the key is not known for a day yet: {one}");
        turned.push((text(&one["alg"]), text(&one["kid"])));
    }
    turned.sort_unstable();
    assert_eq!(turned, pending);
    assert_eq!(kids(&place, "active"), active);
    // Asked again it says the same; one algorithm is one line.
    assert_eq!(place.json(&["keys", "rotate"]), planned);
    assert_eq!(place.json(&["keys", "rotate", "--alg", "RS256"]).as_array().unwrap().len(), 1);

    let (data, words) = place.ok(&["keys", "rotate", "--alg", "ES256", "--now", "--json"]);
    let at_once: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&at_once[0]["alg"], &at_once[0]["active"]), (&json!("ES256"), &json!(true)));
    assert_eq!(at_once[0]["kid"], pending[0].1.as_str());
    assert!(words.contains("ES256: apps that keep the key set may not know"), "{words}");
    assert_eq!(kid(&place, "active", "ES256"), pending[0].1);
    assert_eq!(kid(&place, "retiring", "ES256"), active[0].1);
    assert_ne!(kid(&place, "pending", "ES256"), pending[0].1, "there is a next one");
    assert_eq!(kid(&place, "active", "RS256"), active[1].1, "the other algorithm is left alone");
    let (table, _) = place.ok(&["keys", "rotate", "--now"]);
    assert!(table.starts_with("alg") && table.lines().count() == 3, "{table}");

    place.fails(2, &["keys", "rotate", "--alg", "none"]);
    place.ok(&["audit", "verify"]);
}

#[test]
fn a_canary_needs_a_client_and_a_key_that_was_published_for_long_enough() {
    let place = with_keys();
    assert!(place.fails(1, &["keys", "canary", "--client", "nobody"]).contains("there is no client"));
    let words = place.fails(1, &["keys", "canary", "--client", "notes", "--alg", "ES256"]);
    assert!(words.contains("has not been published for long enough"), "{words}");
    let refused = audited(&place, "key.refused");
    assert_eq!((refused[0].0.as_str(), &refused[0].1["act"]), ("notes", &json!("canary")));

    // A command of a house that publishes ahead for seconds only: those seconds pass.
    let soon = ["--config", "soon.toml", "keys", "canary", "--client", "notes", "--alg", "ES256", "--json"];
    let begun = loop {
        let output = place.run(&soon);
        if output.status.success() {
            break serde_json::from_slice::<Value>(&output.stdout).unwrap();
        }
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains("has not been published for long enough"), "{words}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    };
    assert_eq!(members(&begun[0]), BTreeSet::from(["client_id", "kid", "until"]));
    assert_eq!((&begun[0]["client_id"], text(&begun[0]["kid"])), (&json!("notes"), kid(&place, "pending", "ES256")));

    let stop = ["keys", "canary", "--client", "notes", "--stop", "--json"];
    let ended = place.json(&stop[..5]);
    assert_eq!((&ended[0]["kid"], ended.as_array().unwrap().len()), (&begun[0]["kid"], 1));
    assert!(text(&ended[0]["until"]) < text(&begun[0]["until"]), "{ended}");
    assert!(place.fails(1, &stop).contains("no waiting key signs for notes now"));
}

#[test]
fn a_drill_tells_what_a_revocation_would_and_changes_nothing() {
    let place = with_keys();
    let before = place.json(&["keys", "list"]);
    let drill = place.json(&["keys", "drill"]);
    assert_eq!(text(&drill["kid"]), kid(&place, "active", "ES256"), "the first of keys.algorithms");
    let other = place.json(&["keys", "drill", "--alg", "RS256"]);
    assert_eq!((text(&other["kid"]), &other["alg"]), (kid(&place, "active", "RS256"), &json!("RS256")));
    assert_eq!(place.json(&["keys", "list"]), before);
    let held = audited(&place, "key.drill");
    assert_eq!(held.len(), 2);
    assert_eq!((&held[0].0, &held[0].1["recovered_by"]), (&text(&drill["kid"]), &drill["recovered_by"]));

    let revoked = place.json(&["keys", "revoke", &text(&drill["kid"]), "--reason", "it was in a log"]);
    assert_eq!(members(&revoked), members(&drill));
    assert!(members(&revoked).is_superset(&BTreeSet::from([
        "kid",
        "alg",
        "live_tokens",
        "people",
        "apps",
        "recovered_by"
    ])));
    assert_eq!(revoked["kid"], drill["kid"]);
}

#[test]
fn a_revoked_key_is_out_at_once_and_what_waits_takes_over() {
    let place = with_keys();
    let (lost, next) = (kid(&place, "active", "ES256"), kid(&place, "pending", "ES256"));
    let (data, words) = place.ok(&["keys", "revoke", &lost, "--reason", "it was in a log"]);
    assert!(data.contains("recovered by") && words.contains("it was in a log"), "{data}{words}");
    assert_eq!(kid(&place, "active", "ES256"), next);
    let listed = place.json(&["keys", "list"]);
    let row = listed.as_array().unwrap().iter().find(|key| key["kid"] == lost.as_str()).unwrap();
    assert_eq!((&row["state"], &row["reason"]), (&json!("revoked"), &json!("it was in a log")));
    let published = place.ok(&["keys", "export-jwks"]).0;
    assert!(published.contains(&next) && !published.contains(&lost), "{published}");
    let journal = std::fs::read_dir(place.path().join("data")).unwrap();
    let journal = journal.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
    assert!(journal.into_iter().any(|text| text.contains(&lost)), "it stands beside the database too");

    // What cannot be done is said, and recorded.
    assert!(place.fails(2, &["keys", "revoke", &next, "--lost", "world", "--reason", "x"]).contains("key or host"));
    assert!(place.fails(1, &["keys", "revoke", &lost, "--reason", "again"]).contains("was revoked before"));
    assert!(place.fails(1, &["keys", "revoke", "nonsense", "--reason", "lost"]).contains("there is no key"));
    // The names of some older keys begin so.
    let words = place.fails(1, &["keys", "revoke", "-IWOAj96018", "--reason", "lost"]);
    assert!(words.contains("there is no key"), "{words}");
    let refused = audited(&place, "key.refused");
    let subjects: Vec<&str> = refused.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(subjects, [lost.as_str(), "nonsense", "-IWOAj96018"]);
    assert!(refused.iter().all(|(_, data)| data["act"] == "revoke"), "{refused:?}");
    for reason in ["", "  ", "two\nlines", &"x".repeat(201)] {
        assert!(place.fails(2, &["keys", "revoke", &next, "--reason", reason]).contains("--reason"));
    }
    assert_eq!(kid(&place, "active", "ES256"), next);
    place.ok(&["audit", "verify"]);
}

#[test]
fn after_a_lost_host_nothing_that_lay_on_it_counts() {
    let place = with_keys();
    let old: BTreeSet<String> =
        ["active", "pending"].iter().flat_map(|state| kids(&place, state)).map(|(_, kid)| kid).collect();
    let named = kid(&place, "active", "RS256");
    let (data, words) = place.ok(&["keys", "revoke", &named, "--lost", "host", "--reason", "the machine was stolen"]);
    assert!(data.contains("all keys of all algorithms") && data.contains("everyone signs in again"), "{data}");
    for left in ["keys rewrap --make", "clients rotate-secret", "TLS key"] {
        assert!(words.contains(left), "{left} is not in {words}");
    }
    let revoked: BTreeSet<String> = kids(&place, "revoked").into_iter().map(|(_, kid)| kid).collect();
    assert_eq!((revoked.len(), &revoked), (4, &old));
    for state in ["active", "pending"] {
        let algs: Vec<String> = kids(&place, state).into_iter().map(|(alg, _)| alg).collect();
        assert_eq!(algs, ["ES256", "RS256"], "{state}");
    }
    let journal = std::fs::read_to_string(place.path().join("data/revoked-keys.jsonl")).unwrap();
    assert!(old.iter().all(|kid| journal.contains(kid)), "{journal}");
    assert_eq!(audited(&place, "all.end").len(), 1);

    // A key that was thrown out before can be named too; what is left out of belief is nothing.
    let report = place.json(&["keys", "revoke", &named, "--lost", "host", "--reason", "once more"]);
    assert_eq!((&report["lost"], kids(&place, "revoked").len()), (&json!("host"), 8));
    let (_, words) = place.ok(&["keys", "export-jwks"]);
    assert!(!words.contains("left out"), "{words}");
    // A server writes down what the journal lacks, whoever has revoked it.
    std::fs::remove_file(place.path().join("data/revoked-keys.jsonl")).unwrap();
    Server::start(&mut place.command(&["serve"])).unwrap().kill();
    let journal = std::fs::read_to_string(place.path().join("data/revoked-keys.jsonl")).unwrap();
    assert_eq!((journal.lines().count(), old.iter().all(|kid| journal.contains(kid))), (8, true), "{journal}");
    let (whole, _) = place.ok(&["audit", "verify"]);
    assert!(whole.contains("the chain is whole"), "{whole}");
    place.ok(&["keys", "rotate", "--now"]);
}
