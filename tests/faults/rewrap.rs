//! The master key is turned: `kill -9` in the midst of it, and processes that lack the new key.

use std::process::{Child, Stdio};
use std::time::Duration;

use frontdesk::domain::time::Timestamp;
use frontdesk::keys::check_master_key;
use frontdesk::keys::vault::{Place, Sealed, Vault};
use frontdesk::store::sealed::{self, Table};
use frontdesk::store::{OpenOptions, Store};

use crate::support::{ALICE, Server, TestProvider};
use crate::{invariants, rounds};

/// Many batches.
const STRANGERS: usize = 1_500;

/// Settings that name `first` as the master key and `then` as a previous one.
fn settings(provider: &TestProvider, name: &str, first: &str, then: &str) {
    let text = std::fs::read_to_string(provider.place().path().join("config.toml")).unwrap();
    let at = text.find("[secrets]").unwrap();
    let end = at + text[at..].find("[keys]").unwrap();
    let secrets = format!("[secrets]\nmaster_key_file = \"{first}\"\nprevious_master_key_files = [{then}]\n");
    provider.place().write(name, &format!("{}{secrets}{}", &text[..at], &text[end..]));
}

fn vault(provider: &TestProvider, names: &[&str]) -> Vault {
    let files: Vec<_> = names.iter().map(|name| provider.place().path().join(name)).collect();
    Vault::load(&files[0], &files[1..], false).unwrap()
}

/// A stopped house with two master keys, the settings of all ways to name them, and many people in it.
async fn house() -> TestProvider {
    let provider = TestProvider::installed().await;
    provider.place().ok(&["keys", "rewrap", "--make", "new.key"]);
    settings(&provider, "turn.toml", "new.key", "\"master.key\"");
    settings(&provider, "back.toml", "master.key", "\"new.key\"");
    settings(&provider, "new.toml", "new.key", "");
    let vault = vault(&provider, &["master.key"]);
    let rows =
        |row: fn(usize, &Vault) -> String| (0..STRANGERS).map(|at| row(at, &vault)).collect::<Vec<_>>().join(", ");
    let people = rows(|at, _| format!("('s{at}', 's{at}', 's{at}', 's{at}', FALSE, '{{}}', '', 0, 0, 0)"));
    provider
        .run(&format!(
            "INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, updated_at, \
             not_before) VALUES {people}"
        ))
        .await;
    let passwords = rows(|at, vault| {
        let sealed = vault.seal(Place::of(Table::Passwords, &format!("s{at}")), b"hash");
        format!("('s{at}', '{}', '{}', 0)", sealed.text, sealed.kek_id)
    });
    provider.run(&format!("INSERT INTO passwords (user_id, sealed, kek_id, changed_at) VALUES {passwords}")).await;
    provider
}

async fn store(provider: &TestProvider) -> Store {
    let url = provider.database_url().to_owned();
    Store::open(&OpenOptions { url, max_connections: 2, migrate: false }).await.unwrap()
}

/// Opens all that is sealed; gives the ids of the keys it is sealed under.
async fn opened(provider: &TestProvider, vault: &Vault) -> Vec<String> {
    let store = store(provider).await;
    check_master_key(&store, vault, Timestamp::from_seconds(0)).await.unwrap();
    let (mut db, mut values, mut keys) = (store.read().await.unwrap(), 0, Vec::new());
    for table in Table::ALL {
        for kek_id in sealed::kek_ids(&mut db, table).await.unwrap() {
            for row in sealed::batch(&mut db, table, &kek_id, "", 10_000).await.unwrap() {
                let sealed = Sealed { text: row.sealed, kek_id: kek_id.clone() };
                vault.open(Place::of(table, &row.row), &sealed).unwrap();
                values += 1;
            }
            keys.push(kek_id);
        }
    }
    drop(db);
    store.close().await;
    // Two people, a MAC root, a refresh root, an active and a waiting key.
    assert_eq!(values, STRANGERS + 6);
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn rewrap(provider: &TestProvider, settings: &str) -> Child {
    let mut command = provider.place().command(&["--config", settings, "keys", "rewrap"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_while_it_seals_anew_it_is_started_again_and_comes_to_its_end() {
    let provider = house().await;
    provider.serve_by(&mut provider.place().command(&["--config", "turn.toml", "serve"]));
    let app = provider.client("web");
    let mut tokens = app.tokens_of(ALICE).await;
    let (old, new) = (vault(&provider, &["master.key"]), vault(&provider, &["new.key"]));
    let mut mixed = 0;
    // To and fro, each time by several runs that are killed somewhere, and one that is not.
    for round in 0..rounds(2, 10) {
        let (settings, target) = if round % 2 == 0 { ("turn.toml", &new) } else { ("back.toml", &old) };
        let kills = rounds(4, 12);
        for at in 0..kills {
            // The first somewhere around its start, the others one after the other further on.
            let goal = STRANGERS * at / kills;
            let reached = format!("SELECT COUNT(*) FROM passwords WHERE kek_id = '{}'", target.kek_id());
            let mut run = rewrap(&provider, settings);
            if at == 0 {
                tokio::time::sleep(Duration::from_millis(u64::try_from(20 + round * 37).unwrap())).await;
            }
            while provider.number(&reached).await < i64::try_from(goal).unwrap() && run.try_wait().unwrap().is_none() {}
            run.kill().unwrap();
            run.wait().unwrap();
            let keys = opened(&provider, &vault(&provider, &["new.key", "master.key"])).await;
            mixed += usize::from(keys.len() > 1);
            // People sign in and apps refresh all the while.
            tokens = app.refresh(&tokens.refresh).await.expect_tokens();
            app.tokens_of(ALICE).await;
        }
        provider.place().ok(&["--config", settings, "keys", "rewrap"]);
        assert_eq!(opened(&provider, target).await, [target.kek_id()]);
        let active = "SELECT COUNT(*) FROM signing_keys WHERE state = 'active'";
        assert_eq!(provider.number(active).await, 1);
    }
    assert!(mixed > 0, "none was killed in the midst of it");
    // The last round went back, so the usual settings fit.
    invariants::hold(&provider).await;
    provider.place().ok(&["--config", "turn.toml", "keys", "rewrap"]);
    let known = app.tokens_of(ALICE).await;

    // The old file is needed no more.
    assert_eq!(provider.stop().code(), Some(0));
    std::fs::remove_file(provider.place().path().join("master.key")).unwrap();
    provider.serve_by(&mut provider.place().command(&["--config", "new.toml", "serve"]));
    provider.get("/readyz").await.expect(200);
    app.refresh(&tokens.refresh).await.expect_tokens();
    app.refresh(&known.refresh).await.expect_tokens();
    app.userinfo(&known.access).await.expect(200);
    app.tokens_of(ALICE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_running_process_without_the_new_key_is_named_and_one_that_ended_is_not() {
    let provider = house().await;
    provider.serve();
    let beside = Server::start(&mut provider.place().command(&["--config", "turn.toml", "serve"])).unwrap();
    let turn = ["--config", "turn.toml", "keys", "rewrap"];
    let words = provider.place().fails(1, &turn);
    let name = |server: &Server| format!("(process {})", server.pid().as_raw_nonzero());
    assert!(words.contains(&provider.server(name)) && !words.contains(&name(&beside)), "{words}");
    let old = vault(&provider, &["master.key"]);
    assert_eq!(opened(&provider, &old).await, [old.kek_id()], "nothing was changed");

    // Stopped, it is no longer waited for.
    assert_eq!(provider.stop().code(), Some(0));
    assert_eq!(provider.number("SELECT COUNT(*) FROM nodes").await, 1);
    let (data, words) = provider.place().ok(&turn);
    assert!(data.contains("master_key_check  1"), "{data}{words}");
    let new = vault(&provider, &["new.key"]);
    assert_eq!(opened(&provider, &new).await, [new.kek_id()]);
    // And does not start any more with what it has.
    let refused = provider.serve_beside().unwrap_err();
    assert!(refused.words.contains("secrets.master_key_file"), "{}", refused.words);
    provider.get_at(&beside, "/readyz").await.expect(200);
}
