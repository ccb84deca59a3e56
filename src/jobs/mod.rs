//! Work without a request. Every job is idempotent, works in small steps and stops between them.

pub mod clock;
pub mod deliver;
pub mod follow_changes;
pub mod nodes;
pub mod note_sightings;
pub mod orphans;
pub mod purge;
pub mod seal_audit;
pub mod status_lists;
pub mod turn_keys;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;

/// How long a stop waits for the step under way.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// The jobs of a process.
#[derive(Debug)]
pub struct Jobs {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Jobs {
    /// Starts them all.
    #[must_use]
    pub fn start(app: &Arc<App>) -> Self {
        let jobs = Self { tasks: TaskTracker::new(), stop: CancellationToken::new() };
        jobs.tasks.spawn(follow_changes::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(nodes::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(orphans::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(purge::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(note_sightings::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(turn_keys::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(status_lists::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(deliver::run(app.clone(), jobs.stop.clone()));
        jobs.tasks.spawn(seal_audit::run(app.clone(), jobs.stop.clone()));
        jobs
    }

    /// Lets the steps under way finish, unless they take too long: each can be broken off anywhere.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(LONGEST_STEP, self.tasks.wait()).await.is_err() {
            tracing::warn!("a job did not end in time");
        }
    }
}
