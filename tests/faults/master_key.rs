//! The master key of another house, a broken one, and none; and rows that nobody wrote who had it.

use crate::contents;
use crate::support::{ALICE, TestProvider};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_the_wrong_master_key_it_does_not_start_and_overwrites_nothing() {
    let provider = TestProvider::start().await;
    let tokens = provider.client("web").tokens_of(ALICE).await;
    assert_eq!(provider.stop().code(), Some(0));
    let before = contents::of(&provider).await;
    let file = provider.place().path().join("master.key");
    let right = std::fs::read(&file).unwrap();

    // Another house's: readable, and not the one the database was sealed under.
    let foreign = TestProvider::installed().await;
    std::fs::copy(foreign.place().path().join("master.key"), &file).unwrap();
    let wrong = std::fs::read(&file).unwrap();
    assert_ne!(wrong, right);
    let refused = provider.serve_beside().unwrap_err();
    assert_eq!(refused.code, Some(1), "{}", refused.words);
    assert!(refused.words.contains("master key") && refused.words.contains("secrets.master_key_file"));
    assert!(provider.place().fails(1, &["apply", "house.toml"]).contains("master key"));
    assert_eq!(std::fs::read(&file).unwrap(), wrong);
    assert!(contents::of(&provider).await == before, "nothing was changed");

    // Cut off.
    std::fs::write(&file, &right[..right.len() / 2]).unwrap();
    let refused = provider.serve_beside().unwrap_err();
    assert_eq!(refused.code, Some(2), "{}", refused.words);
    assert!(refused.words.contains("master.key"), "{}", refused.words);
    assert_eq!(std::fs::read(&file).unwrap(), right[..right.len() / 2]);

    // Gone: no new one is made for an old database.
    std::fs::remove_file(&file).unwrap();
    let refused = provider.serve_beside().unwrap_err();
    assert_eq!(refused.code, Some(2), "{}", refused.words);
    assert!(refused.words.contains("master.key"), "{}", refused.words);
    assert!(!file.exists());
    assert!(contents::of(&provider).await == before, "nothing was changed");

    std::fs::write(&file, right).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    provider.serve();
    provider.client("web").refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_signing_key_that_was_changed_from_outside_is_not_exported() {
    let provider = TestProvider::start().await;
    let exported = || {
        let (data, words) = provider.place().ok(&["keys", "export-jwks"]);
        let set: serde_json::Value = serde_json::from_str(&data).unwrap();
        (set["keys"].as_array().unwrap().len(), words.contains("it was changed from outside"))
    };
    let (whole, warned) = exported();
    assert!(whole >= 1 && !warned);
    for (change, back) in [
        ("mac = mac || 'x'", "mac = substr(mac, 1, length(mac) - 1)"),
        ("created_at = created_at + 1", "created_at = created_at - 1"),
        ("published_at = published_at + 1", "published_at = published_at - 1"),
        ("activate_at = activate_at + 1", "activate_at = activate_at - 1"),
        ("state = 'retired' || state", "state = substr(state, 8)"),
    ] {
        provider.run(&format!("UPDATE signing_keys SET {change}")).await;
        let (left, warned) = exported();
        assert_eq!(left, 0, "{change}");
        assert!(warned || change.starts_with("state"), "{change}");
        provider.run(&format!("UPDATE signing_keys SET {back}")).await;
        assert_eq!(exported(), (whole, false), "{back}");
    }
}
