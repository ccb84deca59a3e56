//! Who may read and write the configuration file.
//!
//! Who can write it can point Frontdesk at a database and keys of his own, so nobody but the owner
//! may. Most of it is no secret; a password in the database URL is, and then others may not read it.
//! The group may read, for files that belong to root and are read by a service.

use std::fs::Metadata;
use std::path::Path;

use super::Config;
use super::error::{Finding, Place};
use super::reader::Reading;

const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;

/// Reports a file with loose permissions.
#[cfg(unix)]
pub(super) fn check(path: &Path, metadata: &Metadata, config: &Config, reading: &mut Reading) {
    use std::os::unix::fs::MetadataExt;
    check_mode(path, metadata.mode(), config, reading);
}

/// Other systems have no mode bits; their own rules protect the file.
#[cfg(not(unix))]
pub(super) fn check(_path: &Path, _metadata: &Metadata, _config: &Config, _reading: &mut Reading) {}

#[cfg(unix)]
fn check_mode(path: &Path, mode: u32, config: &Config, reading: &mut Reading) {
    let file = path.display();
    let finding = |what: &str, todo: String| Finding {
        key: None,
        place: Place::File(path.to_owned()),
        what: format!("{what} (mode {:04o})", mode & 0o7777),
        todo,
    };
    if mode & OTHERS_WRITE != 0 {
        reading
            .findings
            .push(finding("everybody on this machine can change the file", format!("Run: chmod go-w {file}")));
    } else if mode & GROUP_WRITE != 0 {
        let finding = finding("the file's group can change the file", format!("Run: chmod g-w {file}"));
        // A fresh checkout looks like this under umask 002, and must start in development mode.
        if config.server.issuer.is_development() {
            reading.warnings.push(finding);
        } else {
            reading.findings.push(finding);
        }
    }
    let password_in_file =
        config.database.url.has_password() && matches!(reading.place("database.url"), Place::Line(..));
    if mode & OTHERS_READ != 0 && password_in_file {
        reading.findings.push(finding(
            "everybody on this machine can read the database password in the file",
            format!("Run: chmod o-rwx {file} (or set FRONTDESK__DATABASE__URL instead)"),
        ));
    }
}
