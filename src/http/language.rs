//! The language of a page: Fluent messages, and which language a person gets.
//!
//! Every string that people see is a message in `locales/<language>/*.ftl`; the files are part of the binary.

use std::borrow::{Borrow, Cow};
use std::fmt::Display;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_langneg::{NegotiationStrategy, negotiate_languages};
use jiff::{Timestamp, tz::TimeZone};
use unic_langid::{CharacterDirection, LanguageIdentifier};

/// The English messages; the fallback of every other language.
const ENGLISH: &[&str] = &[
    include_str!("../../locales/en/account.ftl"),
    include_str!("../../locales/en/admin.ftl"),
    include_str!("../../locales/en/at_app.ftl"),
    include_str!("../../locales/en/consent.ftl"),
    include_str!("../../locales/en/error.ftl"),
    include_str!("../../locales/en/forms.ftl"),
    include_str!("../../locales/en/general.ftl"),
    include_str!("../../locales/en/login.ftl"),
    include_str!("../../locales/en/logout.ftl"),
    include_str!("../../locales/en/setup.ftl"),
];

/// Nobody speaks more languages than this; longer lists are cut (the header comes from outside).
const MOST_REQUESTED: usize = 32;

/// Stands for a value inside a message while the text around it is looked for.
const MARKER: char = '\u{E000}';
const ISOLATES: [char; 2] = ['\u{2068}', '\u{2069}'];

static LOCALES: LazyLock<Vec<Locale>> = LazyLock::new(|| vec![Locale::new("en", None)]);

/// One language we speak, with its messages. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Language(&'static Locale);

/// The text of a message before and after its one value, so that a template can mark the value up.
#[derive(Debug, PartialEq, Eq)]
pub struct Around {
    /// What stands before the value.
    pub before: String,
    /// What stands after the value.
    pub after: String,
}

impl Language {
    /// English, which always has every message.
    pub fn english() -> Self {
        static FALLBACK: LazyLock<Locale> = LazyLock::new(|| Locale::new("en", None));
        Self(LOCALES.first().unwrap_or(&FALLBACK))
    }

    /// The best language we have: first by `ui_locales` (OpenID Connect Core 3.1.2.1: tags with spaces between),
    /// then by the header `Accept-Language` (RFC 9110, 12.5.4), else English. Never an error.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let wanted = ui_locales.map(asked_tags).unwrap_or_default();
        let accepted = accept_language.map(accepted_tags).unwrap_or_default();
        Self::among(&LOCALES, &[wanted, accepted].concat())
    }

    fn among(locales: &'static [Locale], wanted: &[LanguageIdentifier]) -> Self {
        let have: Vec<&LanguageIdentifier> = locales.iter().map(|locale| &locale.id).collect();
        let best = negotiate_languages(wanted, &have, None, NegotiationStrategy::Filtering);
        best.first().and_then(|id| locales.iter().find(|locale| &locale.id == **id)).map_or_else(Self::english, Self)
    }

    /// The BCP 47 tag, for the attribute `lang`.
    pub fn tag(&self) -> String {
        self.0.id.to_string()
    }

    /// `ltr` or `rtl`, for the attribute `dir`.
    pub fn direction(&self) -> &'static str {
        match self.0.id.character_direction() {
            CharacterDirection::RTL => "rtl",
            _ => "ltr",
        }
    }

    /// The message `key`.
    pub fn get(&self, key: &str) -> Cow<'static, str> {
        self.0.format(key, None)
    }

    /// The message `key` with one value in it.
    pub fn with(&self, key: &str, name: &'static str, value: impl Display) -> Cow<'static, str> {
        self.fill(key, &[(name, value.to_string())])
    }

    /// The message `key` with several values in it.
    pub fn fill(&self, key: &str, values: &[(&'static str, String)]) -> Cow<'static, str> {
        let args = values.iter().map(|(name, value)| (*name, FluentValue::from(value.as_str()))).collect();
        self.0.format(key, Some(&args))
    }

    /// The message `key` in the grammatical number of `$count`.
    pub fn count(&self, key: &str, count: impl Borrow<u64>) -> Cow<'static, str> {
        let args = FluentArgs::from_iter([("count", FluentValue::from(*count.borrow()))]);
        self.0.format(key, Some(&args))
    }

    /// What the message `key` says before and after its value `name`.
    pub fn around(&self, key: &str, name: &'static str) -> Around {
        let text = self.with(key, name, MARKER);
        let (before, after) = text.split_once(MARKER).unwrap_or((&text, ""));
        Around {
            before: before.trim_end_matches(ISOLATES).to_owned(),
            after: after.trim_start_matches(ISOLATES).to_owned(),
        }
    }

    /// A date as people write it, from Unix seconds; in UTC, since the place of the reader is unknown.
    pub fn date(&self, seconds: impl Borrow<i64>) -> Cow<'static, str> {
        let at = Timestamp::from_second(*seconds.borrow()).unwrap_or_default().to_zoned(TimeZone::UTC);
        let args = FluentArgs::from_iter([
            ("day", FluentValue::from(at.day())),
            ("month", FluentValue::from(at.month())),
            ("year", FluentValue::from(at.year().to_string())),
        ]);
        self.0.format("date", Some(&args))
    }

    /// A moment to the second, from Unix seconds, in UTC.
    pub fn moment(&self, seconds: impl Borrow<i64>) -> Cow<'static, str> {
        let at = Timestamp::from_second(*seconds.borrow()).unwrap_or_default();
        self.with("moment", "time", at.strftime("%Y-%m-%d %H:%M:%S"))
    }

    /// The same for the attribute `datetime`.
    pub fn machine_time(&self, seconds: impl Borrow<i64>) -> String {
        Timestamp::from_second(*seconds.borrow()).unwrap_or_default().to_string()
    }

    /// How long ago something was, in the largest unit that fits; both in Unix seconds.
    pub fn ago(&self, seconds: impl Borrow<i64>, now: impl Borrow<i64>) -> Cow<'static, str> {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let past = u64::try_from(now.borrow().saturating_sub(*seconds.borrow())).unwrap_or(0);
        match past {
            ..MINUTE => self.get("ago-now"),
            MINUTE..HOUR => self.count("ago-minutes", past / MINUTE),
            HOUR..DAY => self.count("ago-hours", past / HOUR),
            _ if past < 30 * DAY => self.count("ago-days", past / DAY),
            _ => self.date(seconds),
        }
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Language({})", self.0.id)
    }
}

struct Locale {
    id: LanguageIdentifier,
    messages: FluentBundle<FluentResource>,
}

impl Locale {
    /// `transform` changes the words of every message (not the values in it): the pseudo-languages of the tests.
    fn new(tag: &str, transform: Option<fn(&str) -> Cow<'_, str>>) -> Self {
        let id: LanguageIdentifier = tag.parse().unwrap_or_default();
        let mut messages = FluentBundle::new_concurrent(vec![id.clone()]);
        for text in ENGLISH {
            // A file that does not parse fully is found by a test; here the rest of it is still worth having.
            let (Ok(resource) | Err((resource, _))) = FluentResource::try_new((*text).to_owned());
            messages.add_resource_overriding(resource);
        }
        messages.set_transform(transform);
        Self { id, messages }
    }

    fn format(&self, key: &str, args: Option<&FluentArgs<'_>>) -> Cow<'static, str> {
        let Some(pattern) = self.messages.get_message(key).and_then(|message| message.value()) else {
            // Shown, and looked for by the tests: a missing message must not be a missing page.
            return Cow::Owned(format!("⟦{key}⟧"));
        };
        Cow::Owned(self.messages.format_pattern(pattern, args, &mut Vec::new()).into_owned())
    }
}

fn asked_tags(ui_locales: &str) -> Vec<LanguageIdentifier> {
    ui_locales.split_ascii_whitespace().take(MOST_REQUESTED).filter_map(|tag| tag.parse().ok()).collect()
}

fn accepted_tags(header: &str) -> Vec<LanguageIdentifier> {
    let mut tags: Vec<(f32, LanguageIdentifier)> = header
        .split(',')
        .take(MOST_REQUESTED)
        .filter_map(|part| {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
            let weight = weight(parameters)?;
            Some((weight, tag.trim().parse().ok()?))
        })
        .collect();
    tags.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    tags.into_iter().map(|(_, tag)| tag).collect()
}

/// A language with weight 0 is not wanted at all.
fn weight(parameters: &str) -> Option<f32> {
    let Some(value) = parameters.trim().strip_prefix("q=") else {
        return Some(1.0);
    };
    value.trim().parse().ok().filter(|weight| (f32::MIN_POSITIVE..=1.0).contains(weight))
}

/// Invented languages that make forgotten strings and layouts that are too tight visible.
#[cfg(test)]
impl Language {
    /// English in accents, a third longer.
    pub(in crate::http) fn pseudo() -> Self {
        static ACCENTED: LazyLock<Locale> = LazyLock::new(|| Locale::new("en-XA", Some(accented)));
        Self(&ACCENTED)
    }

    /// The same, from right to left.
    pub(in crate::http) fn pseudo_rtl() -> Self {
        static MIRRORED: LazyLock<Locale> = LazyLock::new(|| Locale::new("ar-XB", Some(mirrored)));
        Self(&MIRRORED)
    }

    /// Every message there is.
    pub(in crate::http) fn keys() -> Vec<String> {
        ENGLISH
            .iter()
            .flat_map(|text| text.lines())
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key.to_owned()))
            .collect()
    }
}

#[cfg(test)]
fn accented(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len() * 2);
    for letter in text.chars() {
        let changed = match letter {
            'a' => "áá",
            'e' => "éé",
            'o' => "öö",
            'i' => "ï",
            'u' => "ûû",
            'n' => "ñ",
            'c' => "ç",
            's' => "š",
            'A' => "Å",
            'E' => "Ë",
            'O' => "Ö",
            'I' => "Î",
            'U' => "Ü",
            'N' => "Ñ",
            'C' => "Ç",
            'S' => "Š",
            'b' => "ƀ",
            'd' => "đ",
            'f' => "ƒ",
            'g' => "ğ",
            'h' => "ĥ",
            'j' => "ĵ",
            'k' => "ķ",
            'l' => "ł",
            'm' => "ɱ",
            'p' => "þ",
            'q' => "ʠ",
            'r' => "ŕ",
            't' => "ŧ",
            'v' => "ṽ",
            'w' => "ŵ",
            'x' => "ẋ",
            'y' => "ý",
            'z' => "ž",
            'B' => "Ɓ",
            'D' => "Đ",
            'F' => "Ƒ",
            'G' => "Ğ",
            'H' => "Ĥ",
            'J' => "Ĵ",
            'K' => "Ķ",
            'L' => "Ł",
            'M' => "Ṁ",
            'P' => "Þ",
            'Q' => "Ǫ",
            'R' => "Ŕ",
            'T' => "Ŧ",
            'V' => "Ṽ",
            'W' => "Ŵ",
            'X' => "Ẋ",
            'Y' => "Ý",
            'Z' => "Ž",
            other => {
                out.push(other);
                continue;
            }
        };
        out.push_str(changed);
    }
    Cow::Owned(out)
}

#[cfg(test)]
fn mirrored(text: &str) -> Cow<'_, str> {
    // Arabic letters, so that the browser's own rules for direction are at work.
    const LETTERS: [char; 12] = ['ا', 'ل', 'م', 'ن', 'و', 'ر', 'ي', 'ب', 'ت', 'س', 'ك', 'د'];
    let letter = |letter: char| LETTERS[(letter as usize) % LETTERS.len()];
    Cow::Owned(text.chars().map(|c| if c.is_ascii_alphabetic() { letter(c) } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_parses_without_errors_and_without_doubles() {
        for text in ENGLISH {
            if let Err((_, errors)) = FluentResource::try_new((*text).to_owned()) {
                panic!("{errors:?} in {text}");
            }
        }
        let mut keys = Language::keys();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(all, keys.len(), "a message stands twice");
    }

    #[test]
    fn weights_order_the_languages_and_zero_refuses_one() {
        let tags: Vec<String> =
            accepted_tags("de;q=0.5, fr;q=0, en-GB, ;, ja;q=0.9, x;q=no, *").iter().map(ToString::to_string).collect();
        assert_eq!(tags, ["en-GB", "ja", "de"]);
    }

    #[test]
    fn ui_locales_win_over_the_browser_and_english_is_the_last_resort() {
        static MANY: LazyLock<Vec<Locale>> =
            LazyLock::new(|| ["en", "de", "fr", "ar"].map(|tag| Locale::new(tag, None)).into());
        let choose = |asked: &str, accept: &str| {
            Language::among(&MANY, &[asked_tags(asked), accepted_tags(accept)].concat()).tag()
        };
        assert_eq!(choose("fr-CA", "de"), "fr");
        assert_eq!(choose("xx tlh", "de-AT,en;q=0.4"), "de");
        assert_eq!(choose("", "ar-EG"), "ar");
        assert_eq!(choose("<script> ../..", "zz"), "en");
        assert_eq!(Language::negotiate(Some("tlh"), Some("xx")).tag(), "en");
        assert_eq!(Language::negotiate(None, None).tag(), "en");
    }

    #[test]
    fn the_direction_follows_the_language() {
        assert_eq!(Language::english().direction(), "ltr");
        assert_eq!(Language::pseudo().direction(), "ltr");
        assert_eq!(Language::pseudo_rtl().direction(), "rtl");
    }

    #[test]
    fn a_value_can_be_marked_up_by_the_template() {
        let around = Language::english().around("login-to-app", "app");
        assert_eq!(around, Around { before: "to continue to ".into(), after: String::new() });
    }

    #[test]
    fn values_are_never_read_as_messages() {
        let text = Language::english().with("consent-title", "app", "{ $x } { brand }");
        assert!(text.contains("{ $x } { brand }"), "{text}");
    }

    #[test]
    fn past_times_are_told_in_the_largest_unit() {
        let en = Language::english();
        let plain = |text: Cow<'_, str>| text.replace(ISOLATES, "");
        assert_eq!(plain(en.ago(1000, 1010)), "just now");
        assert_eq!(plain(en.ago(2000, 1000)), "just now");
        assert_eq!(plain(en.ago(0, 60)), "1 minute ago");
        assert_eq!(plain(en.ago(0, 3 * 3600)), "3 hours ago");
        assert_eq!(plain(en.ago(0, 25 * 3600)), "1 day ago");
        assert_eq!(plain(en.ago(1_763_900_000, 1_793_900_000)), "23 November 2025");
    }

    #[test]
    fn a_missing_message_is_seen() {
        assert_eq!(Language::english().get("no-such-message"), "⟦no-such-message⟧");
    }
}
