//! Processes that this program starts, what they cost, and their end.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Result, failure};

/// How long a process may take to stop when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that ends with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    words: PathBuf,
}

impl Process {
    /// Starts a command. What it says goes into a file.
    pub(crate) fn start(command: &mut Command, words: &Path) -> Result<Self> {
        let file = std::fs::File::create(words)?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self { child, words: words.to_owned() })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended, with its last words.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let said = std::fs::read_to_string(&self.words).unwrap_or_default();
                let from = said.char_indices().rev().nth(2_000).map_or(0, |(at, _)| at);
                Err(failure(format!("process ended ({status}): {}", said.get(from..).unwrap_or_default())))
            }
        }
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(&mut self, signal: Signal) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, signal)?;
        }
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child.kill()?;
        self.child.wait()?;
        Err(failure("a process did not stop when asked to, and was killed"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.stop(Signal::TERM).is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// User and system time that a process has used, from `/proc/PID/stat`.
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; behind it stand the third field and those that follow.
    let (_, rest) = stat.rsplit_once(')').ok_or_else(|| failure("/proc/PID/stat of another form"))?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|text| text.parse::<u64>().ok());
    let (Some(user), Some(system)) = (ticks(), ticks()) else { return Err(failure("/proc/PID/stat is too short")) };
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_micros((user + system) * 1_000_000 / per_second))
}

/// Memory of a process that is resident, in KiB, from `/proc/PID/smaps_rollup`.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix("kB")?.trim().parse().ok())
        .ok_or_else(|| failure("/proc/PID/smaps_rollup without Rss"))
}

/// A port of loopback that is free now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
