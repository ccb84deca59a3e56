//! One connection: how it speaks, what it may cost, and when it is over.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;

use super::entrance::Entrance;
use super::pulse::{Arriving, Counted, End, Pulse};

/// How all connections of a server are spoken with.
pub(super) struct Manners {
    /// `None`: plain text.
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    limits: Limits,
}

impl Manners {
    pub(super) fn new(tls: Option<Arc<ArcSwap<ServerConfig>>>, limits: Limits) -> Self {
        Self { tls, http1: http1(&limits), http2: http2(&limits), limits }
    }

    /// Answers what comes until one side has enough. After `stop` what runs may finish; how long is up to the caller.
    pub(super) async fn serve(&self, tcp: TcpStream, peer: SocketAddr, entrance: Entrance, stop: CancellationToken) {
        // Answers go out when they are whole; if this fails they go out a little later.
        let _ = tcp.set_nodelay(true);
        let pulse = Arc::new(Pulse::default());
        let stream = Counted::new(tcp, Arc::clone(&pulse));
        let service = Arriving { entrance, peer, pulse };
        // Without TLS only HTTP/1.1: browsers and proxies speak nothing else there.
        let Some(tls) = &self.tls else { return self.speak(&self.http1, stream, service, stop).await };
        let acceptor = TlsAcceptor::from(tls.load_full());
        let handshake = timeout(self.limits.header_timeout, acceptor.accept(stream));
        let Some(Ok(Ok(stream))) = stop.run_until_cancelled(handshake).await else { return };
        let builder = if stream.get_ref().1.alpn_protocol() == Some(b"h2") { &self.http2 } else { &self.http1 };
        self.speak(builder, stream, service, stop).await;
    }

    async fn speak<T>(&self, builder: &Builder<TokioExecutor>, stream: T, service: Arriving, stop: CancellationToken)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (limits, pulse) = (&self.limits, Arc::clone(&service.pulse));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
        let end = tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = stop.cancelled() => None,
            end = pulse.stops(limits.header_timeout, limits.idle_timeout) => Some(end),
        };
        // Says over HTTP/2 which requests it will still answer, so that a client can safely ask elsewhere for the rest.
        connection.as_mut().graceful_shutdown();
        // To take leave, not to take all answers. At a stop who still takes something may go on, and who is silent, as a telephone
        // that sleeps, holds nothing up.
        let mut seen = pulse.look();
        while timeout(limits.header_timeout, connection.as_mut()).await.is_err() {
            let now = pulse.look();
            let is_over = match end {
                Some(End::StandsStill) => true,
                Some(End::Old) => !pulse.is_asked(),
                None => !pulse.is_asked() && now == seen,
            };
            if is_over {
                return;
            }
            seen = now;
        }
    }
}

/// Largest head; hyper takes no smaller limit.
fn head(limits: &Limits) -> u32 {
    limits.header_bytes.max(8_192)
}

fn http1(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Also ends connections that stay idle between requests.
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(head(limits) as usize);
    builder.http1_only()
}

/// Limits on what a connection may cost (RFC 9113 §10.5). CONTINUATION frames are bounded by h2 through the size of the head.
fn http2(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(head(limits))
        // Rapid reset, by either side (CVE-2023-44487, CVE-2025-8671).
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        // Bodies are small, and this much one connection may leave unread with us.
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(1 << 18)
        .max_send_buf_size(1 << 16);
    builder.http2_only()
}
