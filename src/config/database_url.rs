//! Which database holds the data.

use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

use super::setting::{TextSetting, Wrong};

const MASK: &str = "***";

/// SQLite in a file, or PostgreSQL. `Display` and `Debug` mask the password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The file of the database, taken as it is written: nothing in it is percent-encoded.
    Sqlite(PathBuf),
    /// `postgres://user:password@host/name`.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL database, password included.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Url);

impl DatabaseUrl {
    /// The URL to connect with, password included: for the database driver only.
    #[must_use]
    pub fn connect_url(&self) -> String {
        match self {
            // The driver decodes percent signs and splits at the question mark.
            Self::Sqlite(file) => {
                let file = file.display().to_string();
                format!("sqlite://{}", file.replace('%', "%25").replace('?', "%3F"))
            }
            Self::Postgres(PostgresUrl(url)) => url.to_string(),
        }
    }

    /// True for SQLite.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// True if the URL itself holds a password.
    pub(super) fn has_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(PostgresUrl(url)) => {
                url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
            }
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "sqlite://{}", file.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        if url.password().is_some() {
            // Cannot fail: a URL with a password has a host.
            let _ = url.set_password(Some(MASK));
        }
        if url.query().is_some() {
            let pairs: Vec<(String, String)> = self.0.query_pairs().into_owned().collect();
            let mut query = url.query_pairs_mut();
            query.clear();
            for (name, value) in &pairs {
                query.append_pair(name, if name == "password" { MASK } else { value });
            }
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

impl TextSetting for DatabaseUrl {
    const WRITE: &'static str =
        "Write \"sqlite://data/frontdesk.db\" (a file) or \"postgres://user:password@host/database\".";

    // The text may hold a password, so no message repeats it.
    fn from_text(text: &str) -> Result<Self, Wrong> {
        let wrong = |what: &str| Wrong::new(what, <Self as TextSetting>::WRITE);
        let sqlite = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        if let Some(file) = sqlite {
            return match file {
                "" => Err(wrong("names no file")),
                ":memory:" => Err(wrong("a database in memory would be lost at every stop")),
                file if file.contains('?') => Err(wrong("takes no parameters for SQLite, Frontdesk sets them itself")),
                file => Ok(Self::Sqlite(PathBuf::from(file))),
            };
        }
        let url = Url::parse(text).map_err(|error| wrong(&format!("is not a database URL: {error}")))?;
        match url.scheme() {
            "postgres" | "postgresql" if url.path().len() > 1 => Ok(Self::Postgres(PostgresUrl(url))),
            "postgres" | "postgresql" => Err(wrong("names no database after the host")),
            _ => Err(wrong("is neither SQLite nor PostgreSQL")),
        }
    }

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn resolve(&mut self, base: &Path) {
        if let Self::Sqlite(file) = self {
            *file = base.join(&file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DatabaseUrl {
        DatabaseUrl::from_text(text).unwrap()
    }

    #[test]
    fn a_password_is_masked_in_every_form() {
        for text in [
            "postgres://desk:hunter2@db.internal/frontdesk",
            "postgresql://db.internal/frontdesk?user=desk&password=hunter2&sslmode=require",
        ] {
            let url = parse(text);
            assert!(url.has_password());
            assert!(url.connect_url().contains("hunter2"));
            for shown in [url.to_string(), format!("{url:?}")] {
                assert!(!shown.contains("hunter2"), "{shown}");
                assert!(shown.contains("desk") && shown.contains("db.internal/frontdesk"), "{shown}");
            }
        }
        assert!(!parse("postgres://desk@db.internal/frontdesk").has_password());
    }

    #[test]
    fn a_sqlite_file_is_taken_as_written() {
        assert_eq!(parse("sqlite://data/frontdesk.db"), DatabaseUrl::Sqlite("data/frontdesk.db".into()));
        assert_eq!(parse("sqlite:///var/lib/x.db"), DatabaseUrl::Sqlite("/var/lib/x.db".into()));
        assert_eq!(parse("sqlite:x.db"), DatabaseUrl::Sqlite("x.db".into()));
        assert_eq!(parse("sqlite://100%/x.db").connect_url(), "sqlite://100%25/x.db");
        assert_eq!(parse("sqlite://100%/x.db").to_string(), "sqlite://100%/x.db");
    }
}
