//! How one setting is read and shown, whatever its type, and how a section lists its settings.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use toml::de::DeValue;

use super::duration;
use crate::domain::origin::Origin;

/// Something that is told every setting of a configuration once, in the order of `config.toml`:
/// the reader, the printer, the resolver of relative paths.
pub(super) trait Visitor {
    fn setting<T: Setting>(&mut self, key: &str, value: &mut T);
}

/// A setting, or a group of settings below one key.
pub(super) trait Section {
    fn visit<V: Visitor>(&mut self, key: &str, visitor: &mut V);
}

/// Declares a section: its fields, their defaults and the list of its settings in one place, so
/// that none of the three can miss one.
macro_rules! section {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty = $default:expr,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::config::setting::Section for $name {
            fn visit<V: $crate::config::setting::Visitor>(&mut self, key: &str, visitor: &mut V) {
                $($crate::config::setting::Section::visit(
                    &mut self.$field,
                    &$crate::config::setting::join(key, stringify!($field)),
                    visitor,
                );)*
            }
        }
    };
}
pub(super) use section;

/// `section.key`.
pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

impl<T: Setting> Section for T {
    fn visit<V: Visitor>(&mut self, key: &str, visitor: &mut V) {
        visitor.setting(key, self);
    }
}

/// A value that can be written in the configuration.
pub(super) trait Setting: Sized {
    /// A sentence that says how to write such a value.
    const WRITE: &'static str;

    /// Reads the value from the file.
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong>;

    /// Reads the value from an environment variable: a TOML literal unless the type says otherwise.
    fn from_variable(text: &str) -> Result<Self, Wrong> {
        match DeValue::parse(text) {
            // Places inside a variable mean nothing to the reader.
            Ok(value) => Self::from_toml(value.get_ref()).map_err(|wrong| Wrong { span: None, ..wrong }),
            Err(_) => Err(Wrong::new(format!("{text:?} is not a TOML value"), Self::WRITE)),
        }
    }

    /// The value as people may see it, secrets masked; nothing when it is not set.
    fn shown(&self) -> Option<toml::Value>;

    /// Makes relative paths start at `base`.
    fn resolve(&mut self, _base: &Path) {}
}

/// Why a value was not accepted.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) todo: String,
    /// The part of the file that is wrong, when it is narrower than the whole value.
    pub(super) span: Option<Range<usize>>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { what: what.into(), todo: todo.into(), span: None }
    }

    /// The value has another type than the setting.
    pub(super) fn kind(value: &DeValue<'_>, write: &str) -> Self {
        Self::new(format!("this {} does not fit here", value.type_str()), write)
    }
}

/// A setting that is written as text, in the file in quotes and in the environment without.
pub(super) trait TextSetting: Sized {
    const WRITE: &'static str;

    /// The error says what is wrong with the text; it ends up in messages, so it holds no secret.
    fn from_text(text: &str) -> Result<Self, Wrong>;

    fn to_text(&self) -> String;

    fn resolve(&mut self, _base: &Path) {}
}

impl<T: TextSetting> Setting for T {
    const WRITE: &'static str = <T as TextSetting>::WRITE;

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong> {
        value.as_str().ok_or_else(|| Wrong::kind(value, <T as TextSetting>::WRITE)).and_then(T::from_text)
    }

    fn from_variable(text: &str) -> Result<Self, Wrong> {
        T::from_text(text)
    }

    fn shown(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_text()))
    }

    fn resolve(&mut self, base: &Path) {
        TextSetting::resolve(self, base);
    }
}

impl Setting for bool {
    const WRITE: &'static str = "Write true or false.";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong> {
        value.as_bool().ok_or_else(|| Wrong::kind(value, Self::WRITE))
    }

    fn shown(&self) -> Option<toml::Value> {
        Some(toml::Value::Boolean(*self))
    }
}

impl Setting for u32 {
    const WRITE: &'static str = "Write a whole number, without quotes.";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let number = value.as_integer().ok_or_else(|| Wrong::kind(value, Self::WRITE))?;
        u32::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| Wrong::new(format!("{number} is not between 0 and {}", u32::MAX), Self::WRITE))
    }

    fn shown(&self) -> Option<toml::Value> {
        Some(toml::Value::Integer(i64::from(*self)))
    }
}

impl<T: Setting> Setting for Option<T> {
    const WRITE: &'static str = T::WRITE;

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong> {
        T::from_toml(value).map(Some)
    }

    /// An empty variable takes back what the file says.
    fn from_variable(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() { Ok(None) } else { T::from_variable(text).map(Some) }
    }

    fn shown(&self) -> Option<toml::Value> {
        self.as_ref().and_then(T::shown)
    }

    fn resolve(&mut self, base: &Path) {
        if let Some(value) = self {
            value.resolve(base);
        }
    }
}

impl<T: Setting> Setting for Vec<T> {
    const WRITE: &'static str = "Write a list in brackets, such as [\"one\", \"two\"], or [] for none.";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let items = value.as_array().ok_or_else(|| Wrong::kind(value, Self::WRITE))?;
        items
            .iter()
            .map(|item| {
                T::from_toml(item.get_ref()).map_err(|wrong| Wrong { span: wrong.span.or(Some(item.span())), ..wrong })
            })
            .collect()
    }

    fn shown(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().filter_map(T::shown).collect()))
    }

    fn resolve(&mut self, base: &Path) {
        for item in self {
            item.resolve(base);
        }
    }
}

impl TextSetting for String {
    const WRITE: &'static str = "Write text in quotes.";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        Ok(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl TextSetting for Duration {
    const WRITE: &'static str =
        "Write a length of time with its unit (d, h, m, s, ms), such as \"15m\", \"7d\" or \"1h30m\".";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        duration::parse(text).map_err(|what| Wrong::new(what, <Self as TextSetting>::WRITE))
    }

    fn to_text(&self) -> String {
        duration::print(*self)
    }
}

impl TextSetting for PathBuf {
    const WRITE: &'static str = "Write the path of a file in quotes.";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::new("is empty", <Self as TextSetting>::WRITE));
        }
        Ok(Self::from(text))
    }

    fn to_text(&self) -> String {
        self.display().to_string()
    }

    fn resolve(&mut self, base: &Path) {
        *self = base.join(&self);
    }
}

impl TextSetting for Origin {
    const WRITE: &'static str =
        "Write an origin, such as \"https://app.internal:8443\": lower case, without path or trailing slash.";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        Self::parse(text).map_err(|_| Wrong::new(format!("{text:?} is no origin"), <Self as TextSetting>::WRITE))
    }

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }
}

impl TextSetting for IpNet {
    const WRITE: &'static str = "Write an address or a network, such as \"10.0.0.7\" or \"10.0.0.0/24\".";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::from(address));
        }
        let network = text
            .parse::<Self>()
            .map_err(|_| Wrong::new(format!("{text:?} is not an IP network"), <Self as TextSetting>::WRITE))?;
        if network.trunc() != network {
            return Err(Wrong::new(
                format!("{text:?} names an address inside a network"),
                format!(
                    "Write \"{}\" for the network, or \"{}\" for the one address.",
                    network.trunc(),
                    network.addr()
                ),
            ));
        }
        Ok(network)
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// One of a few words; the words are listed in the message.
pub(super) fn one_of<T: Copy + Display>(text: &str, words: &[T]) -> Result<T, Wrong> {
    words.iter().copied().find(|word| word.to_string() == text).ok_or_else(|| {
        let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        Wrong::new(format!("{text:?} is not known"), format!("Write one of {}.", list.join(", ")))
    })
}
