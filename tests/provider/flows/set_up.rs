//! The first admin comes by a link that works once.

use frontdesk::accounts::first_admin;

use crate::support::{PASSWORD, TestProvider};

const FORM: [(&str, &str); 5] = [
    ("username", "root"),
    ("name", "Root Person"),
    ("email", "root@example.com"),
    ("new_password", PASSWORD),
    ("repeat_password", PASSWORD),
];

#[tokio::test]
async fn the_link_creates_the_first_admin_and_then_works_no_more() {
    let provider = TestProvider::empty().await;
    let link = first_admin::invite(&provider.app().store, provider.app().clock.now()).await.unwrap().unwrap();
    let path = format!("/setup/{}", link.expose());
    let browser = provider.browser();
    browser.go(&path).await.expect(200);
    let page = browser.go(&path).await.expect(200);
    let weak = [FORM[0], FORM[1], FORM[2], ("new_password", "short"), ("repeat_password", "short")];
    browser.submit(&page, &path, &weak).await.expect(400);
    assert_eq!(provider.number("SELECT COUNT(*) FROM users").await, 0);

    browser.submit(&page, &path, &FORM).await.expect_at("/login");

    browser.sign_in("root").await;
    let other = [("username", "second"), FORM[1], ("email", "second@example.com"), FORM[3], FORM[4]];
    browser.submit(&page, &path, &other).await.expect(404);
    browser.go(&path).await.expect(404);
    assert_eq!(provider.texts("SELECT username FROM users").await, ["root"]);
    assert!(provider.texts("SELECT roles FROM users").await[0].contains("admin"));
    let done = "SELECT value FROM installation WHERE name = 'setup_completed'";
    assert_eq!(
        provider.texts(done).await,
        ["by link"],
        "written with the admin, so that it holds when there is none again"
    );
    let again = first_admin::invite(&provider.app().store, provider.app().clock.now()).await.unwrap();
    assert!(again.is_none());
}

#[tokio::test]
async fn the_link_works_for_an_hour_and_cannot_be_guessed() {
    let provider = TestProvider::empty().await;
    let link = first_admin::invite(&provider.app().store, provider.app().clock.now()).await.unwrap().unwrap();
    let path = format!("/setup/{}", link.expose());
    let browser = provider.browser();
    let page = browser.go(&path).await.expect(200);
    let guessed = format!("{}A", &path[..path.len() - 1]);
    if guessed != path {
        browser.go(&guessed).await.expect(404);
    }
    provider.advance(3600).await;
    browser.go(&path).await.expect(404);
    browser.submit(&page, &path, &FORM).await.expect(404);
    assert_eq!(provider.number("SELECT COUNT(*) FROM users").await, 0);
}

#[tokio::test]
async fn the_file_with_the_link_goes_when_set_up_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frontdesk.db");
    let provider = TestProvider::empty_with(|config| {
        config.database.url = frontdesk::config::DatabaseUrl::Sqlite(file);
    })
    .await;
    let link = first_admin::invite(&provider.app().store, provider.app().clock.now()).await.unwrap().unwrap();
    let path = format!("/setup/{}", link.expose());
    std::fs::write(provider.app().setup_link_file(), &path).unwrap();
    let browser = provider.browser();
    let page = browser.go(&path).await.expect(200);
    browser.submit(&page, &path, &[FORM[0], FORM[1], FORM[2]]).await.expect(400);
    assert!(provider.app().setup_link_file().exists(), "it is still needed");
    browser.submit(&page, &path, &FORM).await.expect_at("/login");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_bad_name_is_told_as_a_bad_name() {
    let provider = TestProvider::empty().await;
    let link = first_admin::invite(&provider.app().store, provider.app().clock.now()).await.unwrap().unwrap();
    let path = format!("/setup/{}", link.expose());
    let browser = provider.browser();
    let page = browser.go(&path).await.expect(200);
    for (field, value, told) in [
        ("name", "Root\tPerson", "Enter a shorter name"),
        ("username", "ro\tot", "at most 128 characters"),
        ("username", "", "Choose a username"),
        ("email", "root", "Enter an email address"),
    ] {
        let form = FORM.map(|(name, own)| (name, if name == field { value } else { own }));
        let page = browser.submit(&page, &path, &form).await.expect(400).expect_text(told);
        assert_eq!(page.answer.body.matches("aria-invalid").count(), 1, "{field}");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM users").await, 0);
}

#[tokio::test]
async fn who_cannot_be_served_now_is_told_when_to_come_back() {
    let provider = TestProvider::empty_with(|config| {
        config.passwords.threads = 1;
        config.passwords.queue = 0;
        config.passwords.memory_kib = 64 * 1024;
        config.passwords.iterations = 10;
    })
    .await;
    let link = first_admin::invite(&provider.app().store, provider.app().clock.now()).await.unwrap().unwrap();
    let path = format!("/setup/{}", link.expose());
    let browser = provider.browser();
    let page = browser.go(&path).await.expect(200);
    let pool = provider.app().accounts.passwords();
    let other = pool.hash(frontdesk::domain::secret::Secret::new(PASSWORD.to_owned()));
    let (_, answer) = tokio::join!(other, browser.submit(&page, &path, &FORM));
    let answer = answer.expect(503);
    assert_eq!(answer.answer.header("retry-after"), "1");
    assert_eq!(provider.number("SELECT COUNT(*) FROM users").await, 0);
}
