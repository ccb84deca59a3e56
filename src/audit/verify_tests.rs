//! Whatever somebody does to a chain, the walk finds it and says what it was.

use super::*;
use crate::audit::seal::{Outcome, in_unit};
use crate::audit::testing::{KEY, NOW, act, seal_all, verified};
use crate::domain::alg::Alg;
use crate::keys::check_master_key;
use crate::keys::policy::KeyPolicy;
use crate::keys::turning::{self, Wish};
use crate::keys::vault::Vault;
use crate::store::testing::TestStore;

/// Ten rows, sealed.
async fn chain() -> TestStore {
    let store = TestStore::open().await;
    for number in 1..=10 {
        act(&store, number).await;
    }
    seal_all(&store).await;
    assert_eq!(verified(&store).await.problems, []);
    store
}

/// What is said after somebody ran these statements on a chain of ten.
async fn after(statements: &[&'static str]) -> (Vec<String>, Vec<Problem>) {
    let store = chain().await;
    let ids = store.texts("SELECT id FROM audit ORDER BY id").await;
    for statement in statements {
        store.run(statement).await;
    }
    (ids, verified(&store).await.problems)
}

#[tokio::test]
async fn an_empty_chain_is_whole_and_what_waits_is_counted() {
    let store = TestStore::open().await;
    let report = verified(&store).await;
    assert!(report.is_whole());
    assert_eq!((report.sealed, report.unsealed, report.oldest_unsealed, report.head), (0, 0, None, None));
    act(&store, 1).await;
    let report = verified(&store).await;
    assert!(report.is_whole());
    assert_eq!((report.sealed, report.unsealed, report.oldest_unsealed), (0, 1, Some(NOW)));
    seal_all(&store).await;
    act(&store, 2).await;
    let report = verified(&store).await;
    assert_eq!((report.sealed, report.unsealed, report.head.map(|(number, _)| number)), (1, 1, Some(1)));
}

#[tokio::test]
async fn a_change_of_any_column_is_found_in_its_row_and_nowhere_else() {
    for statement in [
        "UPDATE audit SET at = at + 1 WHERE number = 4",
        "UPDATE audit SET action = 'thing.dead' WHERE number = 4",
        "UPDATE audit SET id = '0' WHERE number = 4",
        "UPDATE audit SET previous = 'x' WHERE number = 4",
        "UPDATE audit SET previous = NULL WHERE number = 4",
        "UPDATE audit SET mac = 'x' WHERE number = 4",
        "UPDATE audit SET mac = NULL WHERE number = 4",
        "UPDATE audit SET commitment = 'x' WHERE number = 4",
    ] {
        let (ids, problems) = after(&[statement]).await;
        let id = if statement.contains("SET id") { "0".to_owned() } else { ids[3].clone() };
        assert_eq!(problems, [Problem::RowChanged { number: 4, id }], "{statement}");
    }
    for statement in [
        "UPDATE audit SET actor = 'user:eve' WHERE number = 4",
        "UPDATE audit SET subject = 'another' WHERE number = 4",
        "UPDATE audit SET data = '{}' WHERE number = 4",
        "UPDATE audit SET salt = 'x' WHERE number = 4",
        "UPDATE audit SET salt = NULL, subject = 'erased' WHERE number = 4",
        "UPDATE audit SET erased = 'x' WHERE number = 4",
    ] {
        let (ids, problems) = after(&[statement]).await;
        assert_eq!(problems, [Problem::PersonalPartChanged { number: 4, id: ids[3].clone() }], "{statement}");
    }
    let (_, problems) = after(&["UPDATE audit SET key_id = 'x' WHERE number = 4"]).await;
    assert_eq!(problems, [Problem::AnotherKey { from: 4, to: 4, key_id: "x".to_owned() }]);
    let (ids, problems) = after(&["UPDATE audit SET number = 11 WHERE number = 4"]).await;
    let (missing, moved) =
        (Problem::RowsMissing { from: 4, to: 4 }, Problem::OrderChanged { number: 11, belongs: 4, id: ids[3].clone() });
    assert_eq!(problems, [missing, moved, Problem::HeadChanged]);
    let (ids, problems) = after(&["UPDATE audit SET mac = 'x' WHERE number = 10"]).await;
    assert_eq!(problems, [Problem::RowChanged { number: 10, id: ids[9].clone() }]);
}

#[tokio::test]
async fn rows_that_are_gone_are_named() {
    for (statement, problem) in [
        ("DELETE FROM audit WHERE number = 4", Problem::RowsMissing { from: 4, to: 4 }),
        ("DELETE FROM audit WHERE number BETWEEN 4 AND 7", Problem::RowsMissing { from: 4, to: 7 }),
        ("DELETE FROM audit WHERE number <= 2", Problem::RowsMissing { from: 1, to: 2 }),
        ("UPDATE audit SET number = NULL WHERE number = 4", Problem::RowsMissing { from: 4, to: 4 }),
        ("DELETE FROM audit WHERE number >= 9", Problem::EndMissing { last: 8, head: 10 }),
        ("DELETE FROM audit", Problem::EndMissing { last: 0, head: 10 }),
        ("DELETE FROM audit_head", Problem::HeadChanged),
        ("UPDATE audit_head SET mac = 'x'", Problem::HeadChanged),
        ("UPDATE audit_head SET number = 0, mac = ''", Problem::HeadChanged),
        ("UPDATE audit_head SET number = 9, mac = (SELECT mac FROM audit WHERE number = 9)", Problem::HeadChanged),
    ] {
        assert_eq!(after(&[statement]).await.1, [problem], "{statement}");
    }
}

#[tokio::test]
async fn another_order_is_told_from_another_content() {
    for (one, other) in [("3", "8"), ("4", "5"), ("1", "10")] {
        let swap = [
            format!("UPDATE audit SET number = -1 WHERE number = {one}"),
            format!("UPDATE audit SET number = {one} WHERE number = {other}"),
            format!("UPDATE audit SET number = {other} WHERE number = -1"),
        ];
        let (ids, problems) = after(&swap.map(|text| &*text.leak())).await;
        let number = |text: &str| text.parse::<i64>().unwrap();
        let moved = |stands: &str, belongs: &str| Problem::OrderChanged {
            number: number(stands),
            belongs: number(belongs),
            id: ids[usize::try_from(number(belongs) - 1).unwrap()].clone(),
        };
        assert_eq!(problems, [moved(one, other), moved(other, one)]);
    }
}

#[tokio::test]
async fn a_number_that_stands_twice_is_found_whichever_row_comes_first() {
    for (from, to) in [(4, 7), (7, 4)] {
        let again = format!("UPDATE audit SET number = {to} WHERE number = {from}").leak();
        let (ids, problems) = after(&["DROP INDEX audit_number", again]).await;
        let id = |number: usize| ids[number - 1].clone();
        let missing = Problem::RowsMissing { from, to: from };
        let twice = Problem::NumberTwice { number: to, id: id(7) };
        let from_id = id(usize::try_from(from).unwrap());
        let moved = Problem::OrderChanged { number: to, belongs: from, id: from_id };
        assert_eq!(problems.len(), 3, "{problems:?}");
        for problem in [missing, twice, moved] {
            assert!(problems.contains(&problem), "{problem:?} is not among {problems:?}");
        }
    }
}

#[tokio::test]
async fn histories_of_two_copies_cannot_be_mixed() {
    // Both copies are ours: each row is sound, sealed with the right key and number.
    let store = chain().await;
    let mut db = store.read().await.unwrap();
    let eight = audit_chain::following(&mut db, (7, "z"), 1).await.unwrap().remove(0);
    drop(db);
    let other = KEY.seal(&eight.event, (7, "the seventh row of the other copy"));
    store.run("UPDATE audit SET number = NULL WHERE number = 8").await;
    assert!(store.write(async move |tx| audit_chain::seal(tx, &eight.event.id, &other).await).await.unwrap());
    let problems = verified(&store).await.problems;
    assert_eq!(problems, [Problem::HistoriesMixed { number: 8 }, Problem::HistoriesMixed { number: 9 }]);
}

#[tokio::test]
async fn a_chain_under_another_key_is_one_problem() {
    let store = chain().await;
    let other = ChainKey::from_vault(&Vault::over([2; 32]));
    let report = verify(&store, &other, &[]).await.unwrap();
    assert_eq!(report.problems, [Problem::AnotherKey { from: 1, to: 10, key_id: KEY.id().to_owned() }]);
    assert_eq!(report.sealed, 10);
}

#[tokio::test]
async fn a_former_key_seals_nothing_behind_a_newer_one() {
    let store = TestStore::open().await;
    let vault = Vault::over([1; 32]);
    check_master_key(&store, &vault, NOW).await.unwrap();
    let former = ChainKey::from_vault(&vault);
    let (policy, wish) = (KeyPolicy::usual(&[Alg::ES256]), Wish::RevokeAll { reason: "stolen".to_owned() });
    let seal = async |key: &ChainKey| {
        let key = key.clone();
        store.write(async move |tx| in_unit(tx, &key).await).await.unwrap()
    };
    act(&store, 1).await;
    assert_eq!(seal(&former).await, Outcome::All(1));
    turning::carry_out(&store, &vault, &policy, &wish, "cli", &|| NOW).await.unwrap();
    // Who has not heard of it adds nothing.
    assert_eq!(seal(&former).await, Outcome::AnotherKey);
    check_master_key(&store, &vault, NOW).await.unwrap();
    let key = ChainKey::from_vault(&vault);
    assert!(matches!(seal(&key).await, Outcome::All(1..)));
    assert_eq!(verify(&store, &key, &[]).await.unwrap().problems, []);
    // Who has the old key, and the database.
    let (number, mac) = verify(&store, &key, &[]).await.unwrap().head.unwrap();
    act(&store, 2).await;
    let event = crate::store::audit::unsealed(&mut store.read().await.unwrap(), 1).await.unwrap().remove(0);
    let (id, forged) = (event.id.clone(), former.seal(&event, (number, &mac)));
    let head = forged.mac.clone();
    assert!(store.write(async move |tx| audit_chain::seal(tx, &event.id, &forged).await).await.unwrap());
    store.run(Box::leak(format!("UPDATE audit_head SET number = number + 1, mac = '{head}'").into_boxed_str())).await;
    let problems = verify(&store, &key, &[]).await.unwrap().problems;
    assert_eq!(problems, [Problem::FormerKey { number: number + 1, id }]);
    // He writes all of it anew, and hides that there is another key.
    store.run("UPDATE audit SET actor = 'user:nobody', number = NULL").await;
    store.run("UPDATE audit_head SET number = 0, mac = '', key_id = ''").await;
    assert!(matches!(seal(&former).await, Outcome::All(1..)));
    let problems = verify(&store, &key, &[]).await.unwrap().problems;
    assert!(problems.contains(&Problem::TurnDiffers { number: 1 }), "{problems:?}");
    assert!(problems.contains(&Problem::HeadChanged), "{problems:?}");
    store.run("UPDATE audit_turns SET number = 1000").await;
    let problems = verify(&store, &key, &[]).await.unwrap().problems;
    assert!(problems.contains(&Problem::TurnMissing { key_id: former.id().to_owned() }), "{problems:?}");
}

#[tokio::test]
async fn more_than_a_page_and_more_problems_than_can_be_told() {
    let store = TestStore::open().await;
    let rows = i64::from(PAGE) + 50;
    store
        .run(Box::leak(
            format!(
                "INSERT INTO audit (id, at, actor, action, subject, data) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
             SELECT 'r' || CAST(10000 + i AS TEXT), 1, 'cli', 'thing.deed', '', '{{}}' FROM n"
            )
            .into_boxed_str(),
        ))
        .await;
    seal_all(&store).await;
    let report = verified(&store).await;
    assert_eq!((report.problems, report.sealed), (Vec::new(), rows.unsigned_abs()));
    store.run("UPDATE audit SET at = 2 WHERE number > 500").await;
    let report = verified(&store).await;
    assert_eq!((report.problems.len(), report.more_problems), (MOST, rows.unsigned_abs() - 500 - 100));
    assert!(!report.is_whole());
}

mod checkpoints {
    use super::*;

    fn kept(head: &(i64, String), vouched: Vouched) -> Kept {
        Kept { number: head.0, mac: head.1.clone(), vouched }
    }

    async fn against(store: &TestStore, kept: &[Kept]) -> Report {
        verify(store, &KEY, kept).await.unwrap()
    }

    #[tokio::test]
    async fn a_chain_that_went_on_still_holds_them() {
        let store = chain().await;
        let ten = verified(&store).await.head.unwrap();
        act(&store, 11).await;
        seal_all(&store).await;
        let eleven = verified(&store).await.head.unwrap();
        let report = against(
            &store,
            &[kept(&ten, Vouched::Signed), kept(&eleven, Vouched::Signed), kept(&ten, Vouched::Unknown)],
        )
        .await;
        assert_eq!((report.problems, report.checkpoints, report.unproven_checkpoints), (Vec::new(), 3, 1));
        let report = against(&store, &[kept(&ten, Vouched::Forged)]).await;
        assert_eq!((report.problems, report.checkpoints), (vec![Problem::CheckpointForged { number: 10 }], 0));
    }

    #[tokio::test]
    async fn newest_rows_that_went_with_the_head_are_noticed() {
        let store = chain().await;
        let ten = verified(&store).await.head.unwrap();
        store.run("DELETE FROM audit WHERE number > 8").await;
        store.run("UPDATE audit_head SET number = 8, mac = (SELECT mac FROM audit WHERE number = 8)").await;
        assert_eq!(verified(&store).await.problems, [], "nothing else shows it");
        let gone = |signed| Problem::CheckpointMissing { number: 10, last: 8, signed };
        assert_eq!(against(&store, &[kept(&ten, Vouched::Signed)]).await.problems, [gone(true)]);
        assert_eq!(against(&store, &[kept(&ten, Vouched::Unknown)]).await.problems, [gone(false)]);
        // Other acts come to the same number.
        for number in 20..30 {
            act(&store, number).await;
        }
        seal_all(&store).await;
        assert_eq!(verified(&store).await.problems, []);
        let differs = Problem::CheckpointDiffers { number: 10, signed: true };
        assert_eq!(against(&store, &[kept(&ten, Vouched::Signed)]).await.problems, [differs]);
    }

    #[tokio::test]
    async fn a_history_written_anew_with_the_key_is_noticed() {
        let store = chain().await;
        let (five, ten) = {
            let mut db = store.read().await.unwrap();
            let of = |row: SealedRow| (row.seal.number, row.seal.mac);
            let five = of(audit_chain::following(&mut db, (4, "z"), 1).await.unwrap().remove(0));
            (five, of(audit_chain::following(&mut db, (9, "z"), 1).await.unwrap().remove(0)))
        };
        store.run("UPDATE audit SET actor = 'user:eve' WHERE number = 7").await;
        store.run("UPDATE audit SET number = NULL").await;
        store.run("UPDATE audit_head SET number = 0, mac = ''").await;
        seal_all(&store).await;
        assert_eq!(verified(&store).await.problems, []);
        let report = against(&store, &[kept(&ten, Vouched::Signed)]).await;
        assert_eq!(report.problems, [Problem::CheckpointDiffers { number: 10, signed: true }]);
        let report = against(&store, &[kept(&five, Vouched::Unknown)]).await;
        assert_eq!(report.problems, [Problem::CheckpointDiffers { number: 5, signed: false }]);
    }
}
