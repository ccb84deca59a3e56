//! `kill -9` while keys turn, are revoked, one or all, and are sealed anew: afterwards each algorithm has one key that signs and one that waits.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use frontdesk::crypto::random;

use crate::support::TestProvider;
use crate::{invariants, rounds};

/// Keys that turn by themselves every few seconds, and two master keys that may be turned to and fro.
const KEYS: &str = r#"[keys]
algorithms = ["ES256", "RS256"]
period = "4s"
publish_ahead = "2s"
jwks_max_age = "1s"
clock_skew = "0s"
patience = "0s"
retire_window = "91s"
[tokens]
access_token_ttl = "1m"
id_token_ttl = "1m"
"#;

fn settings(provider: &TestProvider, name: &str, first: &str, then: &str) {
    let text = std::fs::read_to_string(provider.place().path().join("config.toml")).unwrap();
    let text = text
        .replace(
            "master_key_file = \"master.key\"\n",
            &format!("master_key_file = \"{first}\"\nprevious_master_key_files = [\"{then}\"]\n"),
        )
        .replace("[keys]\nalgorithms = [\"ES256\"]\n[tokens]\n", KEYS)
        .replace("[limits]\n", "[limits]\nchange_poll = \"50ms\"\n");
    assert!(text.contains(KEYS) && text.contains(first) && text.contains(then) && text.contains("50ms"), "{text}");
    provider.place().write(name, &text);
}

async fn house() -> TestProvider {
    let provider = TestProvider::installed().await;
    provider.place().ok(&["keys", "rewrap", "--make", "new.key"]);
    settings(&provider, "back.toml", "master.key", "new.key");
    settings(&provider, "config.toml", "new.key", "master.key");
    provider
}

/// An admin who does one thing about the keys after the other until he is killed.
#[derive(Debug)]
struct Admin {
    gone: Arc<AtomicBool>,
    command: Arc<Mutex<Option<Child>>>,
    /// How many things he has done to their end.
    done: Arc<AtomicUsize>,
    acting: JoinHandle<()>,
}

impl Admin {
    fn start(provider: &TestProvider, first: usize) -> Self {
        let (gone, command) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let done = Arc::new(AtomicUsize::new(0));
        let (provider, stop, current, count) =
            (provider.clone(), Arc::clone(&gone), Arc::clone(&command), Arc::clone(&done));
        let acting = std::thread::spawn(move || {
            for at in first.. {
                let active = active_key(&provider, if at % 10 < 5 { "ES256" } else { "RS256" });
                let arguments: &[&str] = match at % 5 {
                    0 => &["keys", "rotate", "--now"],
                    1 => &["keys", "revoke", &active, "--reason", "thrown out in a test"],
                    2 => &["keys", "revoke", &active, "--lost", "host", "--reason", "all thrown out in a test"],
                    3 => &["--config", "back.toml", "keys", "rewrap"],
                    _ => &["keys", "rewrap"],
                };
                let mut child = provider.place().command(arguments);
                {
                    let mut current = current.lock().unwrap();
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    *current = Some(child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
                }
                // What it ends with is not asked: the key may have turned between the look and the command.
                while current.lock().unwrap().as_mut().is_some_and(|child| child.try_wait().unwrap().is_none()) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { gone, command, done, acting }
    }

    /// Waits until he has done so many things, or is at one that waits for others: `rewrap` gives a process that was killed a
    /// minute to come back.
    async fn has_done(&self, things: usize) {
        let end = Instant::now() + Duration::from_secs(3);
        while self.done.load(Ordering::SeqCst) < things && Instant::now() < end {
            assert!(!self.acting.is_finished(), "the admin has given up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// `kill -9` of what he is doing.
    fn kill(self) {
        self.gone.store(true, Ordering::SeqCst);
        if let Some(child) = self.command.lock().unwrap().as_mut() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.acting.join().unwrap();
    }
}

/// The name of the key that signs, as `keys list` tells.
fn active_key(provider: &TestProvider, alg: &str) -> String {
    let listed = provider.place().json(&["keys", "list"]);
    let keys = listed.as_array().unwrap();
    let active = keys.iter().find(|key| key["alg"] == alg && key["state"] == "active");
    active.map(|key| key["kid"].as_str().unwrap().to_owned()).unwrap_or_default()
}

/// One key of each algorithm signs and one waits, and all rows are believed.
async fn whole(provider: &TestProvider, round: usize) {
    let standing =
        "SELECT alg || ' ' || state FROM signing_keys WHERE state IN ('active', 'pending') ORDER BY alg, state";
    let keys = provider.texts(standing).await;
    assert_eq!(keys, ["ES256 active", "ES256 pending", "RS256 active", "RS256 pending"], "round {round}");
    let (_, words) = provider.place().ok(&["keys", "export-jwks"]);
    assert!(!words.contains("left out"), "round {round}: {words}");
}

/// Whether keys were thrown out and keys have turned: nothing of it was for show.
async fn all_kinds_seen(provider: &TestProvider) -> bool {
    let states = "SELECT DISTINCT state FROM signing_keys WHERE state IN ('revoked', 'retiring') ORDER BY state";
    provider.texts(states).await == ["retiring", "revoked"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_while_keys_turn_each_algorithm_has_one_that_signs_and_one_that_waits() {
    let provider = house().await;
    provider.serve();
    let rounds = rounds(5, 100);
    let mut round = 0;
    // A kill may come before a command has done what it came for; the rounds go on until each kind was seen.
    while round < rounds || (round < 10 * rounds && !all_kinds_seen(&provider).await) {
        let admin = Admin::start(&provider, round);
        let [things, late] = random::bytes::<2>();
        admin.has_done(usize::from(things % 5)).await;
        tokio::time::sleep(Duration::from_millis(u64::from(late))).await;
        // Sometimes the one dies first, sometimes the other.
        if late % 2 == 0 {
            provider.kill();
            admin.kill();
        } else {
            admin.kill();
            provider.kill();
        }
        whole(&provider, round).await;

        provider.serve();
        provider.get("/readyz").await.expect(200);
        let token = provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect(200);
        let (header, _) = provider.verify(&token.text("access_token")).await;
        let key =
            format!("SELECT COUNT(*) FROM signing_keys WHERE kid = '{}' AND state = 'revoked'", header.kid.unwrap());
        assert_eq!(provider.number(&key).await, 0, "a revoked key signed in round {round}");
        whole(&provider, round).await;
        invariants::hold(&provider).await;
        round += 1;
    }
    assert!(all_kinds_seen(&provider).await, "in {round} rounds no key was thrown out, or none turned");
}
