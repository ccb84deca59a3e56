//! Ends connections that say nothing.
//!
//! Until its first bytes have come, nobody knows whether a connection speaks HTTP/1.1 or HTTP/2, and so neither one's time
//! limit runs yet. This limit does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// As long as the first line of HTTP/2; with fewer bytes hyper may still wait for more.
const PREFACE: usize = 24;

/// Wraps an acceptor so that its connections must begin to speak in time.
#[derive(Debug, Clone)]
pub(super) struct FirstBytes<A> {
    inner: A,
    within: Duration,
}

impl<A> FirstBytes<A> {
    pub(super) fn new(inner: A, within: Duration) -> Self {
        Self { inner, within }
    }
}

impl<A: Accept<I, S>, I, S> Accept<I, S> for FirstBytes<A> {
    type Stream = Hurried<A::Stream>;
    type Service = A::Service;
    type Future = Accepting<A::Future>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        Accepting { inner: self.inner.accept(stream, service), within: self.within }
    }
}

pin_project! {
    /// The inner acceptor at work.
    pub(super) struct Accepting<F> {
        #[pin]
        inner: F,
        within: Duration,
    }
}

impl<F: Future<Output = io::Result<(T, S)>>, T, S> Future for Accepting<F> {
    type Output = io::Result<(Hurried<T>, S)>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let within = *this.within;
        this.inner.poll(context).map_ok(|(stream, service)| {
            let waiting = Some(Waiting { missing: PREFACE, limit: Box::pin(sleep(within)) });
            (Hurried { inner: stream, waiting }, service)
        })
    }
}

struct Waiting {
    missing: usize,
    limit: Pin<Box<Sleep>>,
}

pin_project! {
    /// A stream whose first bytes must come in time.
    pub(super) struct Hurried<T> {
        #[pin]
        inner: T,
        waiting: Option<Waiting>,
    }
}

impl<T: AsyncRead> AsyncRead for Hurried<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        let read = this.inner.poll_read(context, buffer);
        if let Some(waiting) = this.waiting {
            waiting.missing = waiting.missing.saturating_sub(buffer.filled().len() - before);
            if waiting.missing == 0 {
                *this.waiting = None;
            } else if read.is_pending() && waiting.limit.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<T: AsyncWrite> AsyncWrite for Hurried<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(context)
    }
}
