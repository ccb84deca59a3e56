//! Whether a connection gets on.
//!
//! A connection lives from what it achieves: requests that begin, and bytes that the other side takes. Bytes that come in are
//! not enough, and neither are a few that go out. Who asks for something from time to time can still keep a hundred answers that
//! he does not read, so no connection grows old either.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::http::Request;
use axum::response::Response;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};
use tower::Service;

use super::entrance::{Answering, Entrance};

/// How often a connection is looked at within the time it may stand still: it is found at most a quarter too late.
const LOOKS: u32 = 4;
/// Bytes that must go out from one look to the next. At 60 seconds this asks for 68 bytes a second, which every telephone takes.
const ENOUGH: u64 = 1_024;

/// The age at which a connection ends, however well it gets on. A client that still has something to ask opens another.
const LONGEST_LIFE: Duration = Duration::from_secs(60 * 60);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing happens.
    StandsStill,
    /// It is there for too long.
    Old,
}

/// What a connection has achieved so far.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    requests: AtomicU64,
    /// Requests that are not worked on any more.
    done: AtomicU64,
    taken: AtomicU64,
}

impl Pulse {
    /// Returns when the first request has not begun within `first`, when later the connection has stood still for `idle`, or
    /// when it is old.
    pub(super) async fn stops(&self, first: Duration, idle: Duration) -> End {
        let begun = Instant::now();
        sleep(first).await;
        if self.requests.load(Ordering::Relaxed) == 0 {
            return End::StandsStill;
        }
        let (mut seen, mut still) = (self.look(), 0);
        while begun.elapsed() < LONGEST_LIFE {
            sleep(idle / LOOKS).await;
            let now = self.look();
            still = if now.0 != seen.0 || now.1 - seen.1 >= ENOUGH { 0 } else { still + 1 };
            if still == LOOKS {
                return End::StandsStill;
            }
            seen = now;
        }
        End::Old
    }

    /// Whether a request is worked on.
    pub(super) fn is_asked(&self) -> bool {
        self.requests.load(Ordering::Relaxed) != self.done.load(Ordering::Relaxed)
    }

    /// Requests that have begun, and bytes that were taken.
    pub(super) fn look(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.taken.load(Ordering::Relaxed))
    }
}

pin_project! {
    /// A stream that counts the bytes it could give away.
    #[derive(Debug)]
    pub(super) struct Counted<T> {
        #[pin]
        inner: T,
        pulse: Arc<Pulse>,
    }
}

impl<T> Counted<T> {
    pub(super) fn new(inner: T, pulse: Arc<Pulse>) -> Self {
        Self { inner, pulse }
    }
}

impl<T: AsyncRead> AsyncRead for Counted<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_read(context, buffer)
    }
}

impl<T: AsyncWrite> AsyncWrite for Counted<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        counted(this.pulse, this.inner.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        counted(this.pulse, this.inner.poll_write_vectored(context, slices))
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

fn counted(pulse: &Pulse, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    if let Poll::Ready(Ok(bytes)) = written {
        pulse.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    written
}

/// The entrance as one connection sees it: each request beats the pulse and is told who is on the other side.
#[derive(Debug, Clone)]
pub(super) struct Arriving {
    pub(super) entrance: Entrance,
    pub(super) peer: SocketAddr,
    pub(super) pulse: Arc<Pulse>,
}

impl<B> Service<Request<B>> for Arriving
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Asked;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Asked {
        self.pulse.requests.fetch_add(1, Ordering::Relaxed);
        let done = Done(Arc::clone(&self.pulse));
        Asked { answering: self.entrance.call(request, self.peer), done }
    }
}

pin_project! {
    /// A request that is worked on.
    pub(super) struct Asked {
        #[pin]
        answering: Answering,
        done: Done,
    }
}

/// Counts when it goes: with the answer, or when nobody waits for it any more.
struct Done(Arc<Pulse>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Future for Asked {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().answering.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tokio::time::timeout;

    use super::*;

    const FIRST: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);

    /// When it stops, in seconds, if this happens every second.
    async fn stops_after(most: u64, each_second: impl Fn(u64, &Pulse)) -> Option<u64> {
        let (pulse, started) = (Pulse::default(), Instant::now());
        let stops = pulse.stops(FIRST, IDLE);
        let life = async {
            for second in 0.. {
                each_second(second, &pulse);
                sleep(Duration::from_secs(1)).await;
            }
        };
        let ended = async {
            tokio::select! { _ = stops => {}, () = life => {} }
        };
        timeout(Duration::from_secs(most), ended).await.ok()?;
        Some(started.elapsed().as_secs())
    }

    fn asks(pulse: &Pulse) {
        pulse.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn takes(pulse: &Pulse, bytes: u64) {
        pulse.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_must_begin_soon() {
        assert_eq!(stops_after(1_000, |_, _| {}).await, Some(10));
        // A handshake is no request.
        assert_eq!(stops_after(1_000, |_, pulse| takes(pulse, 5_000)).await, Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_stands_still_stops_and_one_that_gets_on_does_not() {
        let young = 3_599;
        assert_eq!(
            stops_after(young, |second, pulse| if second == 0 {
                asks(pulse);
            })
            .await,
            Some(70)
        );
        assert_eq!(
            stops_after(young, |second, pulse| if second % 59 == 0 {
                asks(pulse);
            })
            .await,
            None
        );
        let reads = |each: u64| {
            move |second: u64, pulse: &Pulse| {
                if second == 0 {
                    asks(pulse);
                }
                takes(pulse, each);
            }
        };
        assert_eq!(stops_after(young, reads(100)).await, None, "a slow reader");
        // As many as the answers to a ping each second.
        assert_eq!(stops_after(young, reads(39)).await, Some(70));
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_in_the_middle_is_found_within_a_quarter_more() {
        for last in [10, 11, 17, 24, 25, 26, 33, 599] {
            let stopped = stops_after(100_000, |second, pulse| {
                if second <= last {
                    asks(pulse);
                }
            })
            .await
            .unwrap();
            assert!((60..=76).contains(&(stopped - last)), "{last}: {stopped}");
        }
    }

    /// Its requests may hold answers that nobody reads, and a few pings a second look like a slow reader.
    #[tokio::test(start_paused = true)]
    async fn no_connection_grows_old() {
        let asked = |second: u64, pulse: &Pulse| {
            if second.is_multiple_of(59) {
                asks(pulse);
            }
        };
        let pinged = |second: u64, pulse: &Pulse| {
            if second == 0 {
                asks(pulse);
            }
            takes(pulse, 3 * 39);
        };
        for stopped in [stops_after(86_400, asked).await, stops_after(86_400, pinged).await] {
            assert!(stopped.is_some_and(|stopped| (3_600..=3_615).contains(&stopped)), "{stopped:?}");
        }
    }

    #[tokio::test]
    async fn a_request_is_worked_on_until_its_answer_is_there_or_nobody_wants_it() {
        let pulse = Arc::new(Pulse::default());
        let router = Router::new().route("/", get(async || "there")).route("/never", get(std::future::pending::<()>));
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        let mut arriving = Arriving { entrance: Entrance::from(router), peer, pulse: pulse.clone() };
        let mut ask = |path: &str| arriving.call(Request::get(path).body(Body::empty()).unwrap());
        let answered = ask("/");
        assert!(pulse.is_asked());
        answered.await.unwrap();
        assert!(!pulse.is_asked());
        let given_up = ask("/never");
        assert!(pulse.is_asked());
        drop(given_up);
        assert!(!pulse.is_asked());
    }
}
