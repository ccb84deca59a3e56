//! What is said on a connection: which request comes next, and what its answer must be.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use super::connection::Reply;
use crate::{Result, failure};

/// One side of a conversation.
pub(crate) trait Talk {
    /// Writes the next request; false: that was all.
    fn next(&mut self, request: &mut Vec<u8>) -> bool;
    /// Hears the answer.
    fn heard(&mut self, reply: &Reply<'_>) -> Result<()>;
}

/// Values that the connections share.
pub(crate) type Queue = Rc<RefCell<Vec<String>>>;

/// A shared list.
pub(crate) fn shared(values: Vec<String>) -> Queue {
    Rc::new(RefCell::new(values))
}

/// A request before and after the value that changes.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// The head without `Content-Length`.
    head: Rc<str>,
    before: Rc<str>,
}

impl Given {
    /// A form post: the head's lines, and the body up to the value that changes.
    pub(crate) fn new(head: &str, before: &str) -> Self {
        Self { head: head.into(), before: before.into() }
    }

    /// The whole request.
    pub(crate) fn with(&self, value: &str) -> Vec<u8> {
        let mut request = Vec::new();
        self.write(value, &mut request);
        request
    }

    fn write(&self, value: &str, request: &mut Vec<u8>) {
        let length = self.before.len() + value.len();
        request.extend_from_slice(self.head.as_bytes());
        request.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
        request.extend_from_slice(self.before.as_bytes());
        request.extend_from_slice(value.as_bytes());
    }
}

/// The text of a member of a JSON object, without reading all of it. Our tokens need no unescaping.
pub(crate) fn member<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = body;
    loop {
        let (_, after) = rest.split_once(name)?;
        if let Some(value) = after.strip_prefix("\":\"") {
            return value.split_once('"').map(|(value, _)| value);
        }
        rest = after;
    }
}

fn must_be(status: u16, reply: &Reply<'_>) -> Result<()> {
    if reply.status == status {
        return Ok(());
    }
    let shown: String = reply.text().chars().take(300).collect();
    Err(failure(format!("status {} instead of {status}: {shown}", reply.status)))
}

/// The same request until a moment.
#[derive(Debug)]
pub(crate) struct Repeat {
    pub(crate) request: Rc<[u8]>,
    pub(crate) status: u16,
    pub(crate) until: Instant,
}

impl Talk for Repeat {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        request.extend_from_slice(&self.request);
        Instant::now() < self.until
    }

    fn heard(&mut self, reply: &Reply<'_>) -> Result<()> {
        must_be(self.status, reply)
    }
}

/// The same request so many times on this connection; a part of each `Location` is collected.
#[derive(Debug)]
pub(crate) struct Collect {
    pub(crate) request: Rc<[u8]>,
    pub(crate) left: usize,
    pub(crate) found: Queue,
}

impl Talk for Collect {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        request.extend_from_slice(&self.request);
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }

    fn heard(&mut self, reply: &Reply<'_>) -> Result<()> {
        must_be(303, reply)?;
        let location = reply.header("location").unwrap_or_default();
        let code = location.split(['?', '&']).find_map(|part| part.strip_prefix("code="));
        let code = code.ok_or_else(|| failure(format!("no code in {location}")))?;
        self.found.borrow_mut().push(code.to_owned());
        Ok(())
    }
}

/// Codes for tokens.
#[derive(Debug)]
pub(crate) struct Redeem {
    pub(crate) given: Given,
    pub(crate) codes: Queue,
    pub(crate) refresh: Queue,
    pub(crate) access: Queue,
}

impl Talk for Redeem {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some(code) = self.codes.borrow_mut().pop() else { return false };
        self.given.write(&code, request);
        true
    }

    fn heard(&mut self, reply: &Reply<'_>) -> Result<()> {
        must_be(200, reply)?;
        let (Some(refresh), Some(access)) =
            (member(reply.text(), "refresh_token"), member(reply.text(), "access_token"))
        else {
            return Err(failure("a code exchange without tokens"));
        };
        self.refresh.borrow_mut().push(refresh.to_owned());
        self.access.borrow_mut().push(access.to_owned());
        Ok(())
    }
}

/// Families of this connection, one step each in turn. They are given back at the end.
#[derive(Debug)]
pub(crate) struct Rotate {
    pub(crate) given: Given,
    pub(crate) families: Vec<String>,
    pub(crate) at: usize,
    pub(crate) left: usize,
    pub(crate) done: Queue,
}

impl Talk for Rotate {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let token = self.families.get(self.at).filter(|_| self.left > 0);
        let Some(token) = token else {
            self.done.borrow_mut().append(&mut self.families);
            return false;
        };
        self.given.write(token, request);
        true
    }

    fn heard(&mut self, reply: &Reply<'_>) -> Result<()> {
        must_be(200, reply)?;
        let next = member(reply.text(), "refresh_token").ok_or_else(|| failure("a refresh without a successor"))?;
        if let Some(held) = self.families.get_mut(self.at) {
            if held == next {
                return Err(failure("a refresh that did not rotate"));
            }
            next.clone_into(held);
        }
        self.left -= 1;
        self.at = (self.at + 1) % self.families.len().max(1);
        Ok(())
    }
}

/// The same values again and again, so many requests on this connection. The answer must contain a text.
#[derive(Debug)]
pub(crate) struct Cycle {
    pub(crate) given: Given,
    pub(crate) values: Rc<[String]>,
    pub(crate) at: usize,
    pub(crate) left: usize,
    pub(crate) contains: &'static str,
}

impl Talk for Cycle {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        if self.left == 0 || self.values.is_empty() {
            return false;
        }
        self.left -= 1;
        self.at = (self.at + 1) % self.values.len();
        if let Some(value) = self.values.get(self.at) {
            self.given.write(value, request);
        }
        true
    }

    fn heard(&mut self, reply: &Reply<'_>) -> Result<()> {
        must_be(200, reply)?;
        if reply.text().contains(self.contains) {
            Ok(())
        } else {
            Err(failure(format!("not {}: {}", self.contains, reply.text())))
        }
    }
}

/// Each value once, from a shared list.
#[derive(Debug)]
pub(crate) struct Spend {
    pub(crate) given: Given,
    pub(crate) values: Queue,
    pub(crate) status: u16,
}

impl Talk for Spend {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some(value) = self.values.borrow_mut().pop() else { return false };
        self.given.write(&value, request);
        true
    }

    fn heard(&mut self, reply: &Reply<'_>) -> Result<()> {
        must_be(self.status, reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_by_its_whole_name() {
        let body = r#"{"refresh_token_x":"no","scope":"refresh_token","refresh_token":"yes","a":1}"#;
        assert_eq!(member(body, "refresh_token"), Some("yes"));
        assert_eq!(member(body, "id_token"), None);
    }

    #[test]
    fn a_form_says_how_long_it_is() {
        let request = Given::new("POST / HTTP/1.1\r\n", "code=").with("abc");
        assert_eq!(String::from_utf8(request).unwrap(), "POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\ncode=abc");
    }
}
