//! What is left of the pool when the database's host goes silent in the middle of statements, and another takes its place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::testing::{TestStore, all_at_once};
use super::{OpenOptions, Store, StoreError, changes, on};

const CONNECTIONS: u32 = 3;

/// Stands between a store and PostgreSQL. Connections made before a silence never hear anything again.
struct Host {
    address: SocketAddr,
    silence: watch::Sender<u32>,
    _tasks: JoinSet<()>,
}

impl Host {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (silence, silenced) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut pairs = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                pairs.spawn(carry(client, server.clone(), silenced.clone()));
            }
        });
        Self { address, silence, _tasks: tasks }
    }

    fn goes_silent(&self) {
        self.silence.send_modify(|times| *times += 1);
    }
}

async fn carry(mut client: TcpStream, server: String, mut silenced: watch::Receiver<u32>) {
    silenced.mark_unchanged();
    let mut server = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        _ = silenced.changed() => {}
    }
    // Both ends stay open, as they do when a host has lost its power.
    std::future::pending::<()>().await;
}

/// The store again, behind a host that can go silent; `None` on SQLite, which has no host.
async fn behind_a_host(store: &TestStore) -> Option<(Store, Host)> {
    let url = url::Url::parse(store.url()).unwrap();
    if url.scheme() == "sqlite" {
        return None;
    }
    let host = Host::before(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))).await;
    let mut changed = url;
    changed.set_host(Some("127.0.0.1")).unwrap();
    changed.set_port(Some(host.address.port())).unwrap();
    let options = OpenOptions { url: changed.into(), max_connections: CONNECTIONS, migrate: false };
    Some((Store::open(&options).await.unwrap(), host))
}

async fn read(store: &Store) -> Result<changes::Counters, StoreError> {
    changes::read(&mut store.read().await?).await
}

async fn write(store: &Store) -> Result<(), StoreError> {
    store
        .write(async |tx| on!(tx, |db| sqlx::query("UPDATE changes SET counter = counter").execute(db).await.map(drop)))
        .await
}

/// Until it works. A connection that is dead and nobody has noticed yet costs the request that gets it its wait, and no other.
async fn sooner_or_later<T>(mut act: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let mut tries = 0;
    loop {
        match act().await {
            Ok(value) => return value,
            Err(StoreError::Busy) if tries < 2 * CONNECTIONS => tries += 1,
            Err(error) => panic!("{error:?} after {tries} tries"),
        }
    }
}

/// Until every connection is open and none is on its way back to the pool.
async fn all_at_rest(store: &Store) {
    let super::Backend::Postgres { pool } = store.backend.as_ref() else { return };
    store.open_all().await.unwrap();
    while pool.num_idle() < CONNECTIONS as usize {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_lost_host_are_given_up_with_the_request_that_waited() {
    let test = TestStore::open().await;
    let (store, host) = behind_a_host(&test).await.unzip();
    let store = Arc::new(store.unwrap_or_else(|| Store::clone(&test)));
    for write_too in [false, true] {
        all_at_rest(&store).await;
        if let Some(host) = &host {
            host.goes_silent();
        }
        // Requests give up after a while and are dropped, whatever they had under way.
        all_at_once((0..CONNECTIONS).map(|_| {
            let store = store.clone();
            async move {
                let patience = Duration::from_millis(500);
                if write_too {
                    drop(timeout(patience, write(&store)).await);
                } else {
                    drop(timeout(patience, read(&store)).await);
                }
            }
        }))
        .await;
        sooner_or_later(async || read(&store).await).await;
        sooner_or_later(async || write(&store).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_whose_host_goes_silent_as_they_go_back_leave_their_places_free() {
    let test = TestStore::open().await;
    let (store, host) = behind_a_host(&test).await.unzip();
    let store = store.unwrap_or_else(|| Store::clone(&test));
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut db = store.read().await.unwrap();
        changes::read(&mut db).await.unwrap();
        held.push(db);
    }
    if let Some(host) = &host {
        host.goes_silent();
    }
    drop(held);
    sooner_or_later(async || read(&store).await).await;
    sooner_or_later(async || write(&store).await).await;
}
