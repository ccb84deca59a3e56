//! The audit as an operator uses it: looked at, exported, checked against checkpoints that were kept elsewhere.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

#[path = "support/place.rs"]
mod place;

use place::Place;

/// A house with a few people, whose audit was sealed by a server that ran for a moment. Also gives the server's log.
fn sealed(settings: &str) -> (Place, String) {
    let place = Place::with(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{settings}"));
    for name in ["ann", "bob", "cleo", "dan"] {
        place.ok(&["users", "add", name, "--no-password"]);
    }
    let log = serve_until(&place, "checkpoint");
    (place, log)
}

/// Serves until the log says this word; then the server is stopped. Gives the log.
fn serve_until(place: &Place, word: &str) -> String {
    let mut server = place.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains(word) {
        assert!(lines.read_line(&mut log).unwrap() > 0, "the log ended: {log}");
    }
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    lines.read_to_string(&mut log).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0), "{log}");
    log
}

async fn on_database(place: &Place, text: &'static str) {
    use sqlx::{ConnectOptions as _, Connection as _};
    let file = place.path().join("data/frontdesk.db");
    let mut db = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    sqlx::raw_sql(text).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

/// The report and the words of a check that must fail.
#[track_caller]
fn broken(place: &Place, arguments: &[&str]) -> (Value, String) {
    let output = place.run(&[&["audit", "verify", "--json"], arguments].concat());
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report.get("whole"), report.get("checkpoint")), (Some(&json!(false)), Some(&Value::Null)));
    (report, words)
}

#[test]
fn what_is_not_sealed_yet_is_counted_and_no_fault() {
    let place = Place::with("[server]\nissuer = \"https://id.example.com\"\n");
    place.ok(&["users", "add", "ann", "--no-password"]);
    let report = place.json(&["audit", "verify"]);
    assert_eq!((&report["whole"], &report["sealed"], &report["unsealed"]), (&json!(true), &json!(0), &json!(1)));
    assert!(report["oldest_unsealed"].as_str().unwrap().ends_with('Z'));
    let (data, _) = place.ok(&["audit", "verify"]);
    assert!(data.contains("the chain is whole: 0 sealed, 1 not sealed yet"), "{data}");
}

#[test]
fn events_are_printed_for_people_and_for_programs() {
    let (place, _) = sealed("");
    let newest = place.json(&["audit", "tail", "-n", "3"]);
    let newest = newest.as_array().unwrap();
    assert_eq!(newest.len(), 3);
    assert!(newest[0]["id"].as_str() < newest[2]["id"].as_str(), "the newest last");
    let (data, _) = place.ok(&["audit", "tail"]);
    assert!(data.starts_with("number") && data.contains("cli") && data.contains("user.create"), "{data}");

    let (data, _) = place.ok(&["audit", "export"]);
    assert_eq!(data, place.ok(&["audit", "export", "--json"]).0);
    let events: Vec<Value> = data.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let report = place.json(&["audit", "verify"]);
    assert_eq!((events.len(), &report["unsealed"]), (report["sealed"].as_u64().unwrap() as usize, &json!(0)));
    let numbers: Vec<u64> = events.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    let first = &events[0];
    assert_eq!(
        (&first["actor"], &first["action"], first["data"].is_object()),
        (&json!("cli"), &json!("user.create"), true)
    );
    assert!(first["at"].as_str().unwrap().ends_with('Z') && first["mac"].as_str().unwrap().len() == 43);

    assert_eq!(place.ok(&["audit", "export", "--from", "2020-01-01", "--to", "2021-01-01T00:00:00Z"]).0, "");
    assert_eq!(place.ok(&["audit", "export", "--from", "2020-01-01"]).0, data);
    place.fails(2, &["audit", "export", "--from", "yesterday"]);
}

#[tokio::test]
async fn a_change_is_named_and_the_exit_code_says_so() {
    let (place, _) = sealed("");
    on_database(
        &place,
        "UPDATE audit SET subject = 'somebody else' WHERE number = 2; DELETE FROM audit WHERE number = 3",
    )
    .await;
    let words = place.fails(1, &["audit", "verify"]);
    assert!(
        words.contains("row 2 (") && words.contains("was changed") && words.contains("row 3 is missing"),
        "{words}"
    );
    let (report, words) = broken(&place, &[]);
    assert!(words.contains("row 3 is missing"), "{words}");
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(
        (&problems[0]["problem"], &problems[0]["number"], problems.len()),
        (&json!("personal_part_changed"), &json!(2), 2)
    );
    assert_eq!((&problems[1]["problem"], &problems[1]["from"]), (&json!("rows_missing"), &json!(3)));
    assert!(problems[1]["text"].as_str().unwrap().contains("row 3"));
}

#[tokio::test]
async fn what_was_kept_elsewhere_shows_that_the_newest_rows_are_gone() {
    for format in ["text", "json"] {
        let (place, log) = sealed(&format!("[telemetry]\nlog_format = \"{format}\"\n"));
        place.write("kept.log", &log);
        let report = place.json(&["audit", "verify", "--anchor", "kept.log"]);
        assert!(report["checkpoints_held"].as_u64().unwrap() >= 1, "{report}");
        assert_eq!(report["checkpoints_unproven"], 0);
        // What is printed is as good as the log.
        place.write("kept.json", &place.ok(&["audit", "verify", "--json"]).0);
        let both = ["audit", "verify", "--anchor", "kept.log", "--anchor", "kept.json"];
        let (data, _) = place.ok(&both);
        assert!(data.contains("checkpoints are held"), "{data}");
        // The chain goes on, and they are held.
        place.ok(&["users", "disable", "bob"]);
        place.ok(&both);
        // The hour is not over: the next is written at the stop.
        place.write("more.log", &serve_until(&place, "listening"));
        place.ok(&[&both[..], &["--anchor", "more.log"]].concat());

        on_database(
            &place,
            "DELETE FROM audit WHERE number > 2; \
             UPDATE audit_head SET number = 2, mac = (SELECT mac FROM audit WHERE number = 2)",
        )
        .await;
        place.ok(&["audit", "verify"]);
        for kept in ["kept.log", "kept.json"] {
            let (report, words) = broken(&place, &["--anchor", kept]);
            assert_eq!(report["problems"][0]["problem"], "checkpoint_missing", "{report}");
            assert!(words.contains("the chain ends with row 2"), "{words}");
        }
    }
}

#[tokio::test]
async fn a_person_is_erased_and_the_chain_is_whole() {
    let (place, _) = sealed("");
    let checkpoint = place.ok(&["audit", "verify", "--json"]).0;
    place.write("kept.json", &checkpoint);
    let bob = place.json(&["users", "show", "bob"])["sub"].as_str().unwrap().to_owned();
    let subjects = || -> Vec<(String, String)> {
        let (lines, _) = place.ok(&["audit", "export"]);
        let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
        events.map(|event| (text(&event, "action"), text(&event, "subject"))).collect()
    };
    let before = subjects();
    let created = before.iter().filter(|(action, _)| action == "user.create").count();
    assert_eq!(created, 4);

    // A stranger, and what might stand for somebody else.
    for nobody in ["nobody", "a", &bob[..21], "0199"] {
        let words = place.fails(1, &["audit", "erase", "--user", nobody, "--yes"]);
        assert!(words.contains("there is no person"), "{words}");
    }
    assert_eq!(subjects(), before);
    let report = place.json(&["audit", "erase", "--user", &bob, "--yes"]);
    assert_eq!(report, json!({ "erased": 1, "not_sealed": 0 }));
    let after = subjects();
    let told = |subjects: &[(String, String)], who: &str| subjects.iter().filter(|(_, subject)| subject == who).count();
    assert_eq!((told(&after, "erased"), told(&after, "audit")), (1, 1));
    assert_eq!(after.iter().filter(|(action, subject)| action == "user.create" && subject != "erased").count(), 3);
    let verdict = place.json(&["audit", "verify", "--anchor", "kept.json"]);
    assert_eq!((&verdict["whole"], &verdict["erased"], &verdict["unsealed"]), (&json!(true), &json!(1), &json!(1)));
    let (_, words) = place.ok(&["audit", "erase", "--user", "BOB", "--yes"]);
    assert!(words.contains("no sealed row"), "{words}");

    // One who was removed is known by the identity alone; and what is not sealed yet waits.
    let id = |name: &str| {
        let at = ["ann", "bob", "cleo", "dan"].iter().position(|one| *one == name).unwrap();
        before.iter().filter(|(action, _)| action == "user.create").nth(at).unwrap().1.clone()
    };
    place.ok(&["users", "remove", "cleo"]);
    let words = place.fails(1, &["audit", "erase", "--user", &id("cleo"), "--yes"]);
    assert!(words.contains("1 rows tell of nobody any more") && words.contains("more rows tell of"), "{words}");
    serve_until(&place, "listening");
    place.ok(&["audit", "erase", "--user", &id("cleo"), "--yes"]);
    let left = subjects();
    assert_eq!(told(&left, &id("cleo")), 0);
    assert_eq!(told(&left, &id("ann")), 1);
    let removals: Vec<_> = left.iter().filter(|(action, _)| action == "user.remove").collect();
    assert_eq!(removals.iter().map(|(_, subject)| subject.as_str()).collect::<Vec<_>>(), ["erased"]);
    assert_eq!(place.json(&["audit", "verify", "--anchor", "kept.json"])["whole"], true);
}

#[test]
fn a_file_that_holds_no_checkpoint_is_a_wrong_argument() {
    let (place, _) = sealed("");
    place.write("nothing.log", "INFO serving issuer=\"http://localhost:8080\"\n");
    assert!(place.fails(2, &["audit", "verify", "--anchor", "nothing.log"]).contains("holds no checkpoint"));
    assert!(place.fails(2, &["audit", "verify", "--anchor", "nowhere.log"]).contains("nowhere.log"));
}

#[test]
fn another_master_key_is_refused_before_anything_is_called_forged() {
    let (place, _) = sealed("");
    let (other, _) = sealed("");
    std::fs::copy(other.path().join("data/master.key"), place.path().join("data/master.key")).unwrap();
    let words = place.fails(1, &["audit", "verify"]);
    assert!(words.contains("master key") && !words.contains("row 1"), "{words}");
    // To look at it needs no key.
    place.ok(&["audit", "tail"]);
    place.ok(&["audit", "export"]);
}
