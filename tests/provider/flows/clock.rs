//! A clock that leaps.

use std::time::Duration;

use frontdesk::jobs::{clock, turn_keys};
use frontdesk::store::installation;

use crate::support::{ALICE, TestProvider};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn after_a_leap_of_more_than_an_hour_nothing_is_purged_until_somebody_confirms_it() {
    let provider = TestProvider::start().await;
    let app = provider.app();
    provider.client("web").tokens_of(ALICE).await;
    let believed = async |app: &frontdesk::app::App| clock::is_believable(app, app.clock.now()).await.unwrap();
    let last_tick =
        async || provider.number("SELECT CAST(value AS BIGINT) FROM installation WHERE name = 'last_tick'").await;
    assert!(believed(app).await, "the first look");
    for _ in 0..3 {
        app.clock.advance(HOUR);
        assert!(believed(app).await, "an hour after the last");
    }
    let before = last_tick().await;
    assert_eq!(before, app.clock.now().as_seconds());

    app.clock.advance(HOUR + Duration::from_secs(1));
    for _ in 0..3 {
        assert!(!believed(app).await);
        // Another process, or this one after a restart, has no better reason.
        assert!(!believed(&provider.second_process().await).await);
    }
    assert_eq!(last_tick().await, before);

    let now = app.clock.now();
    app.store.write(async move |tx| installation::tick(tx, now).await).await.unwrap();
    assert!(believed(app).await);
}

#[tokio::test]
async fn after_a_leap_no_key_turns_until_somebody_confirms_it() {
    let provider = TestProvider::start().await;
    let app = provider.app();
    let turned = async || turn_keys::turn(app, app.clock.now()).await.unwrap().is_zero();
    let active = async || provider.texts("SELECT kid FROM signing_keys WHERE state = 'active'").await;
    let before = active().await;
    assert!(!turned().await, "nothing is due, and the clock is seen");
    app.clock.advance(31 * 24 * HOUR);
    assert!(!turned().await);
    assert_eq!(active().await, before);
    let now = app.clock.now();
    app.store.write(async move |tx| installation::tick(tx, now).await).await.unwrap();
    assert!(turned().await);
    assert_ne!(active().await, before);
}
