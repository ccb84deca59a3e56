//! Two processes that come to an empty database at the same moment.

use std::process::Stdio;

use serde_json::Value;

use crate::support::TestProvider;
use crate::{contents, rounds};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_that_migrate_at_once_leave_one_whole_schema() {
    let alone = TestProvider::empty().await;
    alone.place().ok(&["migrate"]);
    let whole = contents::schema(&alone).await;
    for _ in 0..rounds(8, 40) {
        let provider = TestProvider::empty().await;
        let start = || {
            let mut command = provider.place().command(&["migrate"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        for child in [start(), start()] {
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(contents::schema(&provider).await, whole);
        let status = provider.place().json(&["migrate", "--status"]);
        let status = status.as_array().unwrap();
        assert!(!status.is_empty() && status.iter().all(|one| one["applied"] == true), "{status:?}");
        let recorded = provider.number("SELECT COUNT(*) FROM _sqlx_migrations WHERE success").await;
        assert_eq!(recorded, i64::try_from(status.len()).unwrap(), "each was applied once");
        assert_eq!(provider.number("SELECT COUNT(*) FROM changes").await, 3);
        if provider.database_file().is_some() {
            assert_eq!(provider.number("PRAGMA auto_vacuum").await, 2, "room is given back step by step");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_first_starts_at_once_agree_on_the_keys() {
    for _ in 0..rounds(8, 40) {
        let provider = TestProvider::empty().await;
        let (one, other) = std::thread::scope(|threads| {
            let other = threads.spawn(|| provider.serve_beside());
            (provider.serve_beside(), other.join().unwrap())
        });
        let (one, other) = (one.unwrap(), other.unwrap());
        let mut key_sets = Vec::new();
        for server in [&one, &other] {
            provider.get_at(server, "/readyz").await.expect(200);
            key_sets.push(provider.get_at(server, "/.well-known/jwks.json").await.expect(200).json());
        }
        assert_eq!(key_sets[0], key_sets[1]);
        let kids: Vec<&str> =
            key_sets[0]["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(kids.len(), 4);

        let keys = provider.texts("SELECT alg || ' ' || state FROM signing_keys ORDER BY alg, state").await;
        assert_eq!(keys, ["ES256 active", "ES256 pending", "RS256 active", "RS256 pending"]);
        for row in provider.texts("SELECT kid FROM signing_keys").await {
            assert!(kids.contains(&row.as_str()));
        }
        assert_eq!(provider.number("SELECT COUNT(*) FROM refresh_roots").await, 1);
        // A third process finds all of it in order: what was sealed opens with the one master key there is.
        drop((one, other));
        provider.serve();
        let third: Value = provider.get("/.well-known/jwks.json").await.json();
        assert_eq!(third, key_sets[0]);
        provider.get("/readyz").await.expect(200);
        assert_eq!(provider.stop().code(), Some(0));
    }
}
