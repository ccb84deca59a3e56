//! An API that listens to what is revoked.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use serde_json::Value;
use tokio::time::timeout;

/// Long after an event must have come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream of events.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The status of the answer.
    pub(crate) status: u16,
    content_type: String,
    body: Body,
    read: String,
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// Its id.
    pub(crate) id: String,
    /// Its kind.
    pub(crate) event: String,
    /// What it says.
    pub(crate) data: Value,
}

impl Stream {
    pub(super) fn of(response: Response) -> Self {
        let content_type = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        Self {
            status: response.status().as_u16(),
            content_type: content_type.unwrap_or_default(),
            body: response.into_body(),
            read: String::new(),
        }
    }

    /// The next event; `None` when the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        assert_eq!((self.status, self.content_type.as_str()), (200, "text/event-stream"));
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                if let Some(event) = field("event") {
                    let data = serde_json::from_str(field("data").unwrap()).unwrap();
                    return Some(Event { id: field("id").unwrap().to_owned(), event: event.to_owned(), data });
                }
            }
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
            let frame = timeout(PATIENCE, frame).await.expect("an event comes in time")?;
            self.read.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }

    /// The next event, which is there.
    pub(crate) async fn event(&mut self, kind: &str) -> Event {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.event, kind, "{event:?}");
        event
    }
}
