//! HTTP/1.1 by hand: a request is bytes, an answer is read up to its `Content-Length`. Nothing else costs time here.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Result, failure};

/// The largest answer that is read.
const LARGEST: usize = 16 << 20;

/// A keep-alive connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply<'a> {
    /// The status.
    pub(crate) status: u16,
    head: &'a str,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Names in lower case and values, in their order.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (String, &'a str)> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &'a str {
        std::str::from_utf8(self.body).unwrap_or_default()
    }
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (head, total) = loop {
            self.more().await?;
            if let Some(head) = end_of_head(&self.buffer) {
                break (head, head + body_length(&self.buffer, head)?);
            }
        };
        while self.buffer.len() < total {
            self.more().await?;
        }
        if self.buffer.len() > total {
            return Err(failure("more came than was asked for"));
        }
        let (head, body) = self.buffer.split_at_checked(head).ok_or_else(|| failure("an answer without a head"))?;
        let head = std::str::from_utf8(head)?;
        Ok(Reply { status: status(head)?, head, body })
    }

    async fn more(&mut self) -> Result<()> {
        if self.buffer.len() > LARGEST || self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(failure("the connection ended within an answer"));
        }
        Ok(())
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn body_length(bytes: &[u8], head: usize) -> Result<usize> {
    let head = std::str::from_utf8(bytes.get(..head).unwrap_or_default())?;
    if let Some(length) = header(head, "content-length") {
        return Ok(length.parse()?);
    }
    match status(head)? {
        204 | 304 => Ok(0),
        _ => Err(failure("an answer without Content-Length")),
    }
}

fn status(head: &str) -> Result<u16> {
    let text = head.split(' ').nth(1).ok_or_else(|| failure("an answer without a status"))?;
    Ok(text.parse()?)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let text = "HTTP/1.1 303 See Other\r\ncontent-Length: 12\r\nLocation: /a: b\r\n\r\nbody";
        let head = end_of_head(text.as_bytes()).unwrap();
        assert_eq!(body_length(text.as_bytes(), head).unwrap(), 12);
        let reply = Reply { status: status(text).unwrap(), head: &text[..head], body: b"" };
        assert_eq!((reply.status, reply.header("location")), (303, Some("/a: b")));
        assert_eq!(reply.headers().count(), 2);
        assert!(end_of_head(b"HTTP/1.1 200 OK\r\n").is_none());
        assert!(body_length(b"HTTP/1.1 200 OK\r\n\r\n", 19).is_err());
        assert_eq!(body_length(b"HTTP/1.1 304 Not Modified\r\n\r\n", 29).unwrap(), 0);
    }
}
