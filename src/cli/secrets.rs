//! How passwords and secrets come in: from a prompt, standard input or a file, never from an argument.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::domain::secret::Secret;

/// Longest password or secret that is read, in bytes.
const LONGEST: u64 = 4096;

/// Where a person's password comes from. Without either it is asked for at a prompt.
#[derive(Debug, Clone, clap::Args)]
pub struct PasswordSource {
    /// Read the password from standard input
    #[arg(long, conflicts_with = "password_file")]
    pub password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Whether standard input or a file was named.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.password_stdin || self.password_file.is_some()
    }

    /// Reads a password that is being chosen; at a prompt it is asked for twice.
    ///
    /// # Errors
    /// If there is none to read, or the two differ.
    pub fn choose(&self) -> Result<Secret, Failure> {
        match (self.password_stdin, &self.password_file) {
            (true, _) => from_standard_input(),
            (false, Some(file)) => from_file(file),
            (false, None) => {
                let first = from_prompt("Password: ", "--password-stdin or --password-file FILE")?;
                let second = from_prompt("The same again: ", "--password-stdin or --password-file FILE")?;
                if first.matches(second.expose()) {
                    Ok(first)
                } else {
                    Err(Failure::wrong("the two passwords differ; nothing was changed"))
                }
            }
        }
    }
}

/// Asks at the terminal, without showing what is typed. `instead` names what to write where there is no terminal.
///
/// # Errors
/// If there is no terminal.
pub fn from_prompt(prompt: &str, instead: &str) -> Result<Secret, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::wrong(format!("there is no terminal to ask at; use {instead}")));
    }
    rpassword::prompt_password(prompt)
        .map_err(|error| Failure::failed(format!("the terminal cannot be read: {error}")))
        .and_then(|text| proper(text, "what was typed"))
}

/// Reads all of standard input; one line end after it does not belong to it.
///
/// # Errors
/// If it cannot be read, is empty or too long.
pub fn from_standard_input() -> Result<Secret, Failure> {
    limited(std::io::stdin().lock(), "standard input")
}

/// Reads a file; one line end after it does not belong to it.
///
/// # Errors
/// If it cannot be read, is empty or too long.
pub fn from_file(file: &Path) -> Result<Secret, Failure> {
    let name = file.display().to_string();
    let open = std::fs::File::open(file).map_err(|error| Failure::wrong(format!("{name}: {error}")))?;
    limited(open, &name)
}

fn limited(from: impl std::io::Read, name: &str) -> Result<Secret, Failure> {
    let mut text = String::new();
    from.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::wrong(format!("{name} cannot be read: {error}")))?;
    proper(text, name)
}

fn proper(mut text: String, name: &str) -> Result<Secret, Failure> {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    let secret = Secret::new(text);
    if secret.expose().is_empty() {
        return Err(Failure::wrong(format!("{name} is empty")));
    }
    if secret.expose().len() as u64 > LONGEST {
        return Err(Failure::wrong(format!("{name} is longer than {LONGEST} bytes")));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_does_not_belong_to_a_secret() {
        for (written, read) in [("open", "open"), ("open\n", "open"), ("open\r\n", "open"), (" o p \n\n", " o p \n")] {
            assert_eq!(limited(written.as_bytes(), "x").unwrap().expose(), read);
        }
        for nothing in ["", "\n", "\r\n"] {
            assert!(limited(nothing.as_bytes(), "x").is_err(), "{nothing:?}");
        }
        assert!(limited("x".repeat(4097).as_bytes(), "x").is_err());
    }
}
