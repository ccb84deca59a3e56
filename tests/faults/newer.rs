//! A database that a newer version has written.

use crate::contents;
use crate::support::TestProvider;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let provider = TestProvider::start().await;
    assert_eq!(provider.stop().code(), Some(0));
    let empty = if provider.database_file().is_some() { "x'00'" } else { "decode('00', 'hex')" };
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', TRUE, ";
    provider.run(&format!("{later}{empty}, 0)")).await;
    let before = contents::of(&provider).await;

    let refused = provider.serve_beside().unwrap_err();
    assert_eq!(refused.code, Some(3), "{}", refused.words);
    let words = [
        refused.words,
        provider.place().fails(3, &["migrate"]),
        provider.place().fails(3, &["apply", "house.toml"]),
        provider.place().fails(3, &["users", "disable", "bob"]),
    ];
    for words in words {
        assert!(words.contains("newer version of frontdesk (migration 9999)"), "{words}");
    }
    assert!(contents::of(&provider).await == before, "nothing was changed");

    provider.run("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    provider.serve();
    provider.get("/readyz").await.expect(200);
}
