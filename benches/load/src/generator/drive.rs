//! Driving many connections at once, and what that measured.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::Connection;
use super::talk::Talk;
use crate::machine::process::cpu_of;
use crate::{Result, failure};

/// The longest that one case may take on one side.
const LONGEST: Duration = Duration::from_secs(120);

/// What one side did in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Requests per second.
    pub(crate) rate: f64,
    /// CPU time of the server for one request, in µs.
    pub(crate) cpu: f64,
    /// Latency in ms: median and 99th percentile.
    pub(crate) latency: (f64, f64),
}

/// Runs one talk on each of its own connections until they end, and measures the process that answers.
pub(crate) async fn drive(address: SocketAddr, pid: u32, talks: Vec<Box<dyn Talk>>) -> Result<Measured> {
    let mut connections = Vec::with_capacity(talks.len());
    for _ in &talks {
        connections.push(Connection::open(address).await?);
    }
    let times = Rc::new(RefCell::new(Vec::with_capacity(1 << 16)));
    let mut running = JoinSet::new();
    let cpu = cpu_of(pid)?;
    let began = Instant::now();
    for (connection, talk) in connections.into_iter().zip(talks) {
        running.spawn_local(converse(connection, talk, times.clone()));
    }
    let all = async {
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok::<_, crate::Failure>(())
    };
    timeout(LONGEST, all).await.map_err(|_| failure("a case took too long"))??;
    let took = began.elapsed().as_secs_f64();
    let cpu = cpu_of(pid)?.saturating_sub(cpu);
    let mut times = times.take();
    times.sort_unstable();
    let requests = u32::try_from(times.len())?;
    if requests == 0 {
        return Err(failure("a case sent no request"));
    }
    let at = |share: usize| {
        let time = times.get(times.len() * share / 100).copied().unwrap_or_default();
        f64::from(time) / 1e3
    };
    Ok(Measured {
        rate: f64::from(requests) / took,
        cpu: cpu.as_secs_f64() * 1e6 / f64::from(requests),
        latency: (at(50), at(99)),
    })
}

async fn converse(mut connection: Connection, mut talk: Box<dyn Talk>, times: Rc<RefCell<Vec<u32>>>) -> Result<()> {
    let mut request = Vec::with_capacity(2048);
    while talk.next(&mut request) {
        let asked = Instant::now();
        let reply = connection.send(&request).await?;
        let took = asked.elapsed().as_micros();
        talk.heard(&reply)?;
        times.borrow_mut().push(u32::try_from(took).unwrap_or(u32::MAX));
        request.clear();
    }
    Ok(())
}
