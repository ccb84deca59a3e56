//! A throwaway PostgreSQL cluster on loopback, with its default durability.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Process, free_address};
use crate::{Result, failure};

/// A running cluster; it ends, and its files go, with this value.
#[derive(Debug)]
pub(crate) struct Cluster {
    process: Process,
    address: SocketAddr,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    _folder: TempDir,
}

impl Cluster {
    /// Makes a cluster and starts it. PostgreSQL refuses to run as root: then it runs as the first of `postgres` and `nobody`
    /// that the system knows.
    pub(crate) fn start(parent: &Path) -> Result<Self> {
        let programs = find_programs().ok_or_else(|| failure("PostgreSQL is not installed (no initdb found)"))?;
        let folder = tempfile::Builder::new().prefix("frontdesk-load-pg-").tempdir_in(parent)?;
        let owner = if std::fs::metadata("/proc/self")?.uid() == 0 { Some(unprivileged()?) } else { None };
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"), owner)
            .args(["--auth=trust", "--username=frontdesk", "--encoding=UTF8", "--no-locale", "--pgdata"])
            .arg(&data)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()?;
        if !made.status.success() {
            return Err(failure(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr))));
        }
        let address = free_address()?;
        let mut start = command(&programs.join("postgres"), owner);
        start.arg("-D").arg(&data).arg("-p").arg(address.port().to_string()).current_dir("/");
        start.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=100"]);
        let words = tempfile::Builder::new().prefix("frontdesk-load-pg-words-").tempfile_in(parent)?;
        let process = Process::start(&mut start, words.path())?;
        let mut cluster = Self { process, address, programs, owner, _folder: folder };
        cluster.wait()?;
        Ok(cluster)
    }

    /// Makes a database; returns its URL.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        let made = command(&self.programs.join("createdb"), self.owner)
            .args(["-h", "127.0.0.1", "-U", "frontdesk", "-p"])
            .arg(self.address.port().to_string())
            .arg(name)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()?;
        if !made.status.success() {
            return Err(failure(format!("createdb failed: {}", String::from_utf8_lossy(&made.stderr))));
        }
        Ok(format!("postgres://frontdesk@127.0.0.1:{}/{name}", self.address.port()))
    }

    fn wait(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            self.process.still_runs()?;
            let ready = command(&self.programs.join("pg_isready"), self.owner)
                .args(["-q", "-h", "127.0.0.1", "-p"])
                .arg(self.address.port().to_string())
                .current_dir("/")
                .stdin(Stdio::null())
                .status()?;
            if ready.success() {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(30) {
                return Err(failure("PostgreSQL did not become ready"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // INT is PostgreSQL's fast shutdown; TERM would wait for its clients.
        drop(self.process.stop(Signal::INT));
    }
}

fn command(program: &Path, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

/// The newest installation, or the one on the path.
fn find_programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    found.sort();
    if let Some((_, programs)) = found.pop() {
        return Some(programs);
    }
    let folders = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"];
    folders
        .into_iter()
        .map(PathBuf::from)
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

fn unprivileged() -> Result<(u32, u32)> {
    let people = std::fs::read_to_string("/etc/passwd")?;
    for wanted in ["postgres", "nobody"] {
        for line in people.lines() {
            let mut fields = line.split(':');
            if fields.next() == Some(wanted)
                && let (Some(user), Some(group)) = (fields.nth(1), fields.next())
            {
                return Ok((user.parse()?, group.parse()?));
            }
        }
    }
    Err(failure("PostgreSQL does not run as root, and there is no other user for it"))
}
