//! Browsers: each is known by a long-lived random cookie, signed in or not.

use std::time::Duration;

use crate::domain::id::BrowserId;
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::store::{Db, Store, StoreError, Tx, browsers};

pub use crate::store::browsers::is_known;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A browser whose cookie was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// The row.
    pub id: BrowserId,
    /// Whether somebody has ever signed in at it.
    pub known: bool,
    /// When it was last noted that it came.
    pub last_seen_at: Timestamp,
}

/// The browser that holds this cookie value, or `None` if the value is not one of ours.
///
/// # Errors
/// If the database refuses.
pub async fn recognise(db: &mut Db, cookie: &str) -> Result<Option<Browser>, StoreError> {
    let Some(token) = OpaqueToken::parse(Kind::Browser, cookie) else { return Ok(None) };
    let id = BrowserId::new(token.id());
    let found = browsers::find(db, &id).await?;
    Ok(found.filter(|row| row.digest.matches(&token.digest())).map(|row| Browser {
        id,
        known: row.known,
        last_seen_at: row.last_seen_at,
    }))
}

/// Makes the acquaintance of a browser. The answer is the value of its cookie.
///
/// # Errors
/// If the database refuses.
pub async fn open(tx: &mut Tx, now: Timestamp) -> Result<OpaqueToken, StoreError> {
    let token = OpaqueToken::mint(Kind::Browser);
    browsers::insert(tx, &BrowserId::new(token.id()), &token.digest(), now).await?;
    Ok(token)
}

/// Notes that a browser came, at most once a day; at most once an hour while nobody has signed in at it, since then it is
/// forgotten after a day, and must not be while somebody is about to.
///
/// # Errors
/// If the database refuses.
pub async fn touch(store: &Store, browser: &Browser, now: Timestamp) -> Result<(), StoreError> {
    let every = if browser.known { DAY } else { HOUR };
    if browser.last_seen_at.plus(every).has_passed(now) {
        let id = browser.id.clone();
        store.write(async move |tx| browsers::touch(tx, &id, now).await.map(drop)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[tokio::test]
    async fn a_browser_is_recognised_by_its_whole_cookie_only() {
        let store = TestStore::open().await;
        let cookie = store.write(async move |tx| open(tx, NOW).await).await.unwrap();
        let mut db = store.read().await.unwrap();
        assert_eq!(recognise(&mut db, cookie.expose()).await.unwrap().unwrap().id.as_str(), cookie.id());
        let forged = OpaqueToken::renew(Kind::Browser, cookie.id()).unwrap();
        for other in [forged.expose(), OpaqueToken::mint(Kind::Browser).expose(), "", "fd_br_", cookie.id()] {
            assert!(recognise(&mut db, other).await.unwrap().is_none(), "{other}");
        }
    }

    #[tokio::test]
    async fn it_is_noted_once_an_hour_and_once_a_day_when_it_is_known() {
        for (known, moments) in [
            (false, [(0, 0), (3_599, 0), (3_600, 3_600), (7_199, 3_600)]),
            (true, [(0, 0), (86_399, 0), (86_400, 86_400), (86_500, 86_400)]),
        ] {
            let store = TestStore::open().await;
            let cookie = store.write(async move |tx| open(tx, NOW).await).await.unwrap();
            for (after, seen) in moments {
                let now = NOW.plus(Duration::from_secs(after));
                let browser = recognise(&mut store.read().await.unwrap(), cookie.expose()).await.unwrap().unwrap();
                assert!(!browser.known);
                touch(&store, &Browser { known, ..browser }, now).await.unwrap();
                let browser = recognise(&mut store.read().await.unwrap(), cookie.expose()).await.unwrap().unwrap();
                assert_eq!(browser.last_seen_at, NOW.plus(Duration::from_secs(seen)));
            }
        }
    }
}
