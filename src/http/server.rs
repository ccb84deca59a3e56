//! Listens, and stops gracefully.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Limits, ListenAddress};

use super::connection::Manners;
use super::entrance::Entrance;
use super::open_files;
use super::places::{Places, Said};
use super::tls::Certificate;
pub use super::tls::CertificateError;

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1_024;
/// How long to wait when the system gives no more connections, so that others may end.
const BREATH: Duration = Duration::from_millis(200);

/// Sockets that listen, before anything is answered.
#[derive(Debug)]
pub struct Server {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    certificate: Option<Certificate>,
    places: Arc<Places>,
    limits: Limits,
}

/// The server cannot listen, or no longer.
#[derive(Debug)]
pub enum ServerError {
    /// An address cannot be had.
    Listen(ListenAddress, io::Error),
    /// The certificate cannot be used.
    Certificate(CertificateError),
    /// A listener has ended by itself.
    Ended(io::Error),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{address} is in use by another program: stop it, or choose another port in server.listen")
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Certificate(error) => write!(f, "cannot use the certificate: {error}"),
            Self::Ended(error) => write!(f, "a listener has ended: {error}"),
        }
    }
}

impl std::error::Error for ServerError {}

impl Server {
    /// Binds every address of `server.listen` and reads the certificate, if there is one. Must be called within the
    /// runtime.
    ///
    /// # Errors
    /// The first address or file that cannot be used.
    pub fn bind(config: &Config) -> Result<Self, ServerError> {
        let certificate = config
            .server
            .tls
            .files()
            .map(|(certificate, key)| Certificate::load(certificate, key))
            .transpose()
            .map_err(ServerError::Certificate)?;
        let mut sockets = Vec::new();
        for address in &config.server.listen.0 {
            sockets.append(&mut bind(address).map_err(|error| ServerError::Listen(*address, error))?);
        }
        let addresses =
            sockets.iter().map(TcpListener::local_addr).collect::<Result<_, _>>().map_err(ServerError::Ended)?;
        let limits = config.limits.clone();
        let connections = open_files::make_room(limits.connections, config.database.max_connections);
        let proxies = config.server.trusted_proxies.clone();
        let places = Arc::new(Places::new(connections, limits.connections_per_network, proxies));
        Ok(Self { sockets, addresses, certificate, places, limits })
    }

    /// Where it listens; ports that were asked for as 0 are known now.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Answers until `stop`, then takes no more connections, lets running requests finish for `limits.graceful_stop`, and
    /// returns.
    ///
    /// # Errors
    /// A listener that ended by itself; the others are stopped then.
    pub async fn serve(self, entrance: impl Into<Entrance>, stop: CancellationToken) -> Result<(), ServerError> {
        // A child, so that a listener that ends stops its neighbours and nothing else.
        let stop = stop.child_token();
        let house = Arc::new(House {
            graceful_stop: self.limits.graceful_stop,
            manners: Manners::new(self.certificate.as_ref().map(Certificate::config), self.limits),
            places: self.places,
            entrance: entrance.into(),
            stop: stop.clone(),
        });
        let mut tasks = JoinSet::new();
        for socket in self.sockets {
            tasks.spawn(Arc::clone(&house).listen(socket));
        }
        let mut watcher = JoinSet::new();
        if let Some(certificate) = self.certificate {
            watcher.spawn(certificate.watch(stop.clone()));
        }
        let mut outcome = Ok(());
        tokio::select! {
            () = stop.cancelled() => {}
            ended = tasks.join_next() => outcome = flatten(ended),
        }
        tracing::info!(connections = house.places.taken(), "stopping: no new connections, running requests finish");
        stop.cancel();
        while let Some(ended) = tasks.join_next().await {
            outcome = outcome.and(flatten(Some(ended)));
        }
        outcome
    }
}

/// Cancels `stop` at the first SIGINT or SIGTERM. At the second the process ends at once, with exit code 1: whoever asks twice
/// does not want to wait. What was acknowledged is durable anyway.
///
/// # Errors
/// The system does not let us hear signals.
pub fn stop_on_signals(stop: &CancellationToken) -> io::Result<()> {
    let (stop, mut signals) = (stop.clone(), Signals::listen()?);
    #[expect(clippy::disallowed_methods, reason = "lives as long as the runtime, to hear the second signal")]
    tokio::spawn(async move {
        let signal = signals.next().await;
        tracing::info!(signal, "asked to stop");
        stop.cancel();
        let signal = signals.next().await;
        tracing::warn!(signal, "asked again to stop, ending at once");
        std::process::exit(1);
    });
    Ok(())
}

/// The signals that ask to stop. From the moment they are listened to, none of them ends the process by itself.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> &'static str {
        self.0.recv().await;
        "Ctrl-C"
    }
}

/// All sockets of one address, on one port.
fn bind(address: &ListenAddress) -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    let mut port = None;
    for mut socket in address.sockets() {
        if let Some(port) = port {
            socket.set_port(port);
        }
        match bind_one(socket) {
            Ok(listener) => {
                port = Some(listener.local_addr()?.port());
                sockets.push(listener);
            }
            // A second address may be missing on this machine, but nobody else may sit on it: browsers would try it first.
            Err(error) if port.is_some() && error.kind() != io::ErrorKind::AddrInUse => {
                tracing::debug!(%socket, %error, "not listening on this address");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets a new process take the port while old connections still linger; elsewhere the word means something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What all listeners of a server share.
struct House {
    graceful_stop: Duration,
    manners: Manners,
    places: Arc<Places>,
    entrance: Entrance,
    stop: CancellationToken,
}

impl House {
    /// Takes connections until the stop, then waits for the last of them.
    async fn listen(self: Arc<Self>, socket: TcpListener) {
        let (mut connections, mut said) = (JoinSet::new(), Said::default());
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                // Only so that those that have ended are forgotten. What a connection dies of concerns nobody else.
                Some(_) = connections.join_next() => {}
                accepted = socket.accept() => match accepted {
                    Ok((tcp, peer)) => self.admit(tcp, peer, &mut connections).await,
                    // Gone again while it waited.
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        if said.is_due() {
                            tracing::error!(%error, "no new connections can be taken for a moment");
                        }
                        tokio::time::sleep(BREATH).await;
                    }
                },
            }
        }
        // Who comes now is refused rather than left waiting.
        drop(socket);
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.graceful_stop, all).await.is_err() {
            connections.shutdown().await;
        }
    }

    async fn admit(self: &Arc<Self>, tcp: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let entering = self.stop.run_until_cancelled(self.places.enter(peer.ip())).await;
        let Some(Some(place)) = entering else { return };
        // Each its own, so that they do not all look at one lock.
        let (house, stop) = (Arc::clone(self), self.stop.child_token());
        connections.spawn(async move {
            house.manners.serve(tcp, peer, house.entrance.clone(), stop).await;
            drop(place);
        });
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn flatten(ended: Option<Result<(), JoinError>>) -> Result<(), ServerError> {
    ended.transpose().map(Option::unwrap_or_default).map_err(|error| ServerError::Ended(io::Error::other(error)))
}
