//! Who is asking: the client's address.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The address a request comes from, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The peer itself, or, if the peer is a trusted proxy, the right-most address of `X-Forwarded-For` that is not one:
    /// everything left of it was written by strangers. `Forwarded` is not read; a proxy that passes it on unchecked would
    /// let everybody choose his address.
    #[must_use]
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let mut address = peer.to_canonical();
        if trusted.is_empty() {
            return Self(address);
        }
        let mut hops = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(parse)
            .rev();
        while trusted.iter().any(|network| network.contains(&address)) {
            // An end of the list, or something that is no address: the last proxy is all we know.
            let Some(Some(next)) = hops.next() else { break };
            address = next;
        }
        Self(address)
    }

    /// The address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// The network that counts as one visitor for throttling: /24 of IPv4, /56 of IPv6.
    #[must_use]
    pub fn network(self) -> IpNet {
        let length = if self.0.is_ipv4() { 24 } else { 56 };
        // Both lengths fit their family.
        IpNet::new(self.0, length).unwrap_or(IpNet::from(self.0)).trunc()
    }
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(bracketed)
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn seen(peer: &str, lines: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("forwarded", HeaderValue::from_static("for=198.51.100.66"));
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        ClientAddress::of(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn strangers_cannot_choose_their_address() {
        let proxies = ["10.0.0.0/8", "::1/128"];
        for (peer, lines, trusted, client) in [
            ("203.0.113.9", vec!["1.2.3.4"], [].as_slice(), "203.0.113.9"),
            ("203.0.113.9", vec!["1.2.3.4"], &proxies, "203.0.113.9"),
            ("10.0.0.1", vec!["203.0.113.9"], &proxies, "203.0.113.9"),
            ("10.0.0.1", vec!["1.2.3.4, 203.0.113.9"], &proxies, "203.0.113.9"),
            ("10.0.0.1", vec!["1.2.3.4", "203.0.113.9"], &proxies, "203.0.113.9"),
            ("10.0.0.1", vec!["1.2.3.4, 203.0.113.9, 10.0.0.2"], &proxies, "203.0.113.9"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], &proxies, "10.0.0.3"),
            ("10.0.0.1", vec!["1.2.3.4, unknown"], &proxies, "10.0.0.1"),
            ("10.0.0.1", vec!["1.2.3.4, "], &proxies, "10.0.0.1"),
            ("10.0.0.1", vec![], &proxies, "10.0.0.1"),
            ("::1", vec!["[2001:db8::1]:443"], &proxies, "2001:db8::1"),
            ("::1", vec!["203.0.113.9:1234"], &proxies, "203.0.113.9"),
            ("::ffff:10.0.0.1", vec!["::ffff:203.0.113.9"], &proxies, "203.0.113.9"),
        ] {
            assert_eq!(seen(peer, &lines, trusted), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_network_is_24_or_56_bits() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network().to_string();
        assert_eq!(network("203.0.113.9"), "203.0.113.0/24");
        assert_eq!(network("2001:db8:1:2ff::1"), "2001:db8:1:200::/56");
    }
}
