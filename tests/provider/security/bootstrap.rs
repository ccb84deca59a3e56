//! A house before its first admin: no password opens it, no link can be guessed, and the link closes for good.

use frontdesk::accounts::first_admin;

use crate::support::{PASSWORD, TestProvider};

#[tokio::test]
async fn row_128_a_new_house_has_no_people_and_no_password_opens_it() {
    let provider = TestProvider::empty().await;
    provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'clients'").await;
    provider.follow_changes().await;
    for (name, password) in [
        ("admin", "admin"),
        ("admin", "password"),
        ("admin", "changeme"),
        ("admin", "123456"),
        ("admin", "frontdesk"),
        ("admin", "Admin123!"),
        ("admin", "secret"),
        ("admin", " "),
        ("root", "root"),
        ("root", "toor"),
        ("root", "password"),
        ("administrator", "administrator"),
        ("administrator", "password"),
        ("frontdesk", "frontdesk"),
        ("frontdesk", "password"),
        ("user", "user"),
        ("test", "test"),
        ("demo", "demo"),
        ("guest", "guest"),
        ("setup", "setup"),
        ("system", "system"),
        ("alice", "alice"),
        ("admin@example.com", "admin"),
    ] {
        // From networks of their own, so that the throttle refuses none of them.
        let network = name.len() * 8 + password.len();
        let browser =
            provider.browser().at(&format!("10.{}.{network}.1", name.bytes().map(u32::from).sum::<u32>() % 256));
        browser.try_to_sign_in(name, password).await.expect_at("/login").expect(200);
        assert_eq!(browser.cookie("sid"), None, "{name}");
    }
    for table in ["users", "sessions", "clients", "grants"] {
        assert_eq!(provider.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn row_128_the_set_up_link_cannot_be_guessed_is_not_stored_and_closes_for_good() {
    let provider = TestProvider::empty().await;
    let (store, clock) = (&provider.app().store, &provider.app().clock);
    let link = first_admin::invite(store, clock.now()).await.unwrap().unwrap();
    let second = first_admin::invite(store, clock.now()).await.unwrap().unwrap();
    let text = link.expose();
    assert!(text.len() >= 64, "more than can be guessed");
    for column in ["id", "digest"] {
        for kept in provider.texts(&format!("SELECT {column} FROM setup_links")).await {
            assert!(!text.contains(&kept), "{column} holds the secret");
        }
    }
    let browser = provider.browser();
    let page = browser.go(&format!("/setup/{text}")).await.expect(200);
    assert_eq!(page.answer.header("cache-control"), "no-store");
    let fields = [
        ("username", "root"),
        ("name", "Root Person"),
        ("email", "root@example.com"),
        ("new_password", PASSWORD),
        ("repeat_password", PASSWORD),
    ];
    let mut turned = text.to_owned().into_bytes();
    let last = turned.len() - 1;
    turned.swap(last, last - 1);
    let turned = String::from_utf8(turned).unwrap();
    let guesses = [
        "".to_owned(),
        "x".to_owned(),
        "fd_ln_".to_owned(),
        "admin".to_owned(),
        "null".to_owned(),
        "%00".to_owned(),
        "..".to_owned(),
        "*".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}A"),
        text.to_uppercase(),
        text.to_lowercase(),
        text.replace("fd_ln_", ""),
        text.replace("fd_ln_", "fd_ss_"),
        text.replace("fd_ln_", "fd_pr_"),
        format!("{}{}", &text[..40], "A".repeat(text.len() - 40)),
        format!("fd_ln_{}", "A".repeat(64)),
        format!("fd_ln_{}", link.id()),
        link.id().to_owned(),
        link.digest().as_str().to_owned(),
        turned,
        format!("{text}/"),
    ];
    assert!(guesses.len() >= 20);
    for guess in guesses.iter().filter(|guess| guess.as_str() != text) {
        let path = format!("/setup/{}", guess.replace(' ', "%20"));
        let answer = browser.go(&path).await;
        assert_eq!(answer.answer.status.as_u16(), 404, "{guess:?}");
        // The form, sent to the guess instead.
        let csrf = page.hidden(&format!("/setup/{text}"), "csrf");
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(&fields);
        let own = provider.issuer().to_owned();
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", own.as_str())];
        let answer = browser.fetch(&path, &headers, crate::support::encode(&all)).await;
        assert_eq!(answer.status.as_u16(), 404, "{guess:?}");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM users").await, 0);

    browser.submit(&page, &format!("/setup/{text}"), &fields).await.expect_at("/login");

    // Every other link is void with it, and no new one is made.
    browser.go(&format!("/setup/{}", second.expose())).await.expect(404);
    let other = [("username", "second"), fields[1], ("email", "second@example.com"), fields[3], fields[4]];
    browser.submit(&page, &format!("/setup/{text}"), &other).await.expect(404);
    assert!(first_admin::invite(store, clock.now()).await.unwrap().is_none());
    assert_eq!(provider.texts("SELECT username FROM users").await, ["root"]);
    // Not even when all admins are gone again: the set-up is done once.
    provider.run("UPDATE users SET roles = ''").await;
    assert!(first_admin::invite(store, clock.now()).await.unwrap().is_none());
    browser.go(&format!("/setup/{}", second.expose())).await.expect(404);
}

#[tokio::test]
async fn row_128_an_admin_who_comes_by_another_way_closes_the_set_up() {
    let provider = TestProvider::start().await;
    let (store, clock) = (&provider.app().store, &provider.app().clock);
    // The admin was registered on the command line; a link from before would still lie in a terminal.
    assert!(first_admin::invite(store, clock.now()).await.unwrap().is_none());
    let link = {
        use frontdesk::domain::token::{Kind, OpaqueToken};
        use frontdesk::store::setup_links;
        let link = OpaqueToken::mint(Kind::Link);
        let (kept, until) = (OpaqueToken::parse(Kind::Link, link.expose()).unwrap(), clock.now());
        let until = until.plus(std::time::Duration::from_secs(3600));
        store.write(async move |tx| setup_links::insert(tx, &kept, until).await).await.unwrap();
        link
    };
    provider.browser().go(&format!("/setup/{}", link.expose())).await.expect(404);
    assert_eq!(provider.number("SELECT COUNT(*) FROM users").await, 3);
    assert_eq!(provider.number("SELECT COUNT(*) FROM setup_links WHERE consumed_at IS NOT NULL").await, 0);
}
