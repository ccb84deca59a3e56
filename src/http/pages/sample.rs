//! Every page in every state it can be in: the tests and the pictures are made from these.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;

use super::account::apps::{AppsView, WithdrawView};
use super::account::overview::OverviewView;
use super::account::password::PasswordView;
use super::account::sessions::SessionsView;
use super::account::{Notice, Room};
use super::admin;
use super::at_app::NotSignedInView;
use super::brand::Brand;
use super::choose_account::ChooseAccountView;
use super::consent::ConsentView;
use super::details::{Detail, ResourceShown};
use super::error::ErrorView;
use super::form_post::FormPostView;
use super::leaving::LeavingView;
use super::login::LoginView;
use super::logout::LogoutView;
use super::seen_from::SeenFrom;
use super::setup::{SetupInvalidView, SetupView};
use super::signed_out::SignedOutView;
use super::{AppShown, Person};
use crate::http::language::Language;

/// What somebody might register or type to break out of a page.
pub(in crate::http) const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}{{ 7*7 }}";

/// All pages by name (`login-wrong`), rendered in one language.
pub(in crate::http) fn all(t: Language) -> BTreeMap<String, String> {
    let brand = &brand();
    let mut pages = BTreeMap::new();
    let mut add = |page: &str, samples: Vec<(&'static str, String)>| {
        for (name, html) in samples {
            assert_eq!(pages.insert(format!("{page}-{name}"), html), None, "{page}-{name} is there twice");
        }
    };
    add("login", rendered(LoginView::samples(t, brand)));
    add("choose-account", rendered(ChooseAccountView::samples(t, brand)));
    add("consent", rendered(ConsentView::samples(t, brand)));
    add("logout", rendered(LogoutView::samples(t, brand)));
    add("leaving", rendered(LeavingView::samples(t, brand)));
    add("signed-out", rendered(SignedOutView::samples(t, brand)));
    add("error", rendered(ErrorView::samples(t, brand)));
    add("at-app", rendered(NotSignedInView::samples(t)));
    add("form-post", rendered(FormPostView::samples(t, brand)));
    add("setup", rendered(SetupView::samples(t, brand)));
    add("setup", rendered(SetupInvalidView::samples(t, brand)));
    add("overview", rendered(OverviewView::samples(t, brand)));
    add("password", rendered(PasswordView::samples(t, brand)));
    add("sessions", rendered(SessionsView::samples(t, brand)));
    add("apps", rendered(AppsView::samples(t, brand)));
    add("withdraw", rendered(WithdrawView::samples(t, brand)));
    add("admin-overview", rendered(admin::overview::OverviewView::samples(t, brand)));
    add("admin-people", rendered(admin::people::PeopleView::samples(t, brand)));
    add("admin-person", rendered(admin::people::PersonView::samples(t, brand)));
    add("admin-apps", rendered(admin::apps::AppsView::samples(t, brand)));
    add("admin-app", rendered(admin::apps::AppView::samples(t, brand)));
    add("admin-sessions", rendered(admin::sessions::SessionsView::samples(t, brand)));
    add("admin-audit", rendered(admin::audit::AuditView::samples(t, brand)));
    add("admin-confirm", rendered(admin::confirm::ConfirmView::samples(t, brand)));
    add("admin-keys", rendered(admin::keys::KeysView::samples(t, brand)));
    add("admin-key-rotate", rendered(admin::key_rotate::RotateView::samples(t, brand)));
    add("admin-key-canary", rendered(admin::canary::CanaryView::samples(t, brand)));
    add("admin-key-revoke", rendered(admin::keys::RevokeView::samples(t, brand)));
    add("admin-elevate", rendered(admin::elevate::ElevateView::samples(t, brand)));
    pages
}

/// Some page, for tests to which it does not matter which.
pub(in crate::http) fn any() -> SignedOutView {
    SignedOutView::samples(Language::english(), &brand()).remove(0).1
}

/// A `form_post` page with a hostile `state`.
pub(in crate::http) fn form_post() -> FormPostView {
    FormPostView::samples(Language::english(), &brand()).remove(0).1
}

pub(super) fn notes() -> AppShown {
    AppShown { name: "Notes".into(), host: Some("notes.example.com".into()) }
}

pub(super) fn frames() -> Vec<String> {
    vec![
        "https://notes.example.com/out?iss=https%3A%2F%2Fid.example.com&sid=x".into(),
        "https://maps.example.com/out".into(),
    ]
}

pub(super) fn long_app() -> AppShown {
    AppShown {
        name: "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".into(),
        host: Some("a-very-long-host-name-of-an-app.department-of-many-things.example.com".into()),
    }
}

pub(super) fn hostile_app() -> AppShown {
    AppShown { name: HOSTILE.into(), host: Some(HOSTILE.into()) }
}

pub(super) fn alice() -> Person {
    Person { name: "Alice Liddell".into(), username: "alice".into() }
}

pub(super) fn long_person() -> Person {
    Person {
        name: "Wolfeschlegelsteinhausenbergerdorff-Österreichischer von und zu Guttenberg".into(),
        username: "wolfeschlegelsteinhausenbergerdorff.oesterreichischer@department.example.com".into(),
    }
}

pub(super) fn details() -> Vec<Detail> {
    [
        ("sub", None),
        ("name", Some("Alice Liddell")),
        ("email", Some("alice@example.com")),
        ("phone_number", None),
        ("address", Some("Christ Church, Oxford, GB")),
    ]
    .into_iter()
    .filter_map(|(claim, value)| Detail::from_claim(claim, value.map(Into::into)))
    .collect()
}

pub(super) fn resources() -> Vec<ResourceShown> {
    vec![ResourceShown { name: "Notes API".into(), scopes: vec!["notes:read".into(), "notes:write".into()] }]
}

pub(super) fn room(person: Person, notice: Option<Notice>) -> Room {
    Room { person, csrf: "c5rf".into(), sign_out: "/logout".into(), notice, admin: false }
}

pub(super) fn admin_room(notice: Option<admin::Notice>) -> admin::Room {
    let person = Person { name: "Ada Admin".into(), username: "admin".into() };
    admin::Room { person, csrf: "c5rf".into(), sign_out: "/logout".into(), notice, now: 1_763_900_000 }
}

/// What happened in the admin's room, with what a stranger may have written.
pub(super) fn events() -> Vec<admin::audit::EventRow> {
    let row = |past: i64, action: &str, person: Option<(&str, &str)>, data: &[(&str, &str)]| admin::audit::EventRow {
        at: 1_763_900_000 - past,
        actor: "user:01jd9x3q7m5w8t2v".into(),
        person: person.map(|(name, href)| (name.into(), href.into())),
        action: action.into(),
        subject: "01jd9x3q7m5w8t2v".into(),
        subject_person: None,
        data: data.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    vec![
        row(5, "user.disable", Some((&long_person().name, "/admin/people/1")), &[]),
        row(70, "session.end", None, &[("reason", "admin"), ("sessions", "1")]),
        row(4_000, "admin.refused", Some((HOSTILE, "/admin/people/2")), &[("guard", HOSTILE)]),
    ]
}

/// Two sessions.
pub(super) fn admin_sessions() -> Vec<admin::sessions::SessionRow> {
    let row = |agent: &str, seen_from: SeenFrom, past: i64, current: bool| admin::sessions::SessionRow {
        id: "01jd9x3q7m5w8t2v".into(),
        person: None,
        device: super::device::Device::from_user_agent(Some(agent)),
        seen_from: Some(seen_from),
        apps: vec![notes().name],
        signed_in: 1_763_900_000 - past - 500,
        last_used: 1_763_900_000 - past,
        idle: !current,
        current,
        end: "/admin/sessions/1/end".into(),
    };
    vec![
        row("Mozilla/5.0 (X11; Linux x86_64) Firefox/151.0", SeenFrom::sample("203.0.113.7", None), 20, true),
        row("", SeenFrom::sample("2001:db8:1234:5678:9abc:def0:1234:5678", Some(HOSTILE)), 90_000, false),
    ]
}

fn brand() -> Arc<Brand> {
    Arc::new(Brand::plain("id.example.com".into()))
}

fn rendered<T: Template>(samples: Vec<(&'static str, T)>) -> Vec<(&'static str, String)> {
    samples.into_iter().map(|(name, view)| (name, view.render().unwrap())).collect()
}

mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|found| found == extension) {
                    let text = std::fs::read_to_string(&path).unwrap();
                    found.push((path, text));
                }
            }
        }
        assert!(!found.is_empty());
        found
    }

    /// The text with everything between `open` and `close` replaced by one space.
    fn without(text: &str, open: &str, close: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once(open) {
            out.push_str(before);
            out.push(' ');
            rest = inside.split_once(close).map_or("", |(_, after)| after);
        }
        out + rest
    }

    /// Texts between tags, and the values of attributes that people see or hear.
    fn visible(html: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for attribute in
            ["title=\"", "alt=\"", "placeholder=\"", "aria-label=\"", "label=\"", "data-hide=\"", "data-hide-short=\""]
        {
            seen.extend(html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).map(Into::into));
        }
        let text = without(&without(html, "<script>", "</script>"), "<", ">");
        seen.extend(text.split_whitespace().map(Into::into));
        seen
    }

    #[test]
    fn templates_have_no_text_of_their_own() {
        for (path, template) in files("templates", "html") {
            let bare = without(&without(&without(&template, "{#", "#}"), "{%", "%}"), "{{", "}}");
            for text in visible(&bare) {
                assert!(!text.contains(char::is_alphabetic), "{}: {text:?} belongs into a message", path.display());
            }
        }
    }

    #[test]
    fn templates_escape_everything_and_have_no_inline_style_or_handler() {
        for (path, template) in files("templates", "html") {
            for forbidden in ["|safe", "| safe", "escape", "style=", "<style", " on", "javascript:"] {
                if forbidden == " on" {
                    let handler = template.split(" on").skip(1).any(|rest| {
                        let name: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
                        rest[name.len()..].starts_with('=')
                    });
                    assert!(!handler, "{}: an event handler", path.display());
                } else {
                    assert!(!template.contains(forbidden), "{}: {forbidden}", path.display());
                }
            }
        }
    }

    #[test]
    fn every_page_renders_in_every_language_with_every_message() {
        for t in [Language::english(), Language::pseudo(), Language::pseudo_rtl()] {
            for (name, html) in all(t) {
                assert!(!html.contains('⟦'), "{name}: a message is missing: {html}");
                assert!(!html.contains("{$"), "{name}: a value is missing");
                assert!(html.contains(&format!("<html lang=\"{}\" dir=\"{}\">", t.tag(), t.direction())), "{name}");
                assert_eq!(html.matches("<h1").count(), 1, "{name}: one heading");
                assert_eq!(html.matches("<main").count(), 1, "{name}: one main");
            }
        }
    }

    /// What stands in a page of an invented language in plain letters does not come from a message.
    #[test]
    fn no_page_says_anything_past_the_messages() {
        let values: BTreeSet<String> = {
            let spoken: BTreeSet<String> = all(Language::pseudo()).values().flat_map(|html| visible(html)).collect();
            let other: BTreeSet<String> = all(Language::pseudo_rtl()).values().flat_map(|html| visible(html)).collect();
            spoken
                .intersection(&other)
                .filter(|word| word.contains(|c: char| c.is_ascii_alphabetic()))
                .cloned()
                .collect()
        };
        let samples = format!(
            "{HOSTILE} {:?} {:?} {:?} {:?} {:?} {:?} Frontdesk id.example.com redirect_uri is not one of the registered addresses \
             transaction_expired transaction_answered form_refused access_denied temporarily_unavailable server_error invalid_client invalid_request not_found \
             01jd9x3q7m5w8t2v com.example.notes robot Ada Admin admin user:01jd9x3q7m5w8t2v user.disable session.end admin.refused \
             reason sessions guard a signing key is missing 2001:db8:1234:5678:9abc:def0:1234:5678 Firefox Linux Safari iPhone Windows Vienna, Austria Llanfairpwllgwyngyll, United Kingdom Japan \
             ES256 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I 0ZcOCORZ",
            notes(),
            long_app(),
            alice(),
            long_person(),
            details(),
            resources()
        );
        let initials = ["N", "A", "W", "D", "S", "R"];
        let plain = |word: &str| word.replace(['\u{2068}', '\u{2069}'], "");
        for word in values {
            let word =
                plain(&word).replace("&#34;", "\"").replace("&#39;", "'").replace("&#62;", ">").replace("&#60;", "<");
            let word = word.trim_end_matches([',', '.', ':', '?']);
            assert!(
                samples.contains(&word.replace('"', "\\\"")) || samples.contains(word) || initials.contains(&word),
                "{word:?} is not a message"
            );
        }
    }

    #[test]
    fn hostile_values_stay_text() {
        for (name, html) in all(Language::english()) {
            assert!(!html.contains("<script>alert"), "{name}");
            assert!(!html.contains("<img src=x"), "{name}");
            if name.ends_with("hostile") {
                assert!(html.contains("&#60;script&#62;alert(1)"), "{name}: the hostile value is not shown at all");
            }
        }
    }

    #[test]
    fn every_message_is_used_and_every_used_message_exists() {
        let keys: BTreeSet<String> = Language::keys().into_iter().collect();
        assert!(keys.len() > 100);
        let mut used = BTreeSet::new();
        let mut sources = files("templates", "html");
        sources.extend(files("src/http/pages", "rs").into_iter().filter(|(path, _)| !path.ends_with("sample.rs")));
        sources.extend(files("src/http", "rs").into_iter().filter(|(path, _)| path.ends_with("language.rs")));
        for (path, text) in &sources {
            let text = text.split("mod tests {").next().unwrap_or_default();
            used.extend(text.split('"').filter(|word| keys.contains(*word)).map(str::to_owned));
            for call in [".get(\"", ".with(\"", ".around(\"", ".count(\"", ".fill(\""] {
                for key in text.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(keys.contains(key), "{}: there is no message {key}", path.display());
                }
            }
        }
        let unused: Vec<_> = keys.difference(&used).collect();
        assert!(unused.is_empty(), "unused messages: {unused:?}");
    }

    #[test]
    fn every_asset_a_template_names_exists() {
        for (path, template) in files("templates", "html") {
            for name in template.split("asset(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert_ne!(crate::http::assets::asset(name), "/static/", "{}: {name}", path.display());
            }
        }
    }

    #[test]
    fn forms_carry_the_csrf_value_and_the_transaction() {
        for (name, html) in all(Language::english()) {
            for form in html.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap()) {
                if form.starts_with("method=\"get\" action=\"/admin/") {
                    // A search: it changes nothing, and its address shall not carry the value.
                    assert!(!form.contains("csrf"), "{name}: {form}");
                    continue;
                }
                assert!(form.starts_with("method=\"post\" action=\""), "{name}: {form}");
                if !name.starts_with("form-post") {
                    assert!(form.contains("<input type=\"hidden\" name=\"csrf\" value=\"c5rf\">"), "{name}: {form}");
                }
            }
            if ["login-first", "consent-full", "choose-account-usual", "logout-by-app"].contains(&name.as_str()) {
                assert!(html.contains("<input type=\"hidden\" name=\"txn\" value=\"01J9ZK\">"), "{name}");
            }
        }
    }

    /// The hooks of the contract, by which scripts drive the pages.
    #[test]
    fn the_pages_have_the_promised_hooks() {
        let pages = all(Language::english());
        for (page, hooks) in [
            (
                "login-first",
                &[
                    "name=\"username\"",
                    "name=\"password\"",
                    "name=\"remember\"",
                    "id=\"login-submit\"",
                    "to continue to",
                    "notes.example.com",
                ][..],
            ),
            (
                "login-wrong",
                &["id=\"form-error\"", "value=\"alice\"", "aria-invalid=\"true\"", " checked", "autofocus"],
            ),
            ("login-throttled", &["id=\"form-error\""]),
            ("login-again", &["name=\"username\" value=\"alice\"", "switch=1"]),
            (
                "consent-full",
                &[
                    "id=\"client-name\"",
                    "id=\"consent-accept\"",
                    "id=\"consent-deny\"",
                    "alice@example.com",
                    "Notes API",
                    "notes:write",
                    "name=\"decision\" value=\"accept\"",
                    "name=\"decision\" value=\"deny\"",
                ],
            ),
            ("consent-loopback", &["class=\"warning\""]),
            ("consent-scheme", &["class=\"warning\"", "com.example.notes"]),
            ("logout-own", &["id=\"logout-confirm\""]),
            ("signed-out-plain", &["id=\"signed-out\""]),
            ("signed-out-frames", &["<iframe hidden", "src=\"https://maps.example.com/out\"", "sandbox="]),
            (
                "leaving-usual",
                &[
                    "id=\"signed-out\"",
                    "<iframe hidden",
                    "content=\"3; url=https://notes.example.com/bye?state=af0ifjsldkj\"",
                    "id=\"leave\" href=\"https://notes.example.com/bye?state=af0ifjsldkj\"",
                ],
            ),
            ("signed-out-back", &["href=\"https://notes.example.com/\"", "rel=\"noopener noreferrer\""]),
            ("error-expired", &["id=\"error-page\"", "id=\"error-code\"", "id=\"request-id\"", "01jd9x3q7m5w8t2v"]),
            (
                "sessions-several",
                &[
                    "data-session=\"01a\"",
                    "data-session=\"01d\"",
                    "name=\"session\" value=\"01b\"",
                    "id=\"end-others\"",
                ],
            ),
            ("apps-several", &["data-app=\"notes\"", "client_id=notes"]),
            ("withdraw-usual", &["name=\"client_id\" value=\"notes\""]),
            (
                "password-first",
                &["autocomplete=\"current-password\"", "autocomplete=\"new-password\"", "name=\"repeat_password\""],
            ),
            (
                "setup-first",
                &[
                    "name=\"username\"",
                    "name=\"name\"",
                    "name=\"email\"",
                    "name=\"new_password\"",
                    "name=\"repeat_password\"",
                ],
            ),
            (
                "setup-taken",
                &[
                    "name=\"username\" type=\"text\" value=\"alice\"",
                    "name=\"name\" type=\"text\" value=\"Alice Liddell\"",
                    "type=\"email\" value=\"\"",
                ],
            ),
        ] {
            for hook in hooks {
                assert!(pages[page].contains(hook), "{page} lacks {hook}: {}", pages[page]);
            }
        }
        assert!(!pages["login-first"].contains("id=\"form-error\""));
        assert!(!pages["sessions-one"].contains("id=\"end-others\""));
    }

    #[test]
    fn passwords_are_never_sent_back() {
        for (name, html) in all(Language::english()) {
            for field in html.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap()) {
                assert!(!field.contains("type=\"password\"") || !field.contains("value="), "{name}: {field}");
            }
        }
    }

    #[test]
    fn the_sign_in_page_stays_small() {
        let page = all(Language::english()).remove("login-first").unwrap();
        let with_it: usize = crate::http::assets::files()
            .filter(|(path, _)| {
                !["/static/frontdesk.", "/static/leaving.", "/static/check_session.", "/static/admin."]
                    .iter()
                    .any(|other| path.starts_with(other))
            })
            .map(|(_, body)| body.len())
            .sum();
        assert!(page.len() + with_it <= 15 * 1024, "{} and {with_it}", page.len());
    }

    /// For the pictures: every page as a file, `target/pages/<language>/<name>.html`, and the static files beside.
    #[test]
    fn every_page_is_written_for_the_pictures() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
        std::fs::create_dir_all(top.join("static")).unwrap();
        for (path, body) in crate::http::assets::files() {
            std::fs::write(top.join(path.trim_start_matches('/')), body).unwrap();
        }
        for t in [Language::english(), Language::pseudo(), Language::pseudo_rtl()] {
            let folder = top.join(t.tag());
            std::fs::create_dir_all(&folder).unwrap();
            for (name, html) in all(t) {
                std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
            }
            assert!(folder.join("login-first.html").is_file());
        }
    }
}
