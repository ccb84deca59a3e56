//! Where the server listens.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use toml::de::DeValue;

use super::setting::{Setting, Wrong};

/// One or more addresses; in the file a string or a list of strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen(pub Vec<ListenAddress>);

/// One address to listen on. Port 0 takes a free port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenAddress {
    /// `localhost:<port>`: `127.0.0.1`, and `[::1]` too on machines that have IPv6, since browsers
    /// try either first.
    Localhost(u16),
    /// An IP address and a port.
    Socket(SocketAddr),
}

impl Listen {
    /// True if every address is reachable from this machine only.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.iter().all(ListenAddress::is_loopback)
    }
}

impl ListenAddress {
    /// What to bind. The first must succeed; a second one may be missing on this machine.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketAddr> {
        match *self {
            Self::Localhost(port) => {
                vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
            }
            Self::Socket(address) => vec![address],
        }
    }

    /// The port; 0 stands for a free one.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Localhost(port) => *port,
            Self::Socket(address) => address.port(),
        }
    }

    /// True if the address is reachable from this machine only.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Localhost(_) => true,
            Self::Socket(address) => address.ip().to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Socket(address) => write!(f, "{address}"),
        }
    }
}

impl Setting for Listen {
    const WRITE: &'static str = "Write an address and a port, such as \"127.0.0.1:8080\", \"[::]:443\" or \"localhost:8080\", or a list of them.";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong> {
        if let Some(text) = value.as_str() {
            return address(text).map(|one| Self(vec![one]));
        }
        let items = value.as_array().ok_or_else(|| Wrong::kind(value, Self::WRITE))?;
        if items.is_empty() {
            return Err(Wrong::new("the list is empty", Self::WRITE));
        }
        items
            .iter()
            .map(|item| {
                let text = item.get_ref().as_str().ok_or_else(|| Wrong::kind(item.get_ref(), Self::WRITE));
                text.and_then(address).map_err(|wrong| Wrong { span: Some(item.span()), ..wrong })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// `[::1]:8080` starts like a list and is none, so the text is a list only if TOML says so.
    fn from_variable(text: &str) -> Result<Self, Wrong> {
        match DeValue::parse(text) {
            Ok(value) if value.get_ref().is_array() => {
                Self::from_toml(value.get_ref()).map_err(|wrong| Wrong { span: None, ..wrong })
            }
            _ => address(text).map(|one| Self(vec![one])),
        }
    }

    fn shown(&self) -> Option<toml::Value> {
        let text = |address: &ListenAddress| toml::Value::String(address.to_string());
        Some(match self.0.as_slice() {
            [one] => text(one),
            many => toml::Value::Array(many.iter().map(text).collect()),
        })
    }
}

fn address(text: &str) -> Result<ListenAddress, Wrong> {
    let localhost = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    localhost
        .map(ListenAddress::Localhost)
        .or_else(|| text.parse().ok().map(ListenAddress::Socket))
        .ok_or_else(|| Wrong::new(format!("{text:?} is not an IP address with a port"), Listen::WRITE))
}
