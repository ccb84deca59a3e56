//! The declarative file: what it says, and where each word of it stands.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::accounts::registration::{BadRegistration, Registration};
use crate::cli::{Failure, secrets};
use crate::domain::secret::Secret;
use crate::domain::user::Username;
use crate::oauth::registration::{ClientMetadata, ResourceMetadata, check_secret};

/// What a file declares.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) users: Vec<DeclaredUser>,
    pub(super) clients: Vec<WrittenClient>,
    pub(super) resources: Vec<(Entry, ResourceMetadata)>,
}

/// A person; the password is inside.
#[derive(Debug)]
pub(super) struct DeclaredUser {
    pub(super) entry: Entry,
    pub(super) registration: Registration,
}

/// A client, and its secret if the file has one.
#[derive(Debug)]
pub(super) struct WrittenClient {
    pub(super) entry: Entry,
    pub(super) id: String,
    pub(super) metadata: ClientMetadata,
    pub(super) secret: Option<Secret>,
}

/// Where one `[[users]]`, `[[clients]]` or `[[resources]]` stands, and each key in it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    section: &'static str,
    line: usize,
    keys: HashMap<String, (usize, Range<usize>)>,
}

/// Something that is wrong in the file.
#[derive(Debug)]
pub(super) struct Mistake {
    line: usize,
    key: String,
    what: String,
}

impl Entry {
    /// A mistake at a key of this entry; where the key is not written, at its beginning.
    pub(super) fn mistake(&self, key: &str, what: impl fmt::Display) -> Mistake {
        let line = self.keys.get(key).map_or(self.line, |(line, _)| *line);
        Mistake { line, key: format!("{}.{key}", self.section), what: what.to_string() }
    }

    /// The key whose place holds the span.
    fn key_at(&self, span: &Range<usize>) -> Option<&str> {
        let holds = |place: &Range<usize>| place.start <= span.start && span.start < place.end;
        self.keys.iter().find(|(_, (_, place))| holds(place)).map(|(key, _)| key.as_str())
    }
}

impl Mistake {
    /// A mistake whose place is not known.
    pub(super) fn nowhere(what: &str) -> Self {
        Self { line: 1, key: String::new(), what: what.to_owned() }
    }
}

/// All mistakes, one a line, each with the file and its place.
pub(super) fn mistakes(path: &Path, mut mistakes: Vec<Mistake>) -> Failure {
    mistakes.sort_by_key(|mistake| mistake.line);
    let lines: Vec<String> = mistakes
        .into_iter()
        .map(|Mistake { line, key, what }| {
            let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
            format!("{}:{line}: {key}{what}", path.display())
        })
        .collect();
    Failure::wrong(lines.join("\n"))
}

/// Reads a file. Everything that is wrong in it is told at once.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::wrong(format!("{}: {error}", path.display())))?;
    let reader = Reader { text: &text, folder: path.parent().unwrap_or(Path::new("")) };
    reader.file().map_err(|found| mistakes(path, found))
}

struct Reader<'a> {
    text: &'a str,
    folder: &'a Path,
}

/// What an entry that cannot be read leaves behind.
type Read<T> = Result<T, Vec<Mistake>>;

impl Reader<'_> {
    fn file(&self) -> Read<File> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            // Not the whole error: that repeats the line, which may hold a password.
            let mistake = |error: &toml::de::Error| Mistake {
                line: self.line(&error.span().unwrap_or_default()),
                key: String::new(),
                what: format!("this is not TOML: {}", error.message()),
            };
            return Err(errors.iter().map(mistake).collect());
        }
        let mut file = File::default();
        let mut found = Vec::new();
        for (name, value) in root.into_inner() {
            let line = self.line(&name.span());
            let taken = match name.get_ref().as_ref() {
                "users" => self.entries("users", value, |entry, table| self.user(entry, table), &mut file.users),
                "clients" => {
                    self.entries("clients", value, |entry, table| self.client(entry, table), &mut file.clients)
                }
                "resources" => {
                    self.entries("resources", value, |entry, table| self.resource(entry, table), &mut file.resources)
                }
                other => Err(vec![Mistake {
                    line,
                    key: other.to_owned(),
                    what: "there is no such section; write [[users]], [[clients]] or [[resources]]".to_owned(),
                }]),
            };
            found.extend(taken.err().unwrap_or_default());
        }
        found.extend(self.twice(&file));
        if found.is_empty() { Ok(file) } else { Err(found) }
    }

    fn entries<T>(
        &self,
        section: &'static str,
        value: Spanned<DeValue<'_>>,
        read: impl Fn(Entry, Spanned<DeTable<'_>>) -> Read<T>,
        into: &mut Vec<T>,
    ) -> Read<()> {
        let line = self.line(&value.span());
        let shape =
            |line| vec![Mistake { line, key: section.to_owned(), what: format!("write each one as [[{section}]]") }];
        let DeValue::Array(items) = value.into_inner() else { return Err(shape(line)) };
        let mut found = Vec::new();
        for item in items {
            let span = item.span();
            let DeValue::Table(table) = item.into_inner() else {
                found.extend(shape(self.line(&span)));
                continue;
            };
            let keys = table
                .iter()
                .map(|(key, value)| {
                    let place = key.span().start..value.span().end.max(key.span().end);
                    (key.get_ref().to_string(), (self.line(&key.span()), place))
                })
                .collect();
            let entry = Entry { section, line: self.line(&span), keys };
            match read(entry, Spanned::new(span, table)) {
                Ok(one) => into.push(one),
                Err(mistakes) => found.extend(mistakes),
            }
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    fn user(&self, entry: Entry, table: Spanned<DeTable<'_>>) -> Read<DeclaredUser> {
        let written: WrittenUser = self.members(&entry, table)?;
        let username = Username::parse(&written.username).map_err(|error| vec![entry.mistake("username", error)])?;
        let password = self.secret(&entry, ("password", written.password), ("password_file", written.password_file))?;
        let registration = Registration {
            username,
            email: written.email,
            email_verified: written.email_verified,
            claims: written.claims,
            roles: written.roles,
            password,
        };
        registration.check().map_err(|bad| vec![entry.mistake(key_of(&bad), bad)])?;
        Ok(DeclaredUser { entry, registration })
    }

    fn client(&self, entry: Entry, mut table: Spanned<DeTable<'_>>) -> Read<WrittenClient> {
        let id = self.text(&entry, &mut table, "client_id")?;
        let written = self.text(&entry, &mut table, "client_secret")?.map(Secret::new);
        let file = self.text(&entry, &mut table, "client_secret_file")?.map(PathBuf::from);
        let id =
            id.ok_or_else(|| vec![entry.mistake("client_id", "every client has one, such as client_id = \"notes\"")])?;
        let metadata = self.members(&entry, table)?;
        let secret = self.secret(&entry, ("client_secret", written), ("client_secret_file", file))?;
        if let Some(Err(error)) = secret.as_ref().map(check_secret) {
            let key = if entry.keys.contains_key("client_secret") { "client_secret" } else { "client_secret_file" };
            return Err(vec![entry.mistake(key, format!("{}; {}", error.problem, error.remedy))]);
        }
        Ok(WrittenClient { entry, id, metadata, secret })
    }

    fn resource(&self, entry: Entry, table: Spanned<DeTable<'_>>) -> Read<(Entry, ResourceMetadata)> {
        let metadata = self.members(&entry, table)?;
        Ok((entry, metadata))
    }

    /// Reads the members of an entry; an error is told at the key where it stands.
    fn members<T: for<'de> Deserialize<'de>>(&self, entry: &Entry, table: Spanned<DeTable<'_>>) -> Read<T> {
        let whole = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        T::deserialize(ValueDeserializer::from(whole)).map_err(|error| {
            let span = error.span().unwrap_or_default();
            vec![match entry.key_at(&span) {
                Some(key) => Mistake {
                    line: self.line(&span),
                    key: format!("{}.{key}", entry.section),
                    what: error.message().to_owned(),
                },
                None => Mistake { line: entry.line, key: entry.section.to_owned(), what: error.message().to_owned() },
            }]
        })
    }

    /// Takes a text out of an entry.
    fn text(&self, entry: &Entry, table: &mut Spanned<DeTable<'_>>, key: &str) -> Read<Option<String>> {
        match table.get_mut().remove(key).map(Spanned::into_inner) {
            None => Ok(None),
            Some(DeValue::String(text)) => Ok(Some(text.into_owned())),
            Some(_) => Err(vec![entry.mistake(key, "write it as text in quotes")]),
        }
    }

    /// A secret that is written out or stands in a file beside this one.
    fn secret(
        &self,
        entry: &Entry,
        (key, written): (&str, Option<Secret>),
        (file_key, file): (&str, Option<PathBuf>),
    ) -> Read<Option<Secret>> {
        match (written, file) {
            (Some(_), Some(_)) => Err(vec![entry.mistake(file_key, format!("write either {key} or {file_key}"))]),
            (None, Some(file)) => secrets::from_file(&self.folder.join(file))
                .map(Some)
                .map_err(|failure| vec![entry.mistake(file_key, failure)]),
            (Some(written), None) if written.expose().is_empty() => Err(vec![entry.mistake(key, "it is empty")]),
            (written, None) => Ok(written),
        }
    }

    /// People of one name. Clients and resources are compared when they are registered.
    fn twice(&self, file: &File) -> Vec<Mistake> {
        let mut seen = HashMap::new();
        let mut found = Vec::new();
        for user in &file.users {
            if seen.insert(user.registration.username.key(), ()).is_some() {
                found.push(user.entry.mistake("username", "it is declared twice; leave one of the two out"));
            }
        }
        found
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUser {
    username: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    claims: Map<String, Value>,
}

/// The key that a complaint about a person is about.
pub(super) fn key_of(bad: &BadRegistration) -> &'static str {
    match bad {
        BadRegistration::Email => "email",
        BadRegistration::VerifiedNothing => "email_verified",
        BadRegistration::Role(_) => "roles",
        BadRegistration::UnknownClaim(_) | BadRegistration::Claim { .. } | BadRegistration::TooMuch => "claims",
    }
}
