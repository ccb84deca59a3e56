//! Bare operations, measured beside the server: what the machine gives at this moment.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use argon2::{Algorithm as Argon2Kind, Argon2, Block, Params, Version};
use rustix::time::{ClockId, clock_gettime};

use crate::model::{Algorithm, Signatures};
use crate::{Result, failure};

/// Cost of a bare operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bare {
    /// CPU time of one, in µs.
    pub(crate) micros: f64,
    /// How many a second, with the threads that were used.
    pub(crate) rate: f64,
}

/// Bare signatures over a text as long as a token's, in a tight loop on this thread.
pub(crate) fn signatures(keys: &Signatures, algorithm: Algorithm, during: Duration) -> Result<Bare> {
    // Header and claims of an access token of a client's own, as base64url.
    let token = "e".repeat(420);
    let (began, cpu) = (Instant::now(), thread_cpu());
    let mut count = 0_u32;
    while began.elapsed() < during {
        let mut text = String::with_capacity(800);
        text.push_str(&token);
        keys.sign(algorithm, &mut text)?;
        std::hint::black_box(&text);
        count += 1;
    }
    let count = f64::from(count);
    Ok(Bare { micros: (thread_cpu() - cpu).as_secs_f64() * 1e6 / count, rate: count / began.elapsed().as_secs_f64() })
}

/// Bare Argon2id hashes with memory that is used again, on as many threads as there are cores.
pub(crate) fn hashes(each: u32) -> Result<Bare> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let running: Vec<_> = (0..threads)
        .map(|_| {
            std::thread::spawn(move || {
                let params = Params::new(19_456, 2, 1, None).ok()?;
                let mut memory = vec![Block::default(); params.block_count()];
                let argon2 = Argon2::new(Argon2Kind::Argon2id, Version::V0x13, params);
                let cpu = thread_cpu();
                for _ in 0..each {
                    let mut out = [0; 32];
                    argon2
                        .hash_password_into_with_memory(b"correct horse battery", &[7; 16], &mut out, &mut memory)
                        .ok()?;
                    std::hint::black_box(out);
                }
                Some(thread_cpu() - cpu)
            })
        })
        .collect();
    let mut cpu = Duration::ZERO;
    for thread in running {
        cpu += thread.join().ok().flatten().ok_or_else(|| failure("a bare hash failed"))?;
    }
    let count = f64::from(each) * f64::from(u32::try_from(threads)?);
    Ok(Bare { micros: cpu.as_secs_f64() * 1e6 / count, rate: count / began.elapsed().as_secs_f64() })
}

/// `fdatasync` of 4 KiB: the median and the 99th percentile.
pub(crate) fn sync(folder: &Path, times: usize) -> Result<(Duration, Duration)> {
    let path = folder.join("fdatasync-probe");
    let mut file = File::create(&path)?;
    let page = [7; 4096];
    // A file whose size does not change, so that only the data are synced.
    file.write_all(&page)?;
    file.sync_all()?;
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page)?;
        let began = Instant::now();
        file.sync_data()?;
        took.push(began.elapsed());
    }
    std::fs::remove_file(&path)?;
    took.sort_unstable();
    let at = |share: usize| took.get((times * share / 100).min(times.saturating_sub(1))).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}
