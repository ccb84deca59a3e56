//! What can go wrong between us and the database.

use std::fmt;
use std::sync::Arc;

/// A failure of the store. Its text is for the log; it never holds a value of a row.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// A rule of the schema was broken: two rows of one name, a parent that is gone.
    Conflict(Arc<str>),
    /// Someone else writes, or the queue is full: try again.
    Busy,
    /// A row holds what cannot be.
    Corrupt(Arc<str>),
    /// The database does not answer, or not as it should.
    Unavailable(Arc<str>),
    /// The database was written by a newer version of this program.
    Newer(i64),
    /// The database lacks migrations.
    Outdated,
    /// A unit of work waited for something that is not the database. A mistake of ours.
    WaitedElsewhere,
    /// A unit of work took longer than it may.
    HeldTooLong,
    /// A unit of work panicked. A mistake of ours.
    Panicked,
    /// A unit of work went on after a failed statement. A mistake of ours.
    IgnoredFailure,
    /// The store is being closed.
    Closed,
}

impl StoreError {
    /// A row that holds what cannot be.
    #[must_use]
    pub fn corrupt(what: impl fmt::Display) -> Self {
        Self::Corrupt(what.to_string().into())
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable(_) | Self::Closed | Self::HeldTooLong)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(what) => write!(f, "a rule of the database was broken: {what}"),
            Self::Busy => f.write_str("the database is busy"),
            Self::Corrupt(what) => write!(f, "a row holds what cannot be: {what}"),
            Self::Unavailable(what) => write!(f, "the database does not answer: {what}"),
            Self::Newer(version) => write!(
                f,
                "the database was written by a newer version of frontdesk (migration {version}); start that version, or restore a backup made with this one"
            ),
            Self::Outdated => f.write_str(
                "the database lacks migrations of this version; run `frontdesk migrate`, or set database.migrate_on_start = true",
            ),
            Self::WaitedElsewhere => f.write_str("a unit of work waited for something that is not the database"),
            Self::HeldTooLong => f.write_str("a unit of work took too long"),
            Self::Panicked => f.write_str("a unit of work panicked"),
            Self::IgnoredFailure => f.write_str("a unit of work went on after a failed statement"),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                if database.is_unique_violation()
                    || database.is_foreign_key_violation()
                    || database.is_check_violation()
                {
                    // The constraint's name, not the message: PostgreSQL's detail repeats the row's values.
                    return Self::Conflict(database.constraint().unwrap_or("a unique or foreign key").into());
                }
                // SQLite: 5 is SQLITE_BUSY, 6 SQLITE_LOCKED; PostgreSQL: serialization failure, deadlock, lock not available.
                let code = database.code().unwrap_or_default();
                if matches!(code.as_ref(), "5" | "6" | "261" | "517" | "40001" | "40P01" | "55P03") {
                    return Self::Busy;
                }
                Self::Unavailable(format!("{} ({code})", database.message()).into())
            }
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Corrupt(error.to_string().into())
            }
            _ => Self::Unavailable(error.to_string().into()),
        }
    }
}
