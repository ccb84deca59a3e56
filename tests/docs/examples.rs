//! Settings, declarations and commands in the documents, run from top to bottom by the real program, each document in an
//! installation of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::documents;
use crate::markdown::{Block, Document};

/// Commands that run until they are stopped: they are only parsed.
const ENDLESS: &[&str] = &["frontdesk serve", "frontdesk demo"];

/// What `frontdesk` says instead of asking for a password.
const WOULD_ASK: &str = "there is no terminal to ask at";

#[test]
fn every_example_runs() {
    let (mut ran, mut read) = (0, 0);
    for document in documents() {
        let house = House::new(&document);
        for block in &document.blocks {
            match block.language.as_str() {
                "toml" => {
                    house.toml(&document, block);
                    read += 1;
                }
                "sh" => {
                    ran += block.commands().iter().filter(|command| house.command(&document, block, command)).count();
                }
                "json" => {
                    let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
                    assert!(parsed.is_ok(), "{}: {parsed:?}", document.at(block));
                }
                // Compiled: see programs.rs and verifier/src/lib.rs. Run: tests/interop/run docs.
                "rust" | "js" | "python" | "html" => {}
                // Other people's formats (some are files, see programs.rs), what is printed, and pictures made of letters.
                "ini" | "nginx" | "yaml" | "text" | "" => {}
                other => panic!("{}: who runs {other:?}? Say what it is after the fence", document.at(block)),
            }
        }
    }
    assert!(ran >= 30 && read >= 12, "only {ran} commands ran and {read} files were read");
}

#[test]
fn every_command_within_the_text_is_one() {
    let mut seen = 0;
    for document in documents() {
        let house = House::new(&document);
        for code in document.code().iter().filter_map(|code| own(code)) {
            // `frontdesk keys list --json` prints …: the words may be followed by what stands for an argument.
            house.parse(&document.path.display().to_string(), code);
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} were seen");
}

impl Block {
    /// The lines; one that ends with a backslash goes on.
    fn commands(&self) -> Vec<String> {
        self.text.replace("\\\n", " ").lines().map(str::to_owned).collect()
    }
}

/// The part of a line that is a command of ours.
fn own(line: &str) -> Option<&str> {
    let line = line.trim();
    let behind_cargo = line.starts_with("cargo run").then(|| line.split_once(" -- ")).flatten().map(|(_, own)| own);
    let behind_sudo = line.starts_with("sudo ").then(|| line.find(" frontdesk --")).flatten().map(|at| &line[at + 1..]);
    match (behind_cargo, behind_sudo) {
        (Some(own), _) | (_, Some(own)) => Some(own),
        _ => (line == "frontdesk" || line.starts_with("frontdesk ")).then_some(line),
    }
}

/// The installation of a document.
struct House(tempfile::TempDir);

impl House {
    /// On loopback, unless the document's apps are not.
    fn new(document: &Document) -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        if document.blocks.iter().any(|block| declares(&block.text) && block.text.contains("[\"https://")) {
            house.write(
                "config.toml",
                "[server]\nissuer = \"https://id.example.com\"\ntrusted_proxies = [\"127.0.0.1\"]\n",
            );
        }
        house
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Runs a line as a person would type it; gives the exit code and the words.
    fn run(&self, line: &str, input: &str) -> (Option<i32>, String) {
        let program = Path::new(env!("CARGO_BIN_EXE_frontdesk")).parent().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads no input may have ended already.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// A file: settings go through `config check`, declarations through `apply --dry-run`, what is Cargo's is only read.
    fn toml(&self, document: &Document, block: &Block) {
        let at = document.at(block);
        let table: toml::Table = block.text.parse().unwrap_or_else(|error| panic!("{at}: {error}"));
        let name = block.file_name().unwrap_or("example.toml");
        if name == "Cargo.toml" {
            return;
        }
        let line = if declares(&block.text) {
            for user in table.get("users").and_then(toml::Value::as_array).into_iter().flatten() {
                if let Some(file) = user.get("password_file").and_then(toml::Value::as_str) {
                    self.write(file, "the tea was good today\n");
                }
            }
            self.write(name, &block.text);
            format!("frontdesk apply {name} --dry-run")
        } else {
            // Beside the house's own settings, which later commands go by.
            self.write("checked.toml", &block.text);
            "frontdesk --config checked.toml config check".to_owned()
        };
        let (code, words) = self.run(&line, "");
        assert_eq!(code, Some(0), "{at}: {line}: {words}");
        assert!(!words.contains("warning"), "{at}: {words}");
    }

    /// A line of a shell. False: it is not ours.
    fn command(&self, document: &Document, block: &Block, line: &str) -> bool {
        let Some(command) = own(line) else { return false };
        let at = document.at(block);
        if !command.starts_with("frontdesk") || ENDLESS.iter().any(|endless| command.starts_with(endless)) {
            self.parse(&at, command.trim_start_matches("frontdesk "));
            return true;
        }
        let (code, words) = match self.run(command, "") {
            (Some(2), words) if words.contains(WOULD_ASK) => {
                self.run(&format!("{command} --password-stdin"), "the tea was good today")
            }
            other => other,
        };
        assert_eq!(code, Some(0), "{at}: {command}: {words}");
        true
    }

    /// A command that is not run: `--help` after it is only answered if all before it was understood.
    fn parse(&self, at: &str, command: &str) {
        let command = command.trim_start_matches("frontdesk ");
        let words: Vec<&str> =
            command.split(['…', '|', '>', '<', '#']).next().unwrap_or_default().split_whitespace().collect();
        let line = if words == ["frontdesk"] {
            "frontdesk --help".to_owned()
        } else {
            format!("frontdesk {} --help", words.join(" "))
        };
        let (code, words) = self.run(&line, "");
        assert_eq!(code, Some(0), "{at}: {command}: {words}");
    }
}

/// Whether a file is one for `apply`.
fn declares(text: &str) -> bool {
    ["[[users]]", "[[clients]]", "[[resources]]"].iter().any(|start| text.lines().any(|line| line.starts_with(start)))
}
