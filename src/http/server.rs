//! Listens, and stops gracefully.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum_server::Handle;
use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Limits, ListenAddress};

use super::first_bytes::FirstBytes;
use super::tls::Certificate;
pub use super::tls::CertificateError;

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1_024;

/// Sockets that listen, before anything is answered.
#[derive(Debug)]
pub struct Server {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    certificate: Option<Certificate>,
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
        Ok(Self { sockets, addresses, certificate, limits: config.limits.clone() })
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
    pub async fn serve(self, router: Router, stop: CancellationToken) -> Result<(), ServerError> {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let tls = self.certificate.as_ref().map(Certificate::config);
        let mut tasks = JoinSet::new();
        let mut handles = Vec::new();
        for socket in self.sockets {
            let handle = Handle::new();
            handles.push(handle.clone());
            tasks.spawn(listen(socket, tls.clone(), service.clone(), handle, self.limits.clone()));
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
        let running: usize = handles.iter().map(Handle::connection_count).sum();
        tracing::info!(connections = running, "stopping: no new connections, running requests finish");
        for handle in &handles {
            handle.graceful_shutdown(Some(self.limits.graceful_stop));
        }
        while let Some(ended) = tasks.join_next().await {
            outcome = outcome.and(flatten(Some(ended)));
        }
        outcome
    }
}

/// Cancels `stop` at the first SIGINT or SIGTERM. Ends with `stop`.
///
/// # Errors
/// The system does not let us hear signals.
pub fn stop_on_signals(stop: &CancellationToken) -> io::Result<()> {
    let stop = stop.clone();
    // Both are listened for before this returns: until then a signal ends the process at once.
    #[cfg(unix)]
    let (mut terminate, mut interrupt) = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    #[expect(clippy::disallowed_methods, reason = "ends with the token, like everything of the server")]
    tokio::spawn(async move {
        #[cfg(unix)]
        let (terminated, interrupted) = (terminate.recv(), interrupt.recv());
        #[cfg(not(unix))]
        let (terminated, interrupted) = (std::future::pending::<Option<()>>(), tokio::signal::ctrl_c());
        tokio::select! {
            () = stop.cancelled() => {}
            _ = terminated => tracing::info!(signal = "SIGTERM", "asked to stop"),
            _ = interrupted => tracing::info!(signal = "SIGINT", "asked to stop"),
        }
        stop.cancel();
    });
    Ok(())
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

type Service = IntoMakeServiceWithConnectInfo<Router, SocketAddr>;

async fn listen(
    socket: TcpListener,
    tls: Option<RustlsConfig>,
    service: Service,
    handle: Handle<SocketAddr>,
    limits: Limits,
) -> io::Result<()> {
    let mut server = axum_server::Server::<SocketAddr>::from_listener(socket).handle(handle);
    restrain(&mut server, &limits);
    match tls {
        Some(config) => {
            let tls = RustlsAcceptor::new(config).handshake_timeout(limits.header_timeout).acceptor(NoDelayAcceptor);
            server.acceptor(FirstBytes::new(tls, limits.header_timeout)).serve(service).await
        }
        // Without TLS only HTTP/1.1: browsers and proxies speak nothing else there.
        None => server.acceptor(NoDelayAcceptor).http1_only().serve(service).await,
    }
}

/// Limits on what a connection may cost (RFC 9113 §10.5).
fn restrain<A>(server: &mut axum_server::Server<SocketAddr, A>, limits: &Limits)
where
    A: Accept<tokio::net::TcpStream, Router>,
{
    let builder = server.http_builder();
    // hyper takes no less.
    let header_bytes = limits.header_bytes.max(8_192);
    builder
        .http1()
        .timer(TokioTimer::new())
        // Also ends connections that stay idle between requests.
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(header_bytes as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(header_bytes)
        // Rapid reset, by either side (CVE-2023-44487, CVE-2025-8671).
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(1 << 20)
        .max_send_buf_size(1 << 16)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(limits.header_timeout);
}

fn flatten(ended: Option<Result<io::Result<()>, tokio::task::JoinError>>) -> Result<(), ServerError> {
    match ended {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(ServerError::Ended(error)),
        Some(Err(error)) => Err(ServerError::Ended(io::Error::other(error))),
    }
}
