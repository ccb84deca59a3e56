//! The two streams: data for programs on standard output, words for people on standard error.

use std::fmt::Display;
use std::io::Write as _;

use serde::Serialize;

use super::Failure;

/// The argument of every command that prints data.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Format {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Format {
    /// Prints the value as JSON, or the text for people.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { json(value) } else { data(text()) }
    }
}

/// Prints data, and a line end unless they have one. Nothing is printed for an empty text.
///
/// # Errors
/// If standard output cannot be written.
pub fn data(text: impl Display) -> Result<(), Failure> {
    let mut text = text.to_string();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::failed(format!("standard output cannot be written: {error}")))
}

/// Prints a value as JSON over several lines.
///
/// # Errors
/// If standard output cannot be written.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("the data cannot be written as JSON: {error}")))?;
    data(text)
}

/// Says something to the person in front of the terminal. If nobody listens, that is no failure.
pub fn say(words: impl Display) {
    drop(writeln!(std::io::stderr().lock(), "{words}"));
}

/// Rows below headings, columns as wide as they need to be.
#[must_use]
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_owned);
    let mut widths = [0; N];
    for row in std::iter::once(&headings).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    std::iter::once(&headings).chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_straight_columns() {
        let rows = [["a".to_owned(), String::new()], ["über".to_owned(), "x".to_owned()]];
        assert_eq!(table(["id", "more"], &rows), "id    more\na\nüber  x\n");
    }
}
