//! How many connections the system lets this process have: each is an open file.

/// Files for everything else: the log, what listens, what is read now and then, SQLite.
#[cfg(unix)]
const OTHERS: u64 = 256;

/// Asks the system for as many open files as `connections` need beside those to the `database`, and returns how many connections that makes. Most systems start
/// programs with a soft limit of 1024, which is there for programs of another age, and let them raise it.
#[cfg(unix)]
pub(super) fn make_room(connections: u32, database: u32) -> u32 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let others = OTHERS + u64::from(database);
    let needed = u64::from(connections) + others;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None`: without limit.
    let Some(now) = current.filter(|now| *now < needed) else { return connections };
    let raised = maximum.map_or(needed, |most| most.min(needed));
    let files = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => now,
    };
    let room = connections_within(files, others, connections);
    if room < connections {
        tracing::warn!(
            connections = room,
            open_files = files,
            "fewer connections than limits.connections says: this process may not open as many files (ulimit -n, LimitNOFILE)"
        );
    }
    room
}

#[cfg(not(unix))]
pub(super) fn make_room(connections: u32, _: u32) -> u32 {
    connections
}

/// A few must be possible, however few files there are.
#[cfg(unix)]
fn connections_within(files: u64, others: u64, wanted: u32) -> u32 {
    u32::try_from(files.saturating_sub(others).max(files / 2)).unwrap_or(u32::MAX).clamp(16, wanted.max(16))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_files_are_left() {
        for (files, wanted, room) in
            [(5_000, 4_096, 4_096), (4_352, 4_096, 4_096), (1_024, 4_096, 768), (256, 4_096, 128), (8, 4_096, 16)]
        {
            assert_eq!(connections_within(files, 256, wanted), room, "{files}");
        }
    }

    #[test]
    fn what_is_allowed_already_is_not_asked_for() {
        assert_eq!(make_room(16, 4), 16);
    }
}
