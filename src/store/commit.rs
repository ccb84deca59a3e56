//! The writer: commit batching on SQLite, plain transactions on PostgreSQL.
//!
//! One thread owns SQLite's writing connection and alone says BEGIN, SAVEPOINT, ROLLBACK TO and COMMIT. Units run in the order
//! they come, each in a savepoint; when no one waits any more the batch is committed with one sync, and only then everybody is
//! answered, refusals too, since an answer may rest on what a neighbour wrote. No request owns a unit, so a request that is
//! dropped leaves nothing open and blocks nobody.
//!
//! The thread pins itself to one core before it connects, so that sqlx's own thread for the connection inherits the core: the
//! hand-over between two cores costs more than the statements.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::{Connection, Db, StoreError, Tx};

/// How long one unit may hold the writer. Long enough for a machine that is so busy that a thread of ours stands still for a while:
/// what waits for anything but its own statements is refused at once, whatever this says.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(1);
/// The same for acts by hand. A server that runs beside them waits for as long as [`LONGEST_WAIT`].
pub(super) const LONGEST_HOLD_BY_HAND: Duration = Duration::from_secs(4);
/// How long a unit may wait for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// When a batch is closed although others wait.
const OLDEST_BATCH: Duration = Duration::from_millis(5);
const LARGEST_BATCH: usize = 256;
const QUEUE: usize = 4096;

/// The way to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    stop: tokio_util::sync::CancellationToken,
}

impl Writer {
    /// Starts the thread and waits until it is connected.
    pub(super) async fn start(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let (queue, units) = mpsc::channel(QUEUE);
        let (ready, connected) = oneshot::channel();
        let stop = tokio_util::sync::CancellationToken::new();
        let stopping = stop.clone();
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                pin_to_this_core();
                match tokio::runtime::Builder::new_current_thread().enable_time().build() {
                    Ok(runtime) => runtime.block_on(own(options, units, ready, stopping)),
                    Err(error) => drop(ready.send(Err(StoreError::Unavailable(error.to_string().into())))),
                }
            })
            .map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        connected.await.map_err(|_| StoreError::Closed)??;
        Ok(Self { queue, thread: Mutex::new(Some(thread)), stop })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, StoreError> + Send + 'static,
        longest_hold: Duration,
    ) -> Result<T, StoreError> {
        let (back, answer) = oneshot::channel();
        let unit = Box::new(Unit { work, asked: Instant::now(), longest_hold, back });
        if self.stop.is_cancelled() {
            return Err(StoreError::Closed);
        }
        match timeout(LONGEST_WAIT, self.queue.send(unit)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(StoreError::Closed),
            Err(_) => return Err(StoreError::Busy),
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes the units that were accepted, then ends the thread.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        let thread = self.thread.lock().ok().and_then(|mut held| held.take());
        if let Some(thread) = thread {
            // The thread ends by itself once the queue is empty; joining it must not hold up the async threads.
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }
}

/// One unit of work in PostgreSQL's own transaction, at its default isolation.
pub(super) async fn write_on_postgres<T>(
    pool: &PgPool,
    work: impl AsyncFnOnce(&mut Tx) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let connection = timeout(LONGEST_WAIT, pool.acquire()).await.map_err(|_| StoreError::Busy)??;
    let mut tx = Tx(Db::lent(connection));
    set_in_unit(&mut tx, true);
    on_postgres(&mut tx, "BEGIN").await?;
    let outcome = guarded(&mut tx, work, LONGEST_WAIT).await;
    // The unit's own error says more than a failed ROLLBACK could.
    let ended = on_postgres(&mut tx, if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
    if ended.is_ok() {
        set_in_unit(&mut tx, false);
    }
    outcome.and_then(|value| ended.map(|()| value))
}

fn set_in_unit(tx: &mut Tx, in_unit: bool) {
    if let Connection::Postgres(lent) = &mut tx.0.connection {
        lent.in_unit = in_unit;
    }
}

/// A control statement on PostgreSQL, for which nobody waits longer than for a turn.
async fn on_postgres(tx: &mut Tx, text: &'static str) -> Result<(), StoreError> {
    let Connection::Postgres(lent) = &mut tx.0.connection else { return Err(StoreError::Closed) };
    timeout(LONGEST_WAIT, sqlx::raw_sql(text).execute(lent.connection()?))
        .await
        .map_err(|_| StoreError::Unavailable(format!("no answer to {text}").into()))??;
    Ok(())
}

/// Tells one requester how the batch ended.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A unit in the queue, whatever its result's type.
trait Job: Send {
    /// Whether someone still waits for it, and it did not wait too long itself; else it answers and is gone.
    fn still_wanted(self: Box<Self>) -> Option<Box<dyn Job>>;
    /// Answers without having run.
    fn refuse(self: Box<Self>, error: StoreError);
    /// Runs it. True: keep what it wrote.
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> Pin<Box<dyn Future<Output = (bool, Answer)> + 't>>;
}

struct Unit<W, T> {
    work: W,
    asked: Instant,
    longest_hold: Duration,
    back: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Unit<W, T>
where
    T: Send + 'static,
    W: AsyncFnOnce(&mut Tx) -> Result<T, StoreError> + Send + 'static,
{
    fn still_wanted(self: Box<Self>) -> Option<Box<dyn Job>> {
        if self.back.is_closed() {
            return None;
        }
        if self.asked.elapsed() > LONGEST_WAIT {
            self.refuse(StoreError::Busy);
            return None;
        }
        Some(self)
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        drop(self.back.send(Err(error)));
    }

    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> Pin<Box<dyn Future<Output = (bool, Answer)> + 't>> {
        let Self { work, longest_hold, back, .. } = *self;
        Box::pin(async move {
            let outcome = guarded(tx, work, longest_hold).await;
            let keep = outcome.is_ok();
            let answer: Answer = Box::new(move |ended| drop(back.send(ended.and(outcome))));
            (keep, answer)
        })
    }
}

/// Runs a unit under its limits: it may wait only for its own statements, and not for long; a panic and an ignored failure are
/// failures.
async fn guarded<T>(
    tx: &mut Tx,
    work: impl AsyncFnOnce(&mut Tx) -> Result<T, StoreError>,
    longest: Duration,
) -> Result<T, StoreError> {
    tx.failed = false;
    tx.in_statement.store(false, Ordering::Relaxed);
    let in_statement = tx.in_statement.clone();
    let outcome = {
        let mut work = pin!(work(&mut *tx));
        let watched = std::future::poll_fn(|context| {
            match std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
                Ok(Poll::Pending) if !in_statement.load(Ordering::Relaxed) => {
                    Poll::Ready(Err(StoreError::WaitedElsewhere))
                }
                Ok(polled) => polled,
                Err(_) => Poll::Ready(Err(StoreError::Panicked)),
            }
        });
        timeout(longest, watched).await.unwrap_or(Err(StoreError::HeldTooLong))
    };
    if tx.failed { outcome.and(Err(StoreError::IgnoredFailure)) } else { outcome }
}

/// The life of the writer thread.
async fn own(
    options: SqliteConnectOptions,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    ready: oneshot::Sender<Result<(), StoreError>>,
    stop: tokio_util::sync::CancellationToken,
) {
    let mut tx = match connect(&options).await {
        Ok(tx) => {
            drop(ready.send(Ok(())));
            tx
        }
        Err(error) => return drop(ready.send(Err(error))),
    };
    loop {
        let job = tokio::select! {
            biased;
            job = queue.recv() => job,
            () = stop.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        let Some(first) = job else { break };
        let Some(first) = first.still_wanted() else { continue };
        if !batch(&mut tx, first, &mut queue).await {
            let Some(replaced) = reconnect(tx, &options, &mut queue, &stop).await else { return };
            tx = replaced;
        }
    }
    if let Connection::Sqlite(connection) = tx.0.connection {
        drop(connection.close().await);
    }
}

/// Runs units until no one waits, commits, answers all. False: the connection can no longer be trusted.
async fn batch(tx: &mut Tx, first: Box<dyn Job>, queue: &mut mpsc::Receiver<Box<dyn Job>>) -> bool {
    if let Err(error) = control(tx, "BEGIN IMMEDIATE; SAVEPOINT unit").await {
        first.refuse(error);
        return control(tx, "ROLLBACK").await.is_ok() || is_outside_transaction(tx).await;
    }
    let opened = Instant::now();
    let mut job = first;
    let mut answers = Vec::new();
    let ended = loop {
        let (keep, answer) = job.run(tx).await;
        answers.push(answer);
        let (between, end) = if keep {
            ("RELEASE unit; SAVEPOINT unit", "COMMIT")
        } else {
            ("ROLLBACK TO unit", "ROLLBACK TO unit; COMMIT")
        };
        let room = answers.len() < LARGEST_BATCH && opened.elapsed() < OLDEST_BATCH;
        let Some(following) = room.then(|| next(queue)).flatten() else { break control(tx, end).await };
        if let Err(error) = control(tx, between).await {
            following.refuse(StoreError::Busy);
            break Err(error);
        }
        job = following;
    };
    let good = ended.is_ok();
    if let Err(error) = &ended {
        tracing::error!(units = answers.len(), %error, "a batch could not be committed");
    }
    for answer in answers {
        answer(ended.clone());
    }
    good
}

fn next(queue: &mut mpsc::Receiver<Box<dyn Job>>) -> Option<Box<dyn Job>> {
    loop {
        let job = queue.try_recv().ok()?;
        if let Some(wanted) = job.still_wanted() {
            return Some(wanted);
        }
    }
}

async fn control(tx: &mut Tx, text: &'static str) -> Result<(), StoreError> {
    let Connection::Sqlite(connection) = &mut tx.0.connection else { return Err(StoreError::Closed) };
    sqlx::raw_sql(text).execute(connection).await?;
    Ok(())
}

/// Whether the connection is idle: a BEGIN that never began leaves nothing to roll back.
async fn is_outside_transaction(tx: &mut Tx) -> bool {
    control(tx, "BEGIN; ROLLBACK").await.is_ok()
}

async fn connect(options: &SqliteConnectOptions) -> Result<Tx, StoreError> {
    Ok(Tx(Db::over(Connection::Sqlite(options.connect().await?))))
}

/// Replaces a connection whose state is not known. Whoever asks meanwhile is told to come back. `None`: it could not be replaced
/// before the stop.
async fn reconnect(
    broken: Tx,
    options: &SqliteConnectOptions,
    queue: &mut mpsc::Receiver<Box<dyn Job>>,
    stop: &tokio_util::sync::CancellationToken,
) -> Option<Tx> {
    if let Connection::Sqlite(connection) = broken.0.connection {
        drop(connection.close_hard().await);
    }
    loop {
        match connect(options).await {
            Ok(tx) => return Some(tx),
            Err(error) => {
                tracing::error!(%error, "the writer cannot connect again");
                while let Some(job) = next(queue) {
                    job.refuse(error.clone());
                }
                stop.run_until_cancelled(sleep(Duration::from_millis(100))).await?;
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn pin_to_this_core() {
    let mut core = rustix::thread::CpuSet::new();
    core.set(rustix::thread::sched_getcpu());
    // Refused in some containers; then it is slower and just as right.
    if let Err(error) = rustix::thread::sched_setaffinity(None, &core) {
        tracing::debug!(%error, "the writer could not be pinned to one core");
    }
}

#[cfg(not(target_os = "linux"))]
fn pin_to_this_core() {}

#[cfg(test)]
mod tests;
