//! Names of revoked keys in a file beside the database: a database that is restored from before the theft must not bring the key
//! back. One line of JSON a key; never a secret.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// The file, in the data folder.
pub const FILE: &str = "revoked-keys.jsonl";

/// Adds keys that do not stand in it, each with the moment when it was revoked. They are on the disk when this returns.
///
/// # Errors
/// If the file cannot be read or written.
pub fn catch_up(file: &Path, revoked: &[(String, Timestamp)]) -> std::io::Result<()> {
    let known = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let lines = known.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let known: BTreeSet<String> = lines.map(|line| line.kid).collect();
    let mut new = String::new();
    for (kid, at) in revoked.iter().filter(|(kid, _)| !known.contains(kid)) {
        let line = serde_json::to_string(&Line { kid: kid.clone(), revoked_at: at.to_string() })?;
        new.push_str(&line);
        new.push('\n');
    }
    if new.is_empty() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(file)?;
    // One write, so that two processes do not mix their lines.
    to.write_all(new.as_bytes())?;
    to.sync_all()
}

#[derive(Serialize, Deserialize)]
struct Line {
    kid: String,
    revoked_at: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_a_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let key = |kid: &str, at| (kid.to_owned(), Timestamp::from_seconds(at));
        catch_up(&file, &[]).unwrap();
        assert!(!file.exists());
        catch_up(&file, &[key("one", 0)]).unwrap();
        catch_up(&file, &[key("two", 1), key("one", 0)]).unwrap();
        catch_up(&file, &[key("two", 9)]).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            "{\"kid\":\"one\",\"revoked_at\":\"1970-01-01T00:00:00Z\"}\n{\"kid\":\"two\",\"revoked_at\":\"1970-01-01T00:00:01Z\"}\n"
        );
        assert!(catch_up(&folder.path().join("no/such"), &[key("three", 1)]).is_err());
    }
}
