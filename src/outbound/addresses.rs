//! Which addresses belong to the public network (RFC 6890, and the registries that it began).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First address and prefix of each network of IPv4 that is not everybody's.
const SPECIAL_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10), // carriers' NAT
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16), // link-local, and the metadata services of clouds
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24), // relays of 6to4
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved
    ([168, 63, 129, 16], 32), // a cloud's own services behind an address that looks public
];

/// The same within the addresses of IPv6 that are given out.
const SPECIAL_V6: [([u16; 2], u32); 4] = [
    ([0x2001, 0x0000], 23), // Teredo, ORCHID and others that wrap or stand for something else
    ([0x2001, 0x0db8], 32),
    ([0x2002, 0x0000], 16), // 6to4: wraps any address of IPv4
    ([0x3fff, 0x0000], 20),
];

/// Whether an address is of the public network: whoever names it could reach it without us.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !SPECIAL_V4.iter().any(|(first, prefix)| bits >> (32 - prefix) == u32::from_be_bytes(*first) >> (32 - prefix))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, high, low] = address.segments();
    // Networks without IPv4 reach it through this prefix (RFC 6052): what is wrapped counts.
    if [first, second, third, fourth, fifth, sixth] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    let bits = u32::from(first) << 16 | u32::from(second);
    let special = |&([one, two], prefix): &([u16; 2], u32)| {
        bits >> (32 - prefix) == (u32::from(one) << 16 | u32::from(two)) >> (32 - prefix)
    };
    // 2000::/3 is all that is given out. Outside of it: loopback, mapped and translated IPv4, ULA, link-local, multicast.
    first >> 13 == 1 && !SPECIAL_V6.iter().any(special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_of_a_private_or_special_network_is_public() {
        for refused in [
            // loopback
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            // unspecified, and the whole network of it
            "0.0.0.0",
            "0.1.2.3",
            "::",
            // RFC 1918
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.168.255.255",
            // link-local, with the metadata services of clouds
            "169.254.0.1",
            "169.254.169.254",
            "fe80::1",
            "febf::1",
            "168.63.129.16",
            // carriers' NAT
            "100.64.0.1",
            "100.127.255.255",
            // multicast, broadcast, reserved
            "224.0.0.1",
            "239.255.255.255",
            "ff02::1",
            "255.255.255.255",
            "240.0.0.1",
            // for documentation, tests and protocols
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
            "2001:1ff:ffff::1",
            "100::1",
            "5f00::1",
            // mapped, compatible and translated
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b:1::a00:1",
            // NAT64 and 6to4 around private ones
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:808:808::1",
            // unique local, site-local
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
        ] {
            assert!(!is_public(refused.parse().unwrap()), "{refused}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "169.253.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2a00::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
