//! Server-sent events, as the HTML standard has them, with an end to how long anything may be.

/// Longest event that is read, in bytes: a hundred thousand revocations.
const MAX_EVENT: usize = 1024 * 1024;

/// Longest `id` that is sent back as `Last-Event-ID`.
const MAX_ID: usize = 64;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// `event`, `message` when there is none.
    pub(super) name: String,
    pub(super) data: String,
    /// Where the stream goes on after this event. `None` when it does not say.
    pub(super) id: Option<String>,
}

/// A line or an event is longer than may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Reads events from pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    /// The last byte was CR, so a LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    name: String,
    data: Option<String>,
    id: Option<String>,
}

impl Parser {
    /// Takes the next piece and gives the events that are whole now.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in piece {
            let after_cr = std::mem::replace(&mut self.after_cr, *byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()),
                _ => {
                    let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
                    if held >= MAX_EVENT {
                        return Err(TooLong);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = if self.begun { &*line } else { line.strip_prefix('\u{feff}').unwrap_or(&line) };
        self.begun = true;
        if line.is_empty() {
            return self.end_of_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            // It goes into a header, so it must fit there.
            "id" => {
                let fits = value.len() <= MAX_ID && value.bytes().all(|byte| byte.is_ascii_graphic());
                self.id = fits.then(|| value.to_owned()).filter(|id| !id.is_empty());
            }
            // A comment, `retry`, which is ours to decide, or a field nobody knows.
            _ => {}
        }
        None
    }

    fn end_of_event(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = self.data.take()?;
        let name = if name.is_empty() { "message".to_owned() } else { name };
        Some(Event { name, data, id: self.id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<(String, String, Option<String>)> {
        let whole = Parser::default().feed(text.as_bytes()).unwrap();
        let mut parser = Parser::default();
        let bytewise: Vec<_> = text.as_bytes().chunks(1).flat_map(|byte| parser.feed(byte).unwrap()).collect();
        assert_eq!(whole, bytewise, "the size of the pieces does not matter");
        whole.into_iter().map(|event| (event.name, event.data, event.id)).collect()
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> (String, String, Option<String>) {
        (name.to_owned(), data.to_owned(), id.map(str::to_owned))
    }

    #[test]
    fn events_are_read() {
        for (text, expected) in [
            ("", vec![]),
            ("\n\n\n", vec![]),
            (": alive\n\n", vec![]),
            ("data: x\n", vec![]),
            ("data: x\n\n", vec![event("message", "x", None)]),
            ("\u{feff}data: x\n\n", vec![event("message", "x", None)]),
            ("event: revoked\nid: 7-a\ndata: {}\n\n", vec![event("revoked", "{}", Some("7-a"))]),
            ("event:revoked\r\nid:7\r\ndata:{}\r\n\r\n", vec![event("revoked", "{}", Some("7"))]),
            ("event: revoked\rdata: {}\r\r", vec![event("revoked", "{}", None)]),
            ("data: a\ndata: b\ndata\n\n", vec![event("message", "a\nb\n", None)]),
            ("data:  two spaces\n\n", vec![event("message", " two spaces", None)]),
            ("data: a:b\nretry: 5\nother: x\n: c\n\n", vec![event("message", "a:b", None)]),
            ("event: lost\n\ndata: x\n\n", vec![event("message", "x", None)]),
            ("id: 1\n\ndata: x\n\n", vec![event("message", "x", Some("1"))]),
            (
                "id: 1\ndata: x\n\ndata: y\n\nid\ndata: z\n\n",
                vec![event("message", "x", Some("1")), event("message", "y", Some("1")), event("message", "z", None)],
            ),
        ] {
            assert_eq!(events(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_id_that_fits_no_header_is_none() {
        for id in ["a b", "ä", "a\u{0}b", &"i".repeat(65)] {
            assert_eq!(events(&format!("id: {id}\ndata: x\n\n")), [event("message", "x", None)], "{id:?}");
        }
        let longest = "i".repeat(64);
        assert_eq!(events(&format!("id: {longest}\ndata: x\n\n")), [event("message", "x", Some(&longest))]);
    }

    #[test]
    fn what_is_too_long_is_an_error_before_it_takes_memory() {
        let endless = vec![b'x'; MAX_EVENT + 1];
        assert_eq!(Parser::default().feed(&endless), Err(TooLong));
        assert_eq!(Parser::default().feed(&endless[1..]), Ok(Vec::new()));
        let lines = "data: 0123456789\n".repeat(MAX_EVENT / 10);
        assert_eq!(Parser::default().feed(lines.as_bytes()), Err(TooLong));
        // Comments may go on for ever.
        let mut parser = Parser::default();
        for _ in 0..MAX_EVENT / 1000 {
            assert_eq!(parser.feed(": alive\n".repeat(1000).as_bytes()), Ok(Vec::new()));
        }
    }
}
