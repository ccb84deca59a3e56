//! The programs under comparison: the product, set up as an operator would, and the model.

mod browser;
mod registration;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

pub(crate) use browser::Browser;
pub(crate) use registration::{CHALLENGE, REDIRECT_URI, SECRET, SERVICE_ES256, SERVICE_RS256, VERIFIER, WEB};

use crate::machine::process::{Process, free_address};
use crate::model::Specification;
use crate::{Result, failure};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first good answer of `/readyz`.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.process.stop(Signal::TERM)
    }

    /// Starts the model.
    pub(crate) fn model(specification: &Specification, folder: &Path) -> Result<Self> {
        let file = folder.join("model.json");
        std::fs::write(&file, serde_json::to_vec(specification)?)?;
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear().arg("model").arg("--specification").arg(file).arg("--listen").arg(address.to_string());
        Self::start(&mut command, &folder.join("model.words"), address)
    }

    fn start(command: &mut Command, words: &Path, address: SocketAddr) -> Result<Self> {
        let began = Instant::now();
        let mut process = Process::start(command, words)?;
        while !is_ready(address) {
            process.still_runs()?;
            if began.elapsed() > PATIENCE {
                return Err(failure("a server did not become ready"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { process, address, ready_after: began.elapsed() })
    }
}

/// An installation of the product: a folder with settings, on its own port.
#[derive(Debug)]
pub(crate) struct Installation {
    binary: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
}

impl Installation {
    /// Writes the settings. Without a URL the database is SQLite in the folder.
    pub(crate) fn new(binary: &Path, folder: &Path, database: Option<&str>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let address = free_address()?;
        let own = format!("sqlite://{}", folder.join("data/frontdesk.db").display());
        let settings = format!(
            "[server]\nissuer = \"http://{address}\"\nlisten = \"{address}\"\n\
             [database]\nurl = \"{}\"\nmigrate_on_start = true\n\
             [secrets]\nmaster_key_file = \"{}\"\n\
             [tokens]\nauthorization_code_ttl = \"10m\"\n\
             [telemetry]\nlog = \"off\"\n",
            database.unwrap_or(&own),
            folder.join("data/master.key").display(),
        );
        write_private(&folder.join("config.toml"), &settings)?;
        write_private(&folder.join("registration.toml"), &registration::text())?;
        Ok(Self { binary: binary.to_owned(), folder: folder.to_owned(), address })
    }

    /// Starts the server.
    pub(crate) fn serve(&self) -> Result<Server> {
        let mut command = self.command();
        command.arg("serve");
        Server::start(&mut command, &self.folder.join("serve.words"), self.address)
    }

    /// Registers the person, the clients and the resources.
    pub(crate) fn apply(&self) -> Result<()> {
        let done =
            self.command().arg("apply").arg(self.folder.join("registration.toml")).stdin(Stdio::null()).output()?;
        if done.status.success() {
            return Ok(());
        }
        Err(failure(format!("apply: {} {}", done.status, String::from_utf8_lossy(&done.stderr))))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().current_dir(&self.folder).arg("--config").arg(self.folder.join("config.toml"));
        command
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    asked().unwrap_or(false)
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
