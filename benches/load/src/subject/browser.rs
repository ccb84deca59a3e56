//! As much of a browser as signing in takes: cookies, a form, redirects.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::registration::{PASSWORD, USERNAME};
use crate::generator::{Connection, Reply};
use crate::{Result, failure};

/// More steps than a sign-in has.
const MOST_STEPS: usize = 8;

/// A browser with its cookies.
#[derive(Debug)]
pub(crate) struct Browser {
    connection: Connection,
    origin: String,
    cookies: BTreeMap<String, String>,
}

/// What an answer leads to.
enum Step {
    Leave(String),
    Get(String),
    Post { action: String, fields: Vec<(String, String)> },
}

impl Browser {
    /// A browser without cookies.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let connection = Connection::open(address).await?;
        Ok(Self { connection, origin: format!("http://{address}"), cookies: BTreeMap::new() })
    }

    /// Goes to an address, signs in where asked, and returns where it is sent off this host.
    pub(crate) async fn sign_in(&mut self, path: &str) -> Result<String> {
        let mut request = self.get(path);
        for _ in 0..MOST_STEPS {
            match self.step(&request).await? {
                Step::Leave(location) => return Ok(location),
                Step::Get(path) => request = self.get(&path),
                Step::Post { action, fields } => request = self.post(&action, &fields),
            }
        }
        Err(failure("signing in led nowhere"))
    }

    /// The request that posts the sign-in form, ready to be sent again and again.
    pub(crate) async fn sign_in_request(&mut self) -> Result<Vec<u8>> {
        let request = self.get("/login");
        match self.step(&request).await? {
            Step::Post { action, fields } => Ok(self.post(&action, &fields)),
            _ => Err(failure("no form at /login")),
        }
    }

    /// A request for a page, with the cookies.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{}\r\n", self.host(), self.cookie_line()).into_bytes()
    }

    fn post(&self, action: &str, fields: &[(String, String)]) -> Vec<u8> {
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let form = form.join("&");
        format!(
            "POST {action} HTTP/1.1\r\nHost: {}\r\n{}Origin: {}\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            self.host(),
            self.cookie_line(),
            self.origin,
            form.len(),
        )
        .into_bytes()
    }

    fn host(&self) -> &str {
        self.origin.trim_start_matches("http://")
    }

    fn cookie_line(&self) -> String {
        if self.cookies.is_empty() {
            return String::new();
        }
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}\r\n", pairs.join("; "))
    }

    async fn step(&mut self, request: &[u8]) -> Result<Step> {
        let reply = self.connection.send(request).await?;
        let step = read(&reply, &self.origin)?;
        for (name, value) in reply.headers() {
            if name == "set-cookie"
                && let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('='))
            {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(step)
    }
}

fn read(reply: &Reply<'_>, origin: &str) -> Result<Step> {
    if (300..400).contains(&reply.status) {
        let location = reply.header("location").ok_or_else(|| failure("a redirect to nowhere"))?;
        let path = location.strip_prefix(origin).unwrap_or(location);
        return Ok(if path.starts_with('/') { Step::Get(path.to_owned()) } else { Step::Leave(location.to_owned()) });
    }
    let page = reply.text();
    let form = page.split_once("<form").and_then(|(_, rest)| rest.split_once("</form>")).map(|(form, _)| form);
    let Some(form) = form.filter(|form| form.contains("name=\"username\"")) else {
        return Err(failure(format!("status {} and no sign-in form", reply.status)));
    };
    let (tag, inside) = form.split_once('>').ok_or_else(|| failure("a form without end"))?;
    let mut fields = Vec::new();
    for input in inside.split("<input").skip(1) {
        let input = input.split('>').next().unwrap_or_default();
        let Some(name) = attribute(input, "name") else { continue };
        let value = match name.as_str() {
            "username" => USERNAME.to_owned(),
            "password" => PASSWORD.to_owned(),
            _ if attribute(input, "type").as_deref() == Some("hidden") => attribute(input, "value").unwrap_or_default(),
            _ => continue,
        };
        fields.push((name, value));
    }
    Ok(Step::Post { action: attribute(tag, "action").unwrap_or_else(|| "/login".to_owned()), fields })
}

/// The value of an attribute of a tag as our templates write them.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&").replace("&#34;", "\"").replace("&#39;", "'"))
}

/// Percent-encoding for a form or a query (RFC 3986 §2.3 keeps these).
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_whole() {
        let tag = r#" type="hidden" name="csrf" value="a&#38;b" autocomplete="username""#;
        assert_eq!(attribute(tag, "name").as_deref(), Some("csrf"));
        assert_eq!(attribute(tag, "value").as_deref(), Some("a&b"));
        assert_eq!(attribute(tag, "action"), None);
    }

    #[test]
    fn values_are_encoded() {
        assert_eq!(encoded("a b&c=ä"), "a%20b%26c%3D%C3%A4");
    }
}
