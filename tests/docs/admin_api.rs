//! The calls of the admin API in `docs/admin.md`, made to the real program one after the other. What one answers goes into the
//! next, as a reader would copy it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::documents;

const PROGRAM: &str = env!("CARGO_BIN_EXE_frontdesk");

#[test]
fn the_calls_of_the_admin_api_answer_as_told() {
    let document = documents().into_iter().find(|document| document.path.ends_with("admin.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), "[server]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let robot = document.blocks.iter().find(|block| block.file_name() == Some("robot.toml")).unwrap();
    std::fs::write(folder.path().join("robot.toml"), &robot.text).unwrap();
    let alice = "[[users]]\nusername = \"alice\"\n";
    std::fs::write(folder.path().join("alice.toml"), alice).unwrap();
    run(folder.path(), &["apply", "alice.toml"]);
    let printed = run(folder.path(), &["apply", "robot.toml"]);
    let secret = printed.split_whitespace().find(|word| word.starts_with("fd_cs_")).unwrap();

    let server = Server::start(folder.path());
    let mut known = vec![("SECRET", secret.trim_matches('"').to_owned())];
    let calls: Vec<String> = document
        .blocks
        .iter()
        .filter(|block| block.language == "sh")
        .flat_map(|block| block.text.lines().filter(|line| line.starts_with("curl ")).map(str::to_owned))
        .collect();
    assert!(calls.len() >= 5, "{calls:?}");
    for call in calls {
        let call = known.iter().fold(call, |call, (name, value)| call.replace(name, value));
        let (status, answer) = server.ask(&Call::read(&call));
        assert_eq!(status, 200, "{call}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        if let Some(token) = answer["access_token"].as_str() {
            known.push(("ACCESS_TOKEN", token.to_owned()));
        }
        if let Some(id) = answer["people"][0]["id"].as_str() {
            assert_eq!(answer["people"][0]["username"], "alice");
            known.push(("PERSON", id.to_owned()));
        }
    }
    assert_eq!(known.len(), 3, "every answer was used");
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).current_dir(folder).env_clear().output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// What a line with `curl` asks for.
#[derive(Debug)]
struct Call {
    method: &'static str,
    target: String,
    headers: Vec<String>,
    body: String,
}

impl Call {
    fn read(line: &str) -> Self {
        let mut call = Self { method: "GET", target: String::new(), headers: Vec::new(), body: String::new() };
        // Quotes hold words together; there are no others inside.
        let words: Vec<String> = line
            .split('"')
            .enumerate()
            .flat_map(|(at, part)| {
                if at % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
            })
            .collect();
        let mut words = words.into_iter().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-u" => {
                    let pair = words.next().unwrap();
                    call.headers.push(format!("authorization: Basic {}", STANDARD.encode(pair)));
                }
                "-H" => call.headers.push(words.next().unwrap()),
                "-d" => {
                    let separator = if call.body.is_empty() { "" } else { "&" };
                    call.body.push_str(separator);
                    call.body.push_str(&words.next().unwrap());
                    call.method = "POST";
                }
                "-X" => {
                    assert_eq!(words.next().unwrap(), "POST");
                    call.method = "POST";
                }
                url => call.target = url.strip_prefix("http://localhost:8080").unwrap().to_owned(),
            }
        }
        call
    }
}

/// The program, killed with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = log.find(|line| line.contains("listening=")).unwrap();
        let address =
            line.split("listening=").nth(1).unwrap().split_whitespace().next().unwrap().trim_matches('"').to_owned();
        // The log must be read to its end, or the program stands still one day.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, address }
    }

    fn ask(&self, call: &Call) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let kind = "content-type: application/x-www-form-urlencoded\r\n";
        let kind = if call.body.is_empty() { "" } else { kind };
        let headers: String = call.headers.iter().map(|header| format!("{header}\r\n")).collect();
        write!(
            stream,
            "{} {} HTTP/1.1\r\nhost: localhost:8080\r\nconnection: close\r\ncontent-length: {}\r\n{kind}{headers}\r\n{}",
            call.method,
            call.target,
            call.body.len(),
            call.body
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
