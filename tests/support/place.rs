//! A folder with settings in it, and the program run there.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder that is gone with its value.
#[derive(Debug)]
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    /// A folder with these settings.
    pub(crate) fn with(settings: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("config.toml", settings);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file for its owner only: settings may hold a password.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        std::fs::write(&file, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// The program with these arguments, in this folder and in no other environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; gives what it printed as data and as words.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (data, words) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{data}{words}");
        (data, words)
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat()).0).unwrap()
    }

    /// Runs a command that must fail with a code; gives its words.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (data, words) = texts(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{data}{words}");
        assert_eq!(data, "", "what went wrong is words, not data");
        words
    }
}

fn texts(output: &Output) -> (String, String) {
    (String::from_utf8(output.stdout.clone()).unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}
