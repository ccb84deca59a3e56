//! Work without a request. Every job is idempotent, works in small steps and stops between them.

pub mod follow_changes;
pub mod purge;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;

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
        jobs.tasks.spawn(purge::run(app.clone(), jobs.stop.clone()));
        jobs
    }

    /// Lets the steps under way finish, then ends them.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
