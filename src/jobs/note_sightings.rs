//! Writes down who fetched the key set and where apps authenticated, every few seconds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::accounts::throttle::network;
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::keys::sightings::{Asker, Seen};
use crate::store::directory::Snapshot;
use crate::store::sightings::{self, AddressRow, SightingRow};
use crate::store::{StoreError, Tx};

const EVERY: Duration = Duration::from_secs(5);
/// An address counts for so long after an app authenticated there.
const ADDRESS_COUNTS: Duration = Duration::from_secs(90 * 86_400);
/// Rows that strangers can make more of. Beyond, nothing of strangers is written down until older rows are purged.
const MOST_UNPROVEN: i64 = 10_000;
/// Rows in one unit of work.
const BATCH: usize = 200;

/// Writes until told to stop, and then once more.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    // With short polls the clocks of a test are scaled, and so is this.
    let every = EVERY.min(app.config().limits.change_poll * 5);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        if let Err(error) = once(&app, app.clock.now()).await {
            tracing::warn!(%error, "who fetched the key set could not be written down");
        }
        if stopping {
            return;
        }
    }
}

/// Writes what was gathered since the last time.
///
/// # Errors
/// If the database refuses. What was gathered is lost then; it will be seen again.
pub async fn once(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let seen = app.sightings.take();
    if seen.is_empty() {
        return Ok(());
    }
    if seen.uncounted > 0 {
        tracing::warn!(answers = seen.uncounted, "more strangers fetched the key set than are counted");
    }
    let mut addresses: Vec<(String, String, Timestamp)> =
        seen.addresses().map(|(client, address, at)| (client.as_str().to_owned(), address.to_string(), at)).collect();
    // All processes take the rows in one order, so that none waits for another that waits for it.
    addresses.sort_unstable();
    for batch in addresses.chunks(BATCH) {
        let batch = batch.to_vec();
        app.store
            .write(async move |tx| {
                for (client, address, at) in &batch {
                    sightings::note_address(tx, client, address, *at).await?;
                }
                Ok(())
            })
            .await?;
    }
    let mut db = app.store.read().await?;
    let known = sightings::addresses(&mut db, now.minus(ADDRESS_COUNTS)).await?;
    let room = sightings::count_unproven(&mut db).await? < MOST_UNPROVEN;
    drop(db);
    let rows = rows(&seen, &app.provider.directory.snapshot(), &known, room);
    let sets: Vec<(String, String)> = rows
        .iter()
        .filter_map(|row| Some((row.etag.clone(), seen.set(&row.etag)?.to_owned())))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect();
    for batch in rows.chunks(BATCH) {
        let (batch, sets) = (batch.to_vec(), sets.clone());
        app.store.write(async move |tx| write(tx, &sets, &batch, now).await).await?;
    }
    Ok(())
}

async fn write(tx: &mut Tx, sets: &[(String, String)], rows: &[SightingRow], now: Timestamp) -> Result<(), StoreError> {
    for (etag, kids) in sets {
        sightings::note_set(tx, etag, kids, now).await?;
    }
    for row in rows {
        sightings::note(tx, row).await?;
    }
    Ok(())
}

/// Who the askers are. Who names an app that there is, or comes from an address where exactly one app authenticates, is kept
/// with the address; of everybody else only the network is kept. `room`: whether those that are not proven find a place.
fn rows(seen: &Seen, directory: &Snapshot, known: &[AddressRow], room: bool) -> Vec<SightingRow> {
    let mut rows: BTreeMap<(String, String, String, String), SightingRow> = BTreeMap::new();
    let mut apps_at: HashMap<&str, Vec<&str>> = HashMap::new();
    for row in known {
        apps_at.entry(&row.address).or_default().push(&row.client_id);
    }
    for asker in seen.askers() {
        let address = asker.address.to_string();
        let here = apps_at.get(address.as_str()).map_or(&[][..], Vec::as_slice);
        let app = app_of(asker, here, directory);
        let proven = here.contains(&app.as_str());
        if !proven && !room {
            continue;
        }
        let origin = if app.is_empty() { network(asker.address) } else { address };
        let row = SightingRow {
            app,
            origin,
            agent: asker.agent.clone(),
            etag: asker.etag.clone(),
            first_at: asker.first_at.as_seconds(),
            last_at: asker.last_at.as_seconds(),
            times: asker.times.into(),
        };
        // Neighbours in one network are one.
        rows.entry((row.app.clone(), row.origin.clone(), row.agent.clone(), row.etag.clone()))
            .and_modify(|own| {
                own.first_at = own.first_at.min(row.first_at);
                own.last_at = own.last_at.max(row.last_at);
                own.times += row.times;
            })
            .or_insert(row);
    }
    rows.into_values().collect()
}

/// Which app it is, given those that have authenticated at its address.
fn app_of(asker: &Asker, here: &[&str], directory: &Snapshot) -> String {
    if let Some(claim) = asker.claim.as_ref().filter(|claim| directory.client(claim).is_some()) {
        return claim.clone();
    }
    match here {
        [only] => (*only).to_owned(),
        // Two that share an address cannot be told apart.
        _ => String::new(),
    }
}
