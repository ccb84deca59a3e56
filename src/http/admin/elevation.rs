//! The cookie that lets an admin change things: a MAC over the session and the moment in which the person proved who they are in
//! it. It tells nothing that the session's row does not know, so it ends with the session, is worth nothing in another, and only
//! a new proof makes a new one.

use std::time::Duration;

use crate::crypto::encoding;
use crate::crypto::mac::Framed;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::keys::macs::Macs;
use crate::oauth::admin::{FRESH, is_fresh};

/// Makes and checks the values.
#[derive(Debug)]
pub struct Elevation(Macs);

impl Elevation {
    /// How long a value lasts.
    pub const LASTS: Duration = FRESH;

    /// Takes the MAC keys for this purpose.
    #[must_use]
    pub const fn new(macs: Macs) -> Self {
        Self(macs)
    }

    /// The value for a session in which the person has just proven who they are.
    #[must_use]
    pub fn value(&self, session: &Session) -> String {
        encoding::b64u(self.0.sign(&[bound_to(session).as_bytes()]))
    }

    /// Whether the value is this session's, and its proof still fresh. Compared in constant time.
    #[must_use]
    pub fn holds(&self, presented: Option<&str>, session: &Session, now: Timestamp) -> bool {
        let genuine = presented
            .and_then(encoding::from_b64u)
            .is_some_and(|mac| self.0.verifies(&[bound_to(session).as_bytes()], &mac));
        genuine && session.is_live(now) && is_fresh(session.auth_time, now)
    }
}

fn bound_to(session: &Session) -> Framed {
    Framed::of(&[
        "elevated",
        session.id.as_str(),
        session.user_id.as_str(),
        &session.auth_time.as_seconds().to_string(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{BrowserId, SessionId, UserId};
    use crate::keys::vault::{Purpose, Vault};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn session(id: &str, user: &str, auth_time: Timestamp) -> Session {
        Session {
            id: SessionId::new(id),
            user_id: UserId::new(user),
            browser_id: BrowserId::new("b"),
            created_at: auth_time,
            auth_time,
            acr: String::new(),
            amr: String::new(),
            last_seen_at: auth_time,
            idle_expires_at: auth_time.plus(Duration::from_secs(3600)),
            expires_at: auth_time.plus(Duration::from_secs(3600)),
            persistent: false,
            direct: false,
            device: String::new(),
            address: String::new(),
            ended_at: None,
        }
    }

    #[test]
    fn a_value_is_good_for_one_proof_in_one_session_and_for_ten_minutes() {
        let elevation = Elevation::new(Vault::over([1; 32]).macs(Purpose::Elevation));
        let here = session("s1", "u1", NOW);
        let value = elevation.value(&here);
        let holds = |session: &Session, now| elevation.holds(Some(&value), session, now);
        assert!(holds(&here, NOW) && holds(&here, NOW.plus(Duration::from_secs(600))));
        assert!(!holds(&here, NOW.plus(Duration::from_secs(601))));
        assert!(!holds(&here, NOW.minus(Duration::from_secs(1))));
        for other in [
            session("s2", "u1", NOW),
            session("s1", "u2", NOW),
            session("s1", "u1", NOW.plus(Duration::from_secs(1))),
            Session { ended_at: Some(NOW), ..here.clone() },
            Session { idle_expires_at: NOW, ..here.clone() },
        ] {
            assert!(!holds(&other, NOW.plus(Duration::from_secs(1))), "{other:?}");
        }
        for presented in [None, Some(""), Some("AAAA"), Some(&value[1..])] {
            assert!(!elevation.holds(presented, &here, NOW), "{presented:?}");
        }
        assert!(!Elevation::new(Vault::over([2; 32]).macs(Purpose::Elevation)).holds(Some(&value), &here, NOW));
    }
}
