//! Settings, addresses and alarms that the documents name exist.

use std::collections::BTreeSet;

use crate::{documents, root};

/// Words of `config.toml`: `section.key`, also of settings that are shown in a comment.
fn settings() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("config.toml")).unwrap();
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.')
        {
            found.insert(format!("{section}.{key}"));
        }
    }
    found
}

#[test]
fn every_setting_that_is_named_exists() {
    let known = settings();
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for document in documents() {
        for code in document.code() {
            let variable = code
                .split('=')
                .next()
                .unwrap_or_default()
                .strip_prefix("FRONTDESK__")
                .map(|name| name.to_lowercase().replace("__", "."));
            let name = variable.unwrap_or_else(|| code.split(" = ").next().unwrap_or_default().to_owned());
            let is_setting = name.split_once('.').is_some_and(|(section, key)| {
                sections.contains(section)
                    && !key.is_empty()
                    && key.chars().all(|c| c.is_ascii_lowercase() || "_.".contains(c))
            });
            if is_setting && name != "section.key" {
                if !known.contains(&name) {
                    wrong.push(format!("{}: there is no setting {name}", document.path.display()));
                }
                seen.insert(name);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(seen.len() >= 20, "only {seen:?} were seen");
}

/// What our addresses begin with.
const OURS: &[&str] = &[
    "/.well-known/",
    "/oauth2/",
    "/auth/",
    "/static/",
    "/setup/",
    "/account",
    "/login",
    "/logout",
    "/consent",
    "/healthz",
    "/readyz",
    "/device",
    "/register",
    "/status",
    "/revocations/",
    "/forward-auth/",
    "/.frontdesk/",
    "/admin/",
    "/metrics",
];

/// What may stand before an address of ours.
const ISSUERS: &[&str] = &["http://localhost:8080", "https://id.example.com", "${issuer}", "{ISSUER}"];

#[test]
fn every_address_that_is_named_is_in_the_router() {
    let router = std::fs::read_to_string(root().join("src/http/router.rs")).unwrap();
    let mut routes: BTreeSet<&str> =
        router.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    routes.extend(frontdesk::http::admin::table::doors().iter().map(|door| door.path));
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for document in documents() {
        let mut texts: Vec<String> = document.blocks.iter().map(|block| block.text.clone()).collect();
        texts.extend(document.code());
        for text in texts {
            for address in addresses(&text) {
                if !routes.iter().any(|route| leads_to(route, &address)) {
                    wrong.push(format!("{}: there is no {address}", document.path.display()));
                }
                seen.insert(address);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(seen.len() >= 10, "only {seen:?} were seen");
}

fn addresses(text: &str) -> Vec<String> {
    // An issuer is as good as the beginning of a word.
    let text = ISSUERS.iter().fold(text.to_owned(), |text, issuer| text.replace(issuer, " "));
    let words = text.split(|c: char| c.is_whitespace() || "`'\"(),;<>".contains(c));
    let ours = words.filter(|word| OURS.iter().any(|start| word.starts_with(start)));
    ours.map(|word| word.split(['?', '#']).next().unwrap_or_default().trim_end_matches(['.', ':']).to_owned()).collect()
}

fn leads_to(route: &str, address: &str) -> bool {
    // The beginning of several, as proxies are told it.
    if address.ends_with('/') && route.starts_with(address) {
        return true;
    }
    let (mut route, mut address) = (route.split('/'), address.split('/'));
    loop {
        match (route.next(), address.next()) {
            (None, None) => return true,
            (Some(rest), Some(_)) if rest.starts_with("{*") => return true,
            (Some(part), Some(_)) if part.starts_with('{') => {}
            (Some(part), Some(own)) if part == own => {}
            _ => return false,
        }
    }
}

#[test]
fn every_alarm_that_is_explained_can_ring() {
    let operate = documents().into_iter().find(|document| document.path.ends_with("operate.md")).unwrap();
    let table: Vec<&str> = operate
        .prose
        .lines()
        .skip_while(|line| !line.starts_with("| `alarm`"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let explained: BTreeSet<&str> = table
        .iter()
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|names| names.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(explained, alarms(), "docs/operate.md explains the alarms on the left, src raises those on the right");
}

/// The alarms in the sources. Those that end a grant have the words of [`EndReason`](frontdesk::domain::grant::EndReason).
fn alarms() -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap().leak();
                found.extend(text.split("alarm = \"").skip(1).filter_map(|rest| rest.split('"').next()));
            }
        }
    }
    let ends = [frontdesk::domain::grant::EndReason::RefreshReuse, frontdesk::domain::grant::EndReason::Retries];
    found.extend(ends.map(frontdesk::domain::grant::EndReason::as_str));
    found
}
