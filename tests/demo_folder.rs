//! `frontdesk demo --data DIR` and what lies in DIR already: a demo's own folder is used again, everything else is left alone.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on shall stop")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A folder for the demo inside one that is thrown away.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn config(&self) -> PathBuf {
        self.data().join("config.toml")
    }

    /// Writes a file into the folder.
    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.data()).unwrap();
        std::fs::write(self.data().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        command.args(arguments).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command that ends by itself and must succeed, on the folder's own settings.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.command(&[&["--config", "data/config.toml"], arguments].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A demo that must come up.
    fn demo(&self, more: &[&str]) -> Demo {
        Demo::start(self.command(&[&["demo", "--json", "--data", "data"], more].concat()))
    }

    /// A demo that must not come up: gives its words, after nothing in the folder was found changed.
    fn refused(&self, more: &[&str]) -> String {
        let before = files(&self.data());
        let output: Output =
            self.command(&[&["demo", "--port", "0", "--data", "data"], more].concat()).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert_eq!(output.stdout, b"", "no password was given out");
        assert_eq!(files(&self.data()), before, "the folder was touched");
        words
    }
}

/// Every file in a folder and what is in it, byte for byte.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// A demo that is up; dropping it stops it.
struct Demo {
    child: Child,
    told: Value,
}

impl Demo {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut text = Vec::new();
        let mut out = child.stdout.take().unwrap();
        let told = loop {
            let mut some = [0; 4096];
            let length = out.read(&mut some).unwrap();
            if length == 0 {
                let mut words = String::new();
                child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
                panic!("the demo ended: {words}");
            }
            text.extend_from_slice(&some[..length]);
            if let Ok(told) = serde_json::from_slice(&text) {
                break told;
            }
        };
        Self { child, told }
    }

    fn text(&self, member: &str) -> &str {
        self.told[member].as_str().unwrap()
    }

    fn password(&self, username: &str) -> String {
        let users = self.told["users"].as_array().unwrap();
        users.iter().find(|user| user["username"] == username).unwrap()["password"].as_str().unwrap().to_owned()
    }

    /// Stops it as Ctrl-C does.
    fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An installation as `serve` and `apply` make it, with a person who has the name of one of the demo's.
fn real_installation(place: &Place) {
    place.write(
        "config.toml",
        "[server]\nissuer = \"https://id.example.com\"\n[database]\nurl = \"sqlite://frontdesk.db\"\n",
    );
    place.ok(&["users", "add", "alice", "--no-password", "--email", "alice@elsewhere.example", "--role", "admin"]);
    place.ok(&["clients", "add", "shop", "--redirect-uri", "https://shop.example.com/cb"]);
}

#[test]
fn a_config_file_of_somebody_else_is_left_alone() {
    let place = Place::new();
    place.write("config.toml", "# mine\n[server]\nissuer = \"https://id.example.com\"\n");
    let words = place.refused(&[]);
    assert!(words.contains("config.toml was not made by `frontdesk demo`"), "{words}");
    assert!(words.contains("Name another folder after --data"), "{words}");
    assert_eq!(files(&place.data()).len(), 1, "nothing was added");
}

#[test]
fn a_database_of_somebody_else_is_left_alone() {
    let place = Place::new();
    real_installation(&place);
    assert!(place.refused(&[]).contains("frontdesk.db was not made by `frontdesk demo`"));
    std::fs::remove_file(place.config()).unwrap();
    place.refused(&[]);
    real_installation_is_whole(&place);

    // A text that looks like the demo's own makes no difference, nor does a file that is no database.
    place.write("config.toml", "# Written by `frontdesk demo`.\n[server]\nissuer = \"http://localhost:8080\"\n[database]\nurl = \"sqlite://frontdesk.db\"\n");
    place.refused(&[]);
    let other = Place::new();
    other.write("frontdesk.db", "not a database");
    other.refused(&[]);
    let key = Place::new();
    key.write("master.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert!(key.refused(&[]).contains("master.key was not made"));
}

fn real_installation_is_whole(place: &Place) {
    place.write(
        "config.toml",
        "[server]\nissuer = \"https://id.example.com\"\n[database]\nurl = \"sqlite://frontdesk.db\"\n",
    );
    let alice: Value = serde_json::from_str(&place.ok(&["users", "show", "alice", "--json"])).unwrap();
    assert_eq!(alice["email"], "alice@elsewhere.example");
    let shop: Value = serde_json::from_str(&place.ok(&["clients", "show", "shop", "--json"])).unwrap();
    assert_eq!(shop["disabled_at"], Value::Null);
}

#[test]
fn an_absent_or_empty_folder_becomes_the_demos() {
    let place = Place::new();
    assert!(!place.data().exists());
    let demo = place.demo(&["--port", "0"]);
    assert!(place.config().exists());
    demo.stop();

    let place = Place::new();
    place.write("notes.txt", "about something else");
    place.demo(&["--port", "0"]).stop();
    assert_eq!(std::fs::read(place.data().join("notes.txt")).unwrap(), b"about something else");
}

#[test]
fn a_folder_of_an_earlier_demo_is_used_again() {
    let place = Place::new();
    let first = place.demo(&["--port", "0"]);
    let (issuer, password) = (first.text("issuer").to_owned(), first.password("alice"));
    first.stop();
    let alice: Value = serde_json::from_str(&place.ok(&["users", "show", "alice", "--json"])).unwrap();
    place.ok(&["clients", "add", "mine", "--redirect-uri", "http://localhost:9/cb", "--scope", "openid notes:read"]);
    let changed = format!(
        "# my own words\n{}\n[pages]\nname = \"Hotel\" # kept\n",
        std::fs::read_to_string(place.config()).unwrap()
    );
    std::fs::write(place.config(), &changed).unwrap();

    let second = place.demo(&["--port", "0"]);
    let again = second.text("issuer").to_owned();
    assert_ne!(issuer, again, "free ports are others each time");
    assert_ne!(second.password("alice"), password);
    // Also after it was killed: then the mark lies in the write-ahead log.
    drop(second);
    let third = place.demo(&["--port", "0"]);
    let third_issuer = third.text("issuer").to_owned();
    third.stop();

    let same: Value = serde_json::from_str(&place.ok(&["users", "show", "alice", "--json"])).unwrap();
    assert_eq!(same["sub"], alice["sub"], "the same person");
    let mine: Value = serde_json::from_str(&place.ok(&["clients", "show", "mine", "--json"])).unwrap();
    assert_eq!(mine["disabled_at"], Value::Null, "what a person registered there stays in service");
    let port = |issuer: &str| issuer.rsplit_once(':').unwrap().1.to_owned();
    let expected = changed
        .replace(&issuer, &third_issuer)
        .replace(&format!("localhost:{}", port(&issuer)), &format!("localhost:{}", port(&third_issuer)));
    assert_eq!(std::fs::read_to_string(place.config()).unwrap(), expected, "only the two addresses are others");
}

#[test]
fn settings_that_do_not_go_with_a_demo_are_refused_and_kept() {
    let place = Place::new();
    let first = place.demo(&["--port", "0"]);
    let issuer = first.text("issuer").to_owned();
    first.stop();
    let text = std::fs::read_to_string(place.config()).unwrap();
    for (from, to, expected) in [
        (issuer.as_str(), "https://id.example.com", "was changed to issuer = \"https://id.example.com\""),
        ("sqlite://frontdesk.db", "sqlite://other.db", "names another database or master key"),
        ("[database]", "[databases]", "databases"),
    ] {
        std::fs::write(place.config(), text.replace(from, to)).unwrap();
        let words = place.refused(&[]);
        assert!(words.contains(expected) && words.contains("config.toml"), "{words}");
    }
    // The settings put right, the folder is a demo's again.
    std::fs::write(place.config(), &text).unwrap();
    place.demo(&["--port", "0"]).stop();
}
