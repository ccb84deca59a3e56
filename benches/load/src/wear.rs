//! What the server takes by being there: memory, time to be ready, space on the disk.

use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::machine::process::resident_kib;
use crate::report::median;
use crate::subject::Installation;

/// What was measured of starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Starts {
    /// Milliseconds from process to ready, with an empty folder.
    pub(crate) first: f64,
    /// The same on an existing database.
    pub(crate) again: f64,
    /// MiB resident when ready.
    pub(crate) memory_ready: f64,
    /// MiB resident some seconds later.
    pub(crate) memory_idle: f64,
}

/// Starts the server so many times on empty folders, and again on each; the last one is left alone for a while.
pub(crate) async fn starts(binary: &Path, folder: &Path, times: usize, idle: Duration) -> Result<Starts> {
    let (mut first, mut again) = (Vec::new(), Vec::new());
    let (mut memory_ready, mut memory_idle) = (0.0, 0.0);
    for at in 0..times {
        let installation = Installation::new(binary, &folder.join(format!("start-{at}")), None)?;
        let server = installation.serve()?;
        first.push(server.ready_after.as_secs_f64() * 1e3);
        server.stop()?;
        let server = installation.serve()?;
        again.push(server.ready_after.as_secs_f64() * 1e3);
        if at + 1 == times {
            memory_ready = mebibytes(resident_kib(server.pid())?);
            tokio::time::sleep(idle).await;
            memory_idle = mebibytes(resident_kib(server.pid())?);
        }
        server.stop()?;
    }
    Ok(Starts { first: median(&first), again: median(&again), memory_ready, memory_idle })
}

/// MiB.
pub(crate) fn mebibytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

/// Size of a file in MB.
pub(crate) fn megabytes(binary: &Path) -> Result<f64> {
    Ok(f64::from(u32::try_from(std::fs::metadata(binary)?.len())?) / 1e6)
}
