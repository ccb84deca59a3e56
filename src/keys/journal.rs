//! Names of revoked keys in a file beside the database: a database that is restored from before the theft must not bring the key
//! back. One line of JSON a key; never a secret.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use crate::domain::time::Timestamp;

/// The file, in the data folder.
pub const FILE: &str = "revoked-keys.jsonl";

/// Adds a key. It is on the disk when this returns.
///
/// # Errors
/// If the file cannot be written.
pub fn add(file: &Path, kid: &str, now: Timestamp) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let line = serde_json::json!({"kid": kid, "revoked_at": now.to_string()});
    let mut to = options.open(file)?;
    // One write, so that two processes do not mix their lines.
    to.write_all(format!("{line}\n").as_bytes())?;
    to.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        add(&file, "one", Timestamp::from_seconds(0)).unwrap();
        add(&file, "two", Timestamp::from_seconds(1)).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            "{\"kid\":\"one\",\"revoked_at\":\"1970-01-01T00:00:00Z\"}\n{\"kid\":\"two\",\"revoked_at\":\"1970-01-01T00:00:01Z\"}\n"
        );
        assert!(add(&folder.path().join("no/such"), "three", Timestamp::from_seconds(1)).is_err());
    }
}
