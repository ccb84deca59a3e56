//! Finding the file, and who may read and write it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

const WITH_PASSWORD: &str = "[database]\nurl = 'postgres://desk:hunter2@db/desk'\n";
const PUBLIC: &str = "[server]\nissuer = 'https://id.example.com'\ntrusted_proxies = ['10.0.0.7']\n";

fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

fn load(text: &str, mode: u32, variables: &[(&str, &str)]) -> Result<Vec<Warning>, String> {
    let (_folder, path) = written(text, mode);
    let loaded = Config::load(Some(&path), true, owned(variables));
    loaded.map(|(_, warnings)| warnings).map_err(|error| error.to_string())
}

#[test]
fn a_file_is_read_with_its_own_folder_as_base() {
    let (folder, path) = written("[database]\nurl = 'sqlite://x.db'\n", 0o600);
    let (config, _) = Config::load(Some(&path), true, []).unwrap();
    assert_eq!(config.database.url, DatabaseUrl::Sqlite(folder.path().join("x.db")));
}

#[test]
fn a_missing_file_is_fine_unless_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    assert_eq!(Config::load(Some(&path), false, []).unwrap().0, Config::default());
    let shown = Config::load(Some(&path), true, []).unwrap_err().to_string();
    assert!(shown.starts_with(&format!("{}: the configuration file cannot be read", path.display())), "{shown}");
    let shown = Config::load(Some(folder.path()), false, []).unwrap_err().to_string();
    assert!(shown.contains("cannot be read") && shown.contains("--config"), "{shown}");
}

#[test]
fn without_a_path_the_file_in_the_working_directory_counts() {
    // Tests run in the package's folder, whose config.toml equals the defaults; what its
    // permissions are depends on the checkout.
    let (config, _) = Config::load(None, false, owned(&[("FRONTDESK__TOKENS__ID_TOKEN_TTL", "5m")])).unwrap();
    let mut expected = Config::default();
    expected.tokens.id_token_ttl = duration::minutes(5);
    assert_eq!(config, expected);
    let error = Config::load(None, false, owned(&[("FRONTDESK__TOKENS__ID_TOKEN_TTL", "5")]));
    assert!(error.is_err());
}

#[test]
fn a_file_that_others_can_change_is_refused() {
    for (mode, todo) in [(0o666, "chmod go-w"), (0o602, "chmod go-w"), (0o620, "chmod g-w"), (0o664, "chmod g-w")] {
        let shown = load(PUBLIC, mode, &[]).unwrap_err();
        assert!(shown.contains("can change the file") && shown.contains(todo), "{mode:o}: {shown}");
        assert!(shown.contains(&format!("(mode {mode:04o})")), "{shown}");
    }
    for mode in [0o600, 0o640, 0o644, 0o444, 0o755] {
        assert_eq!(load(PUBLIC, mode, &[]), Ok(vec![]), "{mode:o}");
    }
}

#[test]
fn a_fresh_checkout_starts_in_development_mode() {
    let warnings = load("[server]\nissuer = 'http://localhost:8080'", 0o664, &[]).unwrap();
    assert!(warnings.len() == 1 && warnings[0].to_string().contains("chmod g-w"), "{warnings:?}");
    assert!(load("[server]\nissuer = 'http://localhost:8080'", 0o666, &[]).is_err());
}

#[test]
fn a_file_with_a_password_is_not_for_others_to_read() {
    for mode in [0o644, 0o604] {
        let shown = load(WITH_PASSWORD, mode, &[]).unwrap_err();
        assert!(shown.contains("read the database password") && shown.contains("chmod o-rwx"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    for mode in [0o600, 0o640, 0o400] {
        assert_eq!(load(WITH_PASSWORD, mode, &[]), Ok(vec![]), "{mode:o}");
    }
    // A password in the environment says nothing about the file.
    let variable = [("FRONTDESK__DATABASE__URL", "postgres://desk:hunter2@db/desk")];
    assert_eq!(load("", 0o644, &variable), Ok(vec![]));
}
