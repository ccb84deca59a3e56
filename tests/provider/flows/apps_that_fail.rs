//! Apps that are away, broken, or stumble over one notice, while others wait to be told of sign-outs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{TestProvider, Told};

const OUTCOMES: &str = "SELECT sid || ' ' || COALESCE(outcome, 'waits') FROM outbox ORDER BY sid";

/// An app that answers with the line, or hangs up, until it is mended.
async fn failing(line: Option<&'static str>) -> (Told, Arc<AtomicBool>) {
    let is_mended = Arc::new(AtomicBool::new(false));
    let asked = is_mended.clone();
    let told = Told::deciding(move |_| if asked.load(Ordering::SeqCst) { Some("200 OK") } else { line }).await;
    (told, is_mended)
}

#[tokio::test]
async fn what_an_app_stumbles_over_keeps_nothing_else_back() {
    for line in ["500 x", "404 x", "302 Found\r\nlocation: /elsewhere"] {
        let told = Told::deciding(move |sid| Some(if sid == "poison" { line } else { "200 OK" })).await;
        let provider = TestProvider::telling(&told).await;
        let courier = provider.courier();
        provider.ended(&["poison"]).await;
        courier.deliver().await;
        provider.advance(10).await;
        provider.ended(&["good0", "good1", "good2", "good3", "good4"]).await;
        courier.deliver().await;
        let mut sids = told.sids();
        assert_eq!(sids.pop().unwrap(), "poison", "{line}: what was tried least comes first");
        sids.sort();
        assert_eq!(sids, ["good0", "good1", "good2", "good3", "good4", "poison"], "{line}");
        assert_eq!(provider.waiting().await, 1, "{line}");
    }
}

#[tokio::test]
async fn what_an_app_dies_of_holds_the_others_up_for_one_short_rest_and_has_five_tries() {
    for line in [None, Some("502 x"), Some("500 x")] {
        let told = Told::deciding(move |sid| if sid == "poison" { line } else { Some("200 OK") }).await;
        let provider = TestProvider::telling(&told).await;
        let courier = provider.courier();
        let began = provider.now();
        provider.ended(&["poison"]).await;
        let mut tries = Vec::new();
        while provider.now() < began + 3_600 {
            let before = told.count();
            courier.deliver().await;
            if told.sids()[before..].contains(&"poison".to_owned()) {
                tries.push(provider.now() - began);
                // Comes in the midst of the rest, if there is one.
                provider.ended(&[&format!("good{}", tries.len())]).await;
            }
            provider.advance(10).await;
        }
        assert_eq!(tries, [0, 10, 70, 670, 3_370], "{line:?}");
        let outcomes = provider.texts(OUTCOMES).await;
        let expected = ["good1", "good2", "good3", "good4", "good5"].map(|good| format!("{good} delivered"));
        assert_eq!((&outcomes[..5], &*outcomes[5]), (&expected[..], "poison given_up"), "{line:?}");
        assert_eq!(
            provider.number("SELECT MAX(finished_at - created_at) FROM outbox WHERE outcome = 'delivered'").await,
            10
        );
        assert_eq!(provider.audited("logout.undelivered").await, 1);
    }
}

#[tokio::test]
async fn an_app_that_was_away_hears_of_everything_after_its_rest_and_of_nothing_before() {
    for line in [None, Some("429 x"), Some("502 x"), Some("503 x"), Some("504 x")] {
        let (told, is_mended) = failing(line).await;
        let provider = TestProvider::telling(&told).await;
        let twin = provider.twin(|_| ()).await;
        let (first, second) = (provider.courier(), twin.courier());
        let mut called_at = Vec::new();
        for second_of_it in 0..70 {
            if second_of_it % 2 == 0 {
                provider.ended(&[&format!("s{second_of_it}")]).await;
            }
            first.deliver().await;
            second.deliver().await;
            called_at.resize(told.count(), second_of_it);
            provider.advance(1).await;
            twin.follow_changes().await;
        }
        assert_eq!(called_at, [0, 10], "{line:?}");
        is_mended.store(true, Ordering::SeqCst);
        // The other process than the one that found it away.
        second.deliver().await;
        assert_eq!(provider.waiting().await, 0, "{line:?}");
        assert_eq!(told.count(), 2 + 35, "{line:?}");
        assert_eq!(provider.number("SELECT COUNT(*) FROM outbox_rests").await, 0);
    }
}

#[tokio::test]
async fn what_was_put_off_by_itself_is_told_with_the_rest_when_the_app_is_back() {
    let (told, is_mended) = failing(None).await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    provider.ended(&["alone"]).await;
    for pause in [10, 60, 30] {
        courier.deliver().await;
        provider.advance(pause).await;
    }
    assert_eq!(told.sids(), ["alone", "alone", "alone"]);
    // Its own next try is far off.
    provider.ended(&["later"]).await;
    courier.deliver().await;
    provider.advance(60).await;
    is_mended.store(true, Ordering::SeqCst);
    courier.deliver().await;
    assert_eq!(told.sids()[3..], ["later", "later", "alone"]);
    assert_eq!(provider.waiting().await, 0);
}

#[tokio::test]
async fn an_app_says_when_to_come_back() {
    let told = Told::answering(&["503 x\r\nretry-after: 300", "200 OK"]).await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    provider.ended(&["one", "two"]).await;
    courier.deliver().await;
    provider.advance(299).await;
    courier.deliver().await;
    assert_eq!(told.count(), 1);
    provider.advance(1).await;
    courier.deliver().await;
    assert_eq!((told.count(), provider.waiting().await), (3, 0));
}

#[tokio::test]
async fn an_app_that_digests_nothing_is_not_called_for_each_that_waits() {
    let (told, is_mended) = failing(Some("500 x")).await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    let began = provider.now();
    let many: Vec<String> = (0..40).map(|number| format!("s{number}")).collect();
    provider.ended(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut called_at = Vec::new();
    while provider.waiting().await > 0 {
        courier.deliver().await;
        called_at.resize(told.count(), provider.now() - began);
        provider.advance(10).await;
        assert!(provider.now() - began < 10_000, "{called_at:?}");
    }
    assert_eq!(called_at, [0, 0, 0, 0, 0, 10, 70, 670, 3_370, 6_070]);
    assert_eq!(provider.texts("SELECT DISTINCT outcome FROM outbox").await, ["given_up"]);
    assert_eq!(provider.audited("logout.undelivered").await, 1, "one row for all of them");
    // It is mended, and hears of the next at the end of its rest.
    is_mended.store(true, Ordering::SeqCst);
    provider.ended(&["next"]).await;
    provider.advance(2_700).await;
    courier.deliver().await;
    assert_eq!(provider.texts("SELECT outcome FROM outbox WHERE id = 'next'").await, ["delivered"]);
}

#[tokio::test]
async fn only_what_has_waited_an_hour_is_given_up_and_only_while_the_app_is_away() {
    let (told, is_mended) = failing(None).await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    let began = provider.now();
    provider.ended(&["old0", "old1", "old2", "old3", "old4", "old5"]).await;
    let until = async |second: i64| {
        while provider.now() - began < second {
            courier.deliver().await;
            provider.advance(10).await;
        }
    };
    until(3_000).await;
    provider.ended(&["young"]).await;
    until(6_070).await;
    assert_eq!(provider.waiting().await, 7);
    courier.deliver().await;
    assert_eq!(provider.number("SELECT COUNT(*) FROM outbox WHERE outcome = 'given_up'").await, 6);
    assert_eq!(provider.texts("SELECT sid FROM outbox WHERE finished_at IS NULL").await, ["young"]);
    assert_eq!(provider.number("SELECT MAX(attempts) FROM outbox").await, 1, "each probe was another one");
    // By then it is older than an hour too; but there is an answer.
    is_mended.store(true, Ordering::SeqCst);
    until(8_780).await;
    assert_eq!(provider.texts("SELECT outcome FROM outbox WHERE sid = 'young'").await, ["delivered"]);
}
