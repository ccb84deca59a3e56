//! `config.toml` at the top of the repository says what is true.

use super::*;

const FILE: &str = include_str!("../../../config.toml");

fn source(text: &str) -> Source<'_> {
    Source { path: Path::new(DEFAULT_FILE), text }
}

/// The file with its optional settings switched on.
fn with_optional_settings() -> String {
    let switched_on = |line: &str| {
        let setting = line.strip_prefix("# ").filter(|rest| {
            let key = rest.split(" = ").next().unwrap_or_default();
            rest.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c))
        });
        setting.unwrap_or(line).to_owned()
    };
    FILE.lines().map(switched_on).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_file_equals_the_defaults() {
    let (config, warnings) = Config::parse(FILE, Path::new(DEFAULT_FILE), []).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(warnings, []);
}

#[test]
fn the_file_has_every_setting_in_order_and_no_other() {
    let text = with_optional_settings();
    let (config, reading) = settings(source(&text), &Environment::default()).unwrap();
    assert_eq!(reading.findings, []);
    let lines: Vec<usize> = reading
        .keys
        .iter()
        .map(|key| match reading.place(key) {
            Place::Line(_, line) => line,
            _ => panic!("config.toml lacks {key}"),
        })
        .collect();
    assert!(lines.is_sorted(), "config.toml has another order than the structs: {lines:?}");
    // What is switched off by a comment and has a computed default shows that.
    assert_eq!(config.secrets, Secrets::default());
    assert_eq!(config.retire_window(), Config::default().retire_window());
}

#[test]
fn every_setting_has_a_line_of_why() {
    let text = with_optional_settings();
    let lines: Vec<&str> = text.lines().collect();
    for (before, line) in lines.iter().zip(lines.iter().skip(1)) {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with("# ") || before.starts_with("tls."), "{line} has no line of why");
        }
    }
}

#[test]
fn lengths_of_time_are_written_as_they_are_printed() {
    for line in Config::default().print().lines().filter(|line| !line.is_empty()) {
        let there = FILE.lines().any(|written| written.strip_prefix("# ").unwrap_or(written) == line);
        assert!(there, "config.toml lacks the line {line}");
    }
}
