//! A `serve` in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It is killed with its value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// A server that did not start.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: Option<i32>,
    pub(crate) words: String,
}

impl Server {
    /// Starts it and waits until it says where it listens, or has ended.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Refused> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (to, lines) = mpsc::channel();
        let (from, keep) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        // Through a pipe that is always read: the log can neither fill up nor be cut off with the disk.
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                let mut said = keep.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
                drop(said);
                let _ = to.send(line);
            }
        });
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some(address) = listening(&line) {
                        return Ok(Self { child, said, address });
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let code = child.wait().unwrap().code();
                    let words = said.lock().unwrap().clone();
                    return Err(Refused { code, words });
                }
                Err(RecvTimeoutError::Timeout) => {
                    child.kill().unwrap();
                    panic!("it neither serves nor ends: {}", said.lock().unwrap());
                }
            }
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// All it said so far.
    pub(crate) fn words(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Prints what it said last: often that is why a test fails.
    #[expect(clippy::print_stderr, reason = "for whoever reads why a test failed")]
    pub(crate) fn print_last_words(&self) {
        let words = self.words();
        let lines: Vec<&str> = words.lines().collect();
        eprintln!("the server said last:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the line of the log that says so.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    line["listening"].as_str()?.parse().ok()
}
