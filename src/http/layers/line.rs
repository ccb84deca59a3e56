//! The line that each request has in the log.

use std::time::Instant;

use axum::extract::MatchedPath;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tracing::Span;

use super::Visit;
use crate::http::reply::Remark;

/// The line in the log. Neither the path itself nor the query: both may hold secrets.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) visit: Visit,
    method: Method,
    route: Option<Route>,
    voice: Voice,
    pub(super) started: Instant,
    finished: bool,
}

/// The pattern of a path.
#[derive(Debug)]
pub(super) enum Route {
    Matched(MatchedPath),
    /// Without the router.
    Fixed(&'static str),
}

impl From<MatchedPath> for Route {
    fn from(path: MatchedPath) -> Self {
        Self::Matched(path)
    }
}

impl From<&'static str> for Route {
    fn from(path: &'static str) -> Self {
        Self::Fixed(path)
    }
}

/// How a route is logged when all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// A document that everybody fetches all the time.
    Document,
    /// A call by a program.
    Call,
    /// A page, or something an administrator did.
    Page,
}

impl Line {
    pub(super) fn of(method: &Method, route: Option<Route>, visit: Visit, voice: Voice) -> Self {
        Self { visit, method: method.clone(), route, voice, started: Instant::now(), finished: false }
    }

    fn route(&self) -> &str {
        match &self.route {
            Some(Route::Matched(path)) => path.as_str(),
            Some(Route::Fixed(path)) => path,
            None => "(none)",
        }
    }

    /// The span in which the handler runs, so that whatever it logs carries the request's id.
    pub(super) fn span(&self) -> Span {
        if self.voice == Voice::Document {
            tracing::debug_span!("request", id = %self.visit.id)
        } else {
            tracing::error_span!("request", id = %self.visit.id)
        }
    }

    pub(super) fn finish(&mut self, response: &mut Response) {
        /// The levels of `tracing` must be known when it is compiled.
        macro_rules! log {
            ($level:ident, $line:expr, $status:expr, $remark:expr) => {
                tracing::$level!(
                    request_id = %$line.visit.id,
                    method = %$line.method,
                    route = $line.route(),
                    status = $status.as_u16(),
                    duration_us = $line.duration_us(),
                    client = %$line.visit.address,
                    error = $remark.map(|remark| remark.error),
                    hint = $remark.map(|remark| remark.hint),
                    "request"
                )
            };
        }
        self.finished = true;
        let status = response.status();
        let remark: Option<Remark> = response.extensions_mut().remove();
        let quiet = self.voice != Voice::Page && !status.is_client_error();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            log!(error, self, status, remark);
        } else if status.is_server_error() {
            log!(warn, self, status, remark);
        } else if quiet {
            log!(debug, self, status, remark);
        } else {
            log!(info, self, status, remark);
        }
    }

    fn duration_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A request whose client has left has a line too.
impl Drop for Line {
    fn drop(&mut self) {
        if !self.finished {
            tracing::info!(
                request_id = %self.visit.id,
                method = %self.method,
                route = self.route(),
                duration_us = self.duration_us(),
                client = %self.visit.address,
                "request given up by its client"
            );
        }
    }
}
