//! How the verifier reads documents from the issuer.

mod document;
mod http;
mod request;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use url::Url;

pub use document::Document;
pub use http::HttpFetch;
pub use request::Request;

/// Reads documents over HTTP. Implement it to use your own HTTP client, or none in tests.
///
/// An implementation must not follow redirects and must stop reading after `limit` bytes. Status
/// and size are checked again by the verifier.
///
/// [`get`](Self::get) is enough for keys and status lists. With [`send`](Self::send) unchanged
/// lists cost no bytes, and the revocation stream needs it together with [`open`](Self::open).
pub trait Fetch: Send + Sync + 'static {
    /// Sends one GET request and reads the whole answer, `limit` bytes at most.
    fn get<'f>(&'f self, url: &'f Url, limit: usize) -> FetchFuture<'f>;

    /// Sends a request with what it asks for besides the address, and reads the whole answer.
    fn send<'f>(&'f self, request: Request<'f>) -> FetchFuture<'f> {
        if request.body().is_some() || request.authorization().is_some() {
            return Box::pin(async { Err(FetchError::new("this client can only read public documents")) });
        }
        self.get(request.url(), request.limit())
    }

    /// Sends a request whose answer is read piece by piece, for as long as it goes on.
    fn open<'f>(&'f self, request: Request<'f>) -> OpenFuture<'f> {
        let _ = request;
        Box::pin(async { Err(FetchError::new("this client cannot read streams")) })
    }
}

/// What [`Fetch::get`] and [`Fetch::send`] return.
pub type FetchFuture<'f> = Pin<Box<dyn Future<Output = Result<Document, FetchError>> + Send + 'f>>;

/// What [`Fetch::open`] returns.
pub type OpenFuture<'f> = Pin<Box<dyn Future<Output = Result<Opened, FetchError>> + Send + 'f>>;

/// An answer that has begun.
pub struct Opened {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`, empty when there is none.
    pub content_type: String,
    /// What follows.
    pub body: Box<dyn Body>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Opened")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// The body of an answer, read piece by piece.
pub trait Body: Send {
    /// The next piece, or `None` at the end.
    fn chunk(&mut self) -> ChunkFuture<'_>;
}

/// What [`Body::chunk`] returns.
pub type ChunkFuture<'b> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, FetchError>> + Send + 'b>>;

/// Why a document could not be read. The text goes to your log.
#[derive(Debug, Clone)]
pub struct FetchError(String);

impl FetchError {
    /// An error with a text for the log.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn too_large() -> Self {
        Self::new("the answer is too large")
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for FetchError {}

#[cfg(test)]
mod tests;
