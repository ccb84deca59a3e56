//! The time of day.

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a program for measuring is its own clock")]
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
