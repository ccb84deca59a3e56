//! The program while it serves, as the operating system sees it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A server of its own, killed with the test.
struct Served {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start() -> Self {
        Self::start_with("")
    }

    /// With more settings.
    fn start_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!("[server]\nlisten = \"127.0.0.1:0\"\n{settings}");
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_frontdesk"))
            .arg("serve")
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut served = Self { child, log, address: String::new(), _folder: folder };
        let line = served.wait_for("listening=");
        let rest = line.split("listening=").nth(1).unwrap();
        served.address = rest.split_whitespace().next().unwrap().trim_matches('"').to_owned();
        served
    }

    /// Reads the log up to a line that holds this text.
    fn wait_for(&mut self, text: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the log ended before {text:?}");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends the head of a request and reads the answer to its end.
    fn ask(&self, request_line: &str, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request_line} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into()));
        Answer { status, headers: headers.collect(), body: body.to_owned() }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn one_signal_lets_requests_finish_and_a_second_ends_at_once() {
    let mut served = Served::start();
    let mut connection = TcpStream::connect(&served.address).unwrap();
    // A request whose body does not arrive: it may run for thirty seconds.
    let head = "POST /login HTTP/1.1\r\nhost: localhost:8080\r\norigin: http://localhost:8080\r\n\
                content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100", "somebody waits for the body");

    kill_process(served.pid(), Signal::INT).unwrap();
    served.wait_for("running requests finish");
    assert!(served.child.try_wait().unwrap().is_none(), "it waits for the request");
    kill_process(served.pid(), Signal::INT).unwrap();
    served.wait_for("ending at once");
    assert_eq!(served.child.wait().unwrap().code(), Some(1));
}

#[test]
fn one_signal_ends_an_idle_server_with_0() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut served = Served::start();
        kill_process(served.pid(), signal).unwrap();
        served.wait_for("stopped");
        assert_eq!(served.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn no_core_dump_can_hold_the_keys() {
    let served = Served::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", served.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{line}");
}

/// GET does not go by the routes, HEAD does: both must say the same (RFC 9110 §9.3.2).
#[test]
fn documents_that_are_answered_at_once_are_answered_as_by_their_routes() {
    let mut served = Served::start_with("[telemetry]\nlog = \"debug\"\n");
    for path in
        ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
    {
        let (mut asked, mut length) = (Vec::new(), String::new());
        for (headers, status) in [
            ("host: a\r\n".to_owned(), 200),
            ("host: a\r\nif-none-match: *\r\n".to_owned(), 304),
            ("host: a\r\nhost: b\r\n".to_owned(), 400),
            (String::new(), 400),
            ("host: a\r\ncontent-length: 9000\r\n".to_owned(), 413),
        ] {
            let mut get = served.ask(&format!("GET {path}?a=b"), &headers);
            let mut head = served.ask(&format!("HEAD {path}"), &headers);
            assert_eq!((get.status, head.status), (status, status), "{path} {headers:.40}");
            assert_eq!(get.body.is_empty(), status != 200, "{path} {headers:.40}");
            let ids = [&mut get, &mut head].map(|answer| answer.headers.remove("request-id").unwrap());
            assert_ne!(ids[0], ids[1]);
            asked.extend(ids.map(|id| (id, status)));
            for answer in [&mut get, &mut head] {
                answer.headers.remove("date").unwrap();
            }
            if status == 304 {
                // If a 304 tells a length, it is that of the document (RFC 9110 §8.6).
                assert!(head.headers.remove("content-length").is_none_or(|told| told == length));
            }
            assert_eq!(get.headers, head.headers, "{path} {headers:.40}");
            assert_eq!(get.headers["x-content-type-options"], "nosniff");
            if status == 200 {
                length.clone_from(&get.headers["content-length"]);
            }
        }
        for (id, status) in asked {
            let line = served.wait_for(&format!("request_id={id}"));
            assert!(line.contains(&format!("route=\"{path}\"")), "{line}");
            assert!(line.contains(&format!("status={status}")), "{line}");
        }
    }
}
