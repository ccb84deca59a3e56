//! Where somebody wanted to go, as the browser carries it from the proxy to `/.frontdesk/start`: not as it stands, but with a MAC
//! over host and time, so that a link on another page cannot choose where a sign-in ends.

use super::Gateway;
use crate::crypto::encoding;
use crate::crypto::mac::Framed;
use crate::domain::gateway::way_back;
use crate::domain::time::Timestamp;

const MAC: usize = 32;
const TIME: usize = 8;

impl Gateway {
    /// Writes a path down, good at this host until then.
    #[must_use]
    pub fn keep_path(&self, host: &str, path: &str, until: Timestamp) -> String {
        let path = way_back(path);
        let until = until.as_seconds();
        let mut bytes = self.mac_of_path(host, path, until).to_vec();
        bytes.extend_from_slice(&until.to_be_bytes());
        bytes.extend_from_slice(path.as_bytes());
        encoding::b64u(&bytes)
    }

    /// The path that was written down for this host; the front page where nothing was, where it is too old, or not ours.
    #[must_use]
    pub fn kept_path(&self, host: &str, written: Option<&str>, now: Timestamp) -> String {
        written.and_then(|written| self.read_path(host, written, now)).unwrap_or_else(|| "/".to_owned())
    }

    fn read_path(&self, host: &str, written: &str, now: Timestamp) -> Option<String> {
        let bytes = encoding::from_b64u(written)?;
        let (mac, rest) = bytes.split_at_checked(MAC)?;
        let (until, path) = rest.split_at_checked(TIME)?;
        let until = i64::from_be_bytes(until.try_into().ok()?);
        let path = std::str::from_utf8(path).ok()?;
        let genuine = self.keys.verifies(&[framed(host, path, until).as_bytes()], mac);
        (genuine && !Timestamp::from_seconds(until).has_passed(now)).then(|| way_back(path).to_owned())
    }

    fn mac_of_path(&self, host: &str, path: &str, until: i64) -> [u8; MAC] {
        self.keys.sign(&[framed(host, path, until).as_bytes()])
    }
}

fn framed(host: &str, path: &str, until: i64) -> Framed {
    Framed::of(&["way back", host, path, &until.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::vault::{Purpose, Vault};

    const NOW: Timestamp = Timestamp::from_seconds(1_000);
    const LATER: Timestamp = Timestamp::from_seconds(1_900);

    fn gateway(key: u8) -> Gateway {
        Gateway::new(Vault::over([key; 32]).macs(Purpose::Gateway))
    }

    #[test]
    fn a_path_is_read_back_at_its_host_in_its_time_and_unchanged() {
        let ours = gateway(1);
        let written = ours.keep_path("notes.example.com", "/notes?x=1", LATER);
        let read = |host, written: &str, now| ours.kept_path(host, Some(written), now);
        assert_eq!(read("notes.example.com", &written, NOW), "/notes?x=1");
        assert_eq!(read("other.example.com", &written, NOW), "/");
        assert_eq!(read("notes.example.com", &written, LATER), "/");
        assert_eq!(gateway(2).kept_path("notes.example.com", Some(&written), NOW), "/");
        let mut bytes = encoding::from_b64u(&written).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(read("notes.example.com", &encoding::b64u(&bytes), NOW), "/", "byte {at}");
            bytes[at] ^= 1;
        }
        for nothing in ["", "x", "/notes", "https://evil.test/", "AAAA"] {
            assert_eq!(read("notes.example.com", nothing, NOW), "/");
        }
        assert_eq!(ours.kept_path("notes.example.com", None, NOW), "/");
    }

    #[test]
    fn what_leads_elsewhere_is_not_written_down() {
        let ours = gateway(1);
        for path in ["//evil.test", "/\\evil.test", "https://evil.test/"] {
            let written = ours.keep_path("notes.example.com", path, LATER);
            assert_eq!(ours.kept_path("notes.example.com", Some(&written), NOW), "/");
        }
    }
}
