//! `/revocations/stream`: what is revoked, told at once (server-sent events, HTML Standard §9.2). It only hurries what the status
//! lists say anyway.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body::Frame;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{interval_at, sleep, timeout};

use super::bearer_of;
use crate::app::App;
use crate::domain::rate_limit::TooSoon;
use crate::domain::status;
use crate::domain::time::Timestamp;
use crate::http::doors::Doors;
use crate::http::layers::Visit;
use crate::http::reply::bearer::BearerRefusal;
use crate::oauth::audience::REVOCATIONS_SCOPE;
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::revocation_stream::{self, Listener};
use crate::tokens::listeners::Seat;
use crate::tokens::status_lists::{News, Since};

/// How often a listener hears that all is well.
const ALIVE: Duration = Duration::from_secs(15);
/// So long that a connection which lives from what it is sent is seen to live, and that no proxy keeps it back.
const ALIVE_BYTES: usize = 1_100;
/// How long a listener may leave what was written unread.
const PATIENCE: Duration = Duration::from_secs(10);
/// Places of one event; more are told in several.
const AT_ONCE: usize = 1_000;

/// When one who has too many streams may try again, in seconds.
const TOO_MANY_AGAIN: u64 = 30;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Opens a stream.
pub async fn get(State(doors): State<Doors>, visit: Visit, headers: HeaderMap) -> Response {
    match open(&doors, &visit, &headers).await {
        Ok(body) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                // nginx would gather the events otherwise.
                (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
            ];
            (StatusCode::OK, headers, Body::new(body)).into_response()
        }
        Err(None) => BearerRefusal::NoToken.into_response(),
        Err(Some(error)) if error.code() == ErrorCode::InsufficientScope => {
            BearerRefusal::InsufficientScope(REVOCATIONS_SCOPE).into_response()
        }
        Err(Some(error)) => BearerRefusal::from(error).into_response(),
    }
}

async fn open(doors: &Doors, visit: &Visit, headers: &HeaderMap) -> Result<Events, Option<OAuthError>> {
    let app = doors.app();
    let now = app.clock.now();
    let permit = doors.limits().enter(visit, now)?;
    let token = bearer_of(headers)?.ok_or(None)?;
    let listener = revocation_stream::enter(&token, doors.provider(), now).await?;
    doors.limits().give_back(permit, now);
    let of_one = app.config().limits.streams_per_client;
    let seat = app.status_lists.listeners().enter(&listener.client, of_one as usize);
    let seat = seat.ok_or_else(|| {
        OAuthError::too_many_requests("too many streams are open", TooSoon { retry_after: TOO_MANY_AGAIN })
    })?;
    let heard = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let (sender, events) = mpsc::channel(16);
    let teller = Teller { app: app.clone(), issuer: doors.provider().issuer_id().to_owned(), sender, _seat: seat };
    #[expect(clippy::disallowed_methods, reason = "ends when the listener goes, its token ends or the house closes")]
    tokio::spawn(teller.tell(listener, heard.map(Timestamp::from_seconds)));
    Ok(Events(events))
}

/// The body of the answer.
#[derive(Debug)]
struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Whoever listened has gone, or reads nothing.
#[derive(Debug)]
struct Gone;

#[derive(Debug)]
struct Teller {
    app: Arc<App>,
    issuer: String,
    sender: mpsc::Sender<Bytes>,
    _seat: Seat,
}

impl Teller {
    async fn tell(self, listener: Listener, heard: Option<Timestamp>) {
        tracing::debug!(client = %listener.client, resumed = heard.is_some(), "a listener for revocations came");
        let ended = tokio::select! {
            () = self.app.stopping.cancelled() => Ok(()),
            ended = self.go_on(&listener, heard) => ended,
        };
        tracing::debug!(client = %listener.client, gone = ended.is_err(), "a stream of revocations ended");
    }

    async fn go_on(&self, listener: &Listener, heard: Option<Timestamp>) -> Result<(), Gone> {
        // Before the past is read, so that nothing falls between.
        let mut news = self.app.status_lists.listen();
        self.catch_up(heard).await?;
        let pause = ALIVE.min(self.app.config().limits.idle_timeout / 2);
        let mut alive = interval_at(tokio::time::Instant::now() + pause, pause);
        let left = Duration::from_secs(listener.until.seconds_since(self.app.clock.now()));
        let end = sleep(left);
        tokio::pin!(end);
        loop {
            if !listener.may_go_on(&self.app.provider, self.app.clock.now()) {
                return Ok(());
            }
            tokio::select! {
                () = &mut end => return Ok(()),
                _ = alive.tick() => self.send(format!(": alive{}\n\n", " ".repeat(ALIVE_BYTES))).await?,
                heard = news.recv() => match heard {
                    Ok(told) => self.event(&told, self.app.clock.now()).await?,
                    Err(RecvError::Lagged(_)) => self.reset(self.app.clock.now()).await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
            }
        }
    }

    /// Tells what a listener missed; or that it missed too much, or all.
    async fn catch_up(&self, heard: Option<Timestamp>) -> Result<(), Gone> {
        let now = self.app.clock.now();
        let mut since = heard;
        let missed = match heard {
            Some(heard) => self.app.status_lists.since(self.app.status_sources(), heard, now).await,
            None => Ok(Since::TooLongAgo),
        };
        match missed {
            Ok(Since::These(news)) => {
                // Until all is told, whoever is cut off comes back with what was heard before.
                for told in news {
                    self.event(&told, heard.unwrap_or(now)).await?;
                }
            }
            missed => {
                if let Err(error) = missed {
                    tracing::warn!(%error, "what a listener missed could not be read");
                }
                since = None;
                self.reset(now).await?;
            }
        }
        for kid in self.app.status_lists.denied(self.app.status_sources(), since, now) {
            self.event(&News::KidDenied(kid), now).await?;
        }
        Ok(())
    }

    /// Has the lists fetched anew, and tells what was ended so lately that they may not say it yet.
    async fn reset(&self, now: Timestamp) -> Result<(), Gone> {
        self.event(&News::Reset, now).await?;
        if let Ok(Since::These(news)) = self.app.status_lists.since(self.app.status_sources(), now, now).await {
            for told in news {
                self.event(&told, now).await?;
            }
        }
        Ok(())
    }

    async fn event(&self, news: &News, at: Timestamp) -> Result<(), Gone> {
        match news {
            News::Revoked { list, set } => {
                for set in set.chunks(AT_ONCE) {
                    let list = status::list_uri(&self.issuer, *list);
                    self.write("revoked", &json!({ "list": list, "set": set }), at).await?;
                }
                Ok(())
            }
            News::KidDenied(kid) => self.write("kid-denied", &json!({ "kid": kid }), at).await,
            News::Reset => self.write("reset", &json!({}), at).await,
        }
    }

    /// The id is a moment: whoever comes back with it is told what was ended since, with a margin.
    async fn write(&self, event: &str, data: &serde_json::Value, at: Timestamp) -> Result<(), Gone> {
        let id = at.as_seconds();
        self.send(format!("id: {id}\nevent: {event}\ndata: {data}\n\n")).await
    }

    async fn send(&self, text: String) -> Result<(), Gone> {
        match timeout(PATIENCE, self.sender.send(Bytes::from(text))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }
}
