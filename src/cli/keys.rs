//! `frontdesk keys`: the keys that sign tokens.

use super::output::{Format, data, say, table};
use super::{Context, Failure, rewrap, turn_keys};
use crate::domain::id::ClientId;
use crate::domain::time::Timestamp;
use crate::keys::propagation::Propagation;
use crate::keys::record::{BadRow, KeyRecord};
use crate::keys::ring::jwks;
use crate::keys::vault::Purpose;
use crate::store::Store;
use crate::store::directory::Directory;
use crate::store::signing_keys::{self, SigningKeyRow};
use crate::tokens::key_desk::Listed;

/// What to do with the keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List all keys with their states and times
    List(Format),
    /// Have the next key sign, as early as is safe or at once
    Rotate(turn_keys::Rotate),
    /// Have the next key sign for one app only, for an hour
    Canary(turn_keys::Canary),
    /// Throw a key out: nothing it signed is trusted any more
    Revoke(turn_keys::Revoke),
    /// Say what it would mean to lose the key that signs, and change nothing
    Drill(turn_keys::Drill),
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
        Command::List(format) => list(&store, *format, context.now()).await,
        Command::Rotate(arguments) => turn_keys::rotate(context, &store, arguments).await,
        Command::Canary(arguments) => turn_keys::canary(context, &store, arguments).await,
        Command::Revoke(arguments) => turn_keys::revoke(context, &store, arguments).await,
        Command::Drill(arguments) => turn_keys::drill(context, &store, arguments).await,
        Command::ExportJwks(_) => export_jwks(context, &store).await,
        Command::Rewrap(arguments) => rewrap::run(context, &store, arguments.format).await,
    };
    store.close().await;
    done
}

/// Needs no master key, and so shows what stands in the rows, believable or not.
async fn list(store: &Store, format: Format, now: Timestamp) -> Result<(), Failure> {
    let records = records(store, KeyRecord::read).await?;
    let directory = Directory::load(store, now).await?.snapshot();
    let known = Propagation::load(&mut store.read().await?, &directory, now).await?;
    let listed: Vec<Listed> = records.iter().map(|record| Listed::of(record, known.waiting_for(record, now))).collect();
    format.print(&listed, || as_table(&listed))
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

fn as_table(keys: &[Listed]) -> String {
    let rows: Vec<[String; 6]> = keys
        .iter()
        .map(|key| {
            let waiting_for = key.waiting_for.iter().map(ClientId::as_str).collect::<Vec<_>>().join(" ");
            [
                key.kid.clone(),
                key.alg.to_string(),
                key.state.to_string(),
                key.activate_at.clone(),
                key.retire_at.clone().unwrap_or_default(),
                waiting_for,
            ]
        })
        .collect();
    table(["kid", "alg", "state", "signs from", "published until", "waits for"], &rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::alg::Alg;
    use crate::keys::pair;
    use crate::keys::state::KeyState;

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
            changed_at: at(3),
            reason: None,
        };
        assert_eq!(
            serde_json::to_value(Listed::of(&record, vec![ClientId::new("shop")])).unwrap(),
            json!({
                "kid": record.kid(), "alg": "ES256", "state": "retiring", "waiting_for": ["shop"],
                "created_at": "1970-01-01T00:00:01Z", "published_at": "1970-01-01T00:00:02Z",
                "activate_at": "1970-01-01T00:00:03Z", "retire_at": "1970-01-01T00:00:04Z"
            })
        );
        let text = as_table(&[Listed::of(&record, vec![ClientId::new("shop")])]);
        assert!(text.contains("retiring  1970-01-01T00:00:03Z  1970-01-01T00:00:04Z  shop"), "{text}");
    }
}
