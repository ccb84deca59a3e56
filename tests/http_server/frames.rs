//! A client of HTTP/2 that sends what it likes, frame by frame (RFC 9113 §4).

use std::fs;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Files, PATIENCE, Running};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    pub(crate) fn code(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap()))
    }
}

/// A frame to send.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header in the plainest form (RFC 7541 §6.2.2).
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        length(&mut bytes, text.len());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
pub(crate) fn length(bytes: &mut Vec<u8>, length: usize) {
    if length < 127 {
        bytes.push(u8::try_from(length).unwrap());
        return;
    }
    bytes.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// The header block of a GET.
pub(crate) fn get(path: &str) -> Vec<u8> {
    // `:method: GET` and `:scheme: https`, from the static table.
    [&[0x82, 0x87][..], &header(":path", path), &header(":authority", "localhost")].concat()
}

/// A header block in as few frames as hold it, which end the request.
pub(crate) fn head(stream: u32, block: &[u8]) -> Vec<u8> {
    let mut parts = block.chunks(16_384).enumerate().peekable();
    let mut bytes = Vec::new();
    while let Some((at, part)) = parts.next() {
        let (kind, first) = if at == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
        let last = if parts.peek().is_none() { END_HEADERS } else { 0 };
        bytes.extend(frame(kind, first | last, stream, part));
    }
    bytes
}

/// The HEADERS frame of a GET.
pub(crate) fn asking(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &get(path))
}

/// A connection. What comes is read all the time, so that the server is never kept waiting.
pub(crate) struct Client {
    to: WriteHalf<TlsStream<TcpStream>>,
    read: tokio::task::JoinHandle<Vec<Frame>>,
}

impl Client {
    /// Greets, with these settings, and reads everything that comes.
    pub(crate) async fn greeting(running: &Running, files: &Files, settings: &[u8]) -> Self {
        let (from, to) = shaken(running, files, settings).await;
        Self { to, read: tokio::spawn(all(from)) }
    }

    /// Sends; whether the other side still listens is another question.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.to.write_all(bytes).await;
        let _ = self.to.flush().await;
    }

    /// Everything that came until the server closed.
    pub(crate) async fn end(self) -> Vec<Frame> {
        let frames = tokio::time::timeout(PATIENCE, self.read).await.expect("the server keeps the connection").unwrap();
        drop(self.to);
        frames
    }
}

/// A connection after the preface.
pub(crate) async fn shaken(
    running: &Running,
    files: &Files,
    settings: &[u8],
) -> (ReadHalf<TlsStream<TcpStream>>, WriteHalf<TlsStream<TcpStream>>) {
    let pem = fs::read(files.certificate()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(running.address()).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    let (from, mut to) = tokio::io::split(stream);
    to.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, settings)[..]].concat()).await.unwrap();
    (from, to)
}

async fn all(mut from: ReadHalf<TlsStream<TcpStream>>) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut head = [0; 9];
    while from.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        if from.read_exact(&mut payload).await.is_err() {
            break;
        }
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        frames.push(Frame { kind: head[3], stream, payload });
    }
    frames
}
