//! Shows the effective settings, secrets masked.

use serde_json::{Map, Value};

use super::Config;
use super::setting::{Section, Setting, Visitor};

impl Config {
    /// The settings in force as TOML, which reads back as the same configuration. A password in the
    /// database URL is masked.
    #[must_use]
    pub fn print(&self) -> String {
        let mut printer = Printer::default();
        self.effective().visit("", &mut printer);
        printer.text
    }

    /// The same as a JSON object with one object per section; what is not set is `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut collector = Collector::default();
        self.effective().visit("", &mut collector);
        Value::Object(collector.root)
    }

    /// A copy in which computed settings are filled in.
    fn effective(&self) -> Self {
        let mut effective = self.clone();
        effective.keys.retire_window = Some(self.retire_window());
        effective
    }
}

impl serde::Serialize for Config {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

#[derive(Default)]
struct Printer {
    section: String,
    text: String,
}

impl Visitor for Printer {
    fn setting<T: Setting>(&mut self, key: &str, value: &mut T) {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let Some(value) = value.shown() else { return };
        if section != self.section {
            let gap = if self.text.is_empty() { "" } else { "\n" };
            self.text.push_str(&format!("{gap}[{section}]\n"));
            section.clone_into(&mut self.section);
        }
        self.text.push_str(&format!("{name} = {value}\n"));
    }
}

#[derive(Default)]
struct Collector {
    root: Map<String, Value>,
}

impl Visitor for Collector {
    fn setting<T: Setting>(&mut self, key: &str, value: &mut T) {
        let value = value.shown().map_or(Value::Null, json);
        insert(&mut self.root, key, value);
    }
}

fn insert(object: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            object.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = object.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(members) => members.into_iter().map(|(name, value)| (name, json(value))).collect(),
        // No setting has one of these types.
        other @ (toml::Value::Float(_) | toml::Value::Datetime(_)) => Value::String(other.to_string()),
    }
}
