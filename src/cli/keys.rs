//! `frontdesk keys`: the keys that sign tokens.

use serde::Serialize;

use super::output::{Format, data, say, table};
use super::{Context, Failure, rewrap};
use crate::keys::record::{BadRow, KeyRecord};
use crate::keys::ring::jwks;
use crate::keys::state::KeyState;
use crate::keys::vault::Purpose;
use crate::store::Store;
use crate::store::signing_keys::{self, SigningKeyRow};

/// What to do with the keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List all keys with their states and times
    List(Format),
    /// Print the key set as the server publishes it; it is JSON with and without --json
    ExportJwks(Format),
    /// Seal everything in the database anew, under a new master key
    Rewrap(rewrap::Arguments),
}

pub(super) async fn run(context: &Context, command: &Command) -> Result<(), Failure> {
    if let Command::Rewrap(rewrap::Arguments { make: Some(file), format }) = command {
        return rewrap::make(file, *format);
    }
    let store = context.store().await?;
    let done = match command {
        Command::List(format) => list(&store, *format).await,
        Command::ExportJwks(_) => export_jwks(context, &store).await,
        Command::Rewrap(arguments) => rewrap::run(context, &store, arguments.format).await,
    };
    store.close().await;
    done
}

/// Needs no master key, and so shows what stands in the rows, believable or not.
async fn list(store: &Store, format: Format) -> Result<(), Failure> {
    let records = records(store, KeyRecord::read).await?;
    let listed: Vec<Listed<'_>> = records.iter().map(Listed::from).collect();
    format.print(&listed, || as_table(&records))
}

/// Others will trust what is printed here, so a row counts only with its MAC, as it does for the server.
async fn export_jwks(context: &Context, store: &Store) -> Result<(), Failure> {
    let key = context.vault(store).await?.mac_key(Purpose::SigningKey);
    let records = records(store, |row| KeyRecord::verified(row, &key)).await?;
    data(String::from_utf8_lossy(&jwks(records.iter()).bytes))
}

async fn records(
    store: &Store,
    read: impl Fn(&SigningKeyRow) -> Result<KeyRecord, BadRow>,
) -> Result<Vec<KeyRecord>, Failure> {
    let mut records = Vec::new();
    for row in signing_keys::list(&mut store.read().await?).await? {
        match read(&row) {
            Ok(record) => records.push(record),
            Err(error) => say(format!("warning: key {:?} is left out: {error}", row.kid)),
        }
    }
    Ok(records)
}

/// A key as `keys list --json` shows it. Times are RFC 3339 in UTC.
#[derive(Serialize)]
struct Listed<'r> {
    kid: &'r str,
    alg: &'static str,
    state: KeyState,
    created_at: String,
    published_at: String,
    activate_at: String,
    retire_at: Option<String>,
    /// Client ids of apps that were not yet seen to have the key.
    waiting_for: [&'static str; 0],
}

impl<'r> From<&'r KeyRecord> for Listed<'r> {
    fn from(record: &'r KeyRecord) -> Self {
        Self {
            kid: record.kid().as_str(),
            alg: record.alg().as_str(),
            state: record.state,
            created_at: record.created_at.to_string(),
            published_at: record.published_at.to_string(),
            activate_at: record.activate_at.to_string(),
            retire_at: record.retire_at.map(|at| at.to_string()),
            waiting_for: [],
        }
    }
}

fn as_table(records: &[KeyRecord]) -> String {
    let rows: Vec<[String; 5]> = records
        .iter()
        .map(|record| {
            let retire_at = record.retire_at.map(|at| at.to_string()).unwrap_or_default();
            [
                record.kid().to_string(),
                record.alg().to_string(),
                record.state.to_string(),
                record.activate_at.to_string(),
                retire_at,
            ]
        })
        .collect();
    table(["kid", "alg", "state", "signs from", "published until"], &rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::alg::Alg;
    use crate::domain::time::Timestamp;
    use crate::keys::pair;

    #[test]
    fn a_listed_key_has_the_members_of_the_contract() {
        let at = Timestamp::from_seconds;
        let record = KeyRecord {
            public: pair::make(Alg::ES256, 2048).unwrap().public,
            state: KeyState::Retiring,
            created_at: at(1),
            published_at: at(2),
            activate_at: at(3),
            retire_at: Some(at(4)),
        };
        assert_eq!(
            serde_json::to_value(Listed::from(&record)).unwrap(),
            json!({
                "kid": record.kid(), "alg": "ES256", "state": "retiring", "waiting_for": [],
                "created_at": "1970-01-01T00:00:01Z", "published_at": "1970-01-01T00:00:02Z",
                "activate_at": "1970-01-01T00:00:03Z", "retire_at": "1970-01-01T00:00:04Z"
            })
        );
        let text = as_table(&[record]);
        assert!(text.contains("retiring  1970-01-01T00:00:03Z  1970-01-01T00:00:04Z"), "{text}");
    }
}
