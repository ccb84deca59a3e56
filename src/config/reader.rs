//! Reads settings from the file, then from the environment, and finds keys that do not exist.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{Environment, variable_name};
use super::error::{Finding, Place, Warning};
use super::setting::{Setting, Visitor, Wrong, join};

/// Where each setting was written, and what was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Every setting that exists, in the order of the sections.
    pub(super) keys: Vec<String>,
    /// Settings that somebody wrote.
    places: BTreeMap<String, Place>,
    pub(super) findings: Vec<Finding>,
    pub(super) warnings: Vec<Warning>,
}

impl Reading {
    /// True if the file or the environment sets `key`.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Where `key` was written.
    pub(super) fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Default)
    }

    /// Reports what is wrong with the first of `keys`, unless one of them is known to be wrong
    /// already. The place is that of the first key that somebody wrote.
    pub(super) fn report(&mut self, keys: &[&str], what: impl Into<String>, todo: impl Into<String>) {
        if !self.is_wrong(keys) {
            let finding = self.finding(keys, what.into(), todo.into());
            self.findings.push(finding);
        }
    }

    /// Like [`report`](Self::report), for what is allowed but deserves a thought.
    pub(super) fn warn(&mut self, keys: &[&str], what: impl Into<String>, todo: impl Into<String>) {
        if !self.is_wrong(keys) {
            let finding = self.finding(keys, what.into(), todo.into());
            self.warnings.push(finding);
        }
    }

    fn is_wrong(&self, keys: &[&str]) -> bool {
        self.findings.iter().any(|finding| finding.key.as_deref().is_some_and(|key| keys.contains(&key)))
    }

    fn finding(&self, keys: &[&str], what: String, todo: String) -> Finding {
        let place = keys.iter().find_map(|key| self.places.get(*key)).cloned().unwrap_or(Place::Default);
        Finding { key: keys.first().map(|key| (*key).to_owned()), place, what, todo }
    }
}

/// The text of the file and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The line of the first byte of `span`.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.as_bytes().iter().take(span.start);
        Place::Line(self.path.to_owned(), before.filter(|byte| **byte == b'\n').count() + 1)
    }
}

/// Told every setting, it gives those a value that somebody wrote.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    source: Source<'a>,
    table: &'a DeTable<'a>,
    environment: &'a Environment,
    reading: Reading,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: Source<'a>, table: &'a DeTable<'a>, environment: &'a Environment) -> Self {
        Self { source, table, environment, reading: Reading::default() }
    }

    /// Looks for keys that no setting has; call it after every setting was told.
    pub(super) fn finish(mut self) -> Reading {
        self.unknown_keys("", self.table);
        self.unknown_variables();
        self.reading
    }

    fn set<T: Setting>(&mut self, key: &str, place: Place, value: &mut T, read: Result<T, Wrong>) {
        match read {
            Ok(read) => {
                *value = read;
                self.reading.places.insert(key.to_owned(), place);
            }
            Err(wrong) => {
                let place = wrong.span.as_ref().map_or(place.clone(), |span| self.source.place(span));
                let key = key.to_owned();
                self.reading.places.insert(key.clone(), place.clone());
                self.reading.findings.push(Finding { key: Some(key), place, what: wrong.what, todo: wrong.todo });
            }
        }
    }

    fn unknown_keys(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = join(section, name.get_ref());
            // A quoted name with a dot in it only looks like the path of a setting.
            let dotted = name.get_ref().contains('.');
            if !dotted && self.reading.keys.contains(&key) {
                continue;
            }
            let is_section = !dotted && self.below(&key).next().is_some();
            match value.get_ref() {
                DeValue::Table(inner) if is_section => self.unknown_keys(&key, inner),
                _ => {
                    let place = self.source.place(&name.span());
                    let (what, todo) = if is_section {
                        ("is a section, not a setting".to_owned(), format!("Write [{key}] and its settings below."))
                    } else {
                        (unknown(&key), self.suggestion(&key, str::to_owned))
                    };
                    self.reading.findings.push(Finding { key: Some(key), place, what, todo });
                }
            }
        }
    }

    fn unknown_variables(&mut self) {
        let environment = self.environment;
        for key in environment.keys().filter(|key| !self.reading.keys.iter().any(|known| known == key)) {
            let place = Place::Variable(variable_name(key));
            let todo = self.suggestion(key, variable_name);
            let finding = Finding { key: Some(key.to_owned()), place, what: unknown(key), todo };
            self.reading.findings.push(finding);
        }
        for name in environment.odd_names() {
            self.reading.findings.push(Finding {
                key: None,
                place: Place::Variable(name.clone()),
                what: "no setting has this name".to_owned(),
                todo: format!("Write it in capitals, FRONTDESK__SECTION__KEY: {}.", name.to_ascii_uppercase()),
            });
        }
    }

    /// What somebody may have meant who wrote `key`, in the `style` of the place.
    fn suggestion(&self, key: &str, style: impl Fn(&str) -> String) -> String {
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let keys = &self.reading.keys;
        if let Some(elsewhere) = keys.iter().find(|known| last(known) == last(key)) {
            return format!("Did you mean {}?", style(elsewhere));
        }
        let near = keys.iter().map(|known| (distance(known, key), known)).min();
        if let Some((_, known)) = near.filter(|(distance, _)| *distance <= 3) {
            return format!("Did you mean {}?", style(known));
        }
        let section = key.split('.').next().unwrap_or_default();
        let siblings: Vec<String> = self.below(section).map(&style).collect();
        if !siblings.is_empty() {
            return format!("Remove it; [{section}] has {}.", siblings.join(", "));
        }
        let mut sections: Vec<&str> = keys.iter().filter_map(|key| key.split('.').next()).collect();
        sections.dedup();
        format!("Remove it; the sections are {}.", sections.join(", "))
    }

    /// The settings in a section.
    fn below(&self, section: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{section}.");
        self.reading.keys.iter().map(String::as_str).filter(move |key| key.starts_with(&prefix))
    }
}

impl Visitor for Reader<'_> {
    fn setting<T: Setting>(&mut self, key: &str, value: &mut T) {
        self.reading.keys.push(key.to_owned());
        if let Some(text) = self.environment.get(key) {
            self.set(key, Place::Variable(variable_name(key)), value, T::from_variable(text));
        } else if let Some(found) = find(self.table, key) {
            self.set(key, self.source.place(&found.span()), value, T::from_toml(found.get_ref()));
        }
    }
}

fn unknown(key: &str) -> String {
    let kind = if key.contains('.') { "setting" } else { "section" };
    format!("there is no such {kind}")
}

/// The value at a dotted path.
fn find<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => find(table.get(section)?.get_ref().as_table()?, rest),
    }
}

/// How many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((left_above, above), to) in row.iter().zip(row.iter().skip(1)).zip(b.chars()) {
            let left = next.last().copied().unwrap_or_default();
            next.push((left_above + usize::from(from != to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters() {
        for (a, b, expected) in [("", "abc", 3), ("isuer", "issuer", 1), ("kitten", "sitting", 3), ("same", "same", 0)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
