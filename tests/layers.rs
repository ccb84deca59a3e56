//! Who may import whom.
//!
//! The picture of the layers, held as data, and the homes of the crates from outside. Every path in every file under `src/`
//! is compared with them: a `use`, each branch of a grouped one, a path inside an expression, and `super` when it climbs out
//! of its layer. Comments may name what they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom. A module names only modules in rows below its own; modules that share a row do not know each other.
const ROWS: &[&[&str]] = &[
    &["main"], // src/main.rs, the door
    &["cli"],
    &["demo"],
    &["http", "jobs"],
    &["app"],
    &["oauth"],
    &["accounts"],
    &["audit", "tokens"],
    &["keys", "logging", "outbound"],
    &["config", "store"],
    &["domain"],
    &["crypto"],
];

/// Crates from outside that have a home, and the modules that are it.
const HOMES: &[(&str, &[&str])] = &[
    ("argon2", &["accounts::passwords"]),
    ("askama", &["http", "demo"]),
    ("aws_lc_rs", &["crypto", "keys"]),
    ("axum", &["http", "demo"]),
    ("clap", &["cli", "main"]),
    ("cookie", &["http", "demo"]),
    ("frontdesk_verifier", &["demo"]),
    ("hyper_util", &["http"]),
    ("jsonwebtoken", &["keys", "tokens", "oauth::client_auth"]),
    ("lettre", &["outbound"]),
    ("p256", &["keys"]),
    ("reqwest", &["outbound"]),
    ("rsa", &["keys"]),
    ("rustls", &["http"]),
    ("sqlx", &["store"]),
    ("tokio_rustls", &["http"]),
    ("utoipa", &["http"]),
];

/// What `rsa` offers beyond keys. Its private-key operations are under RUSTSEC-2023-0071; see deny.toml.
const RSA_BEYOND_KEYS: &[&str] = &[
    "Oaep",
    "Pkcs1v15Encrypt",
    "Pkcs1v15Sign",
    "Pss",
    "decrypt",
    "hazmat",
    "oaep",
    "pkcs1v15",
    "pss",
    "signature",
    "traits::Decryptor",
    "traits::RandomizedDecryptor",
    "traits::SignatureScheme",
];

#[test]
fn every_module_names_only_modules_below_it() {
    let sources = sources("src");
    let homes_by_attribute = homes_by_attribute(&sources);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for source in &sources {
        let module = homes_by_attribute.get(&source.file).cloned().unwrap_or_else(|| source.module());
        wrong.extend(complaints(source, &module, &mut seen));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));

    // That nothing is wrong counts only if there was something to see.
    assert!(sources.len() >= 50, "only {} files were read", sources.len());
    for edge in [("store", "domain"), ("domain", "crypto"), ("main", "cli")] {
        assert!(
            seen.contains(&(edge.0.to_owned(), edge.1.to_owned())),
            "{edge:?} was not seen; are the files read rightly?"
        );
    }
}

#[test]
fn every_top_level_module_is_in_the_picture() {
    let mut found: BTreeSet<String> =
        sources("src").iter().filter_map(|source| source.module().into_iter().next()).collect();
    found.remove("lib");
    let missing: Vec<_> = found.iter().filter(|name| row(name).is_none()).collect();
    assert!(missing.is_empty(), "give these modules of src/ a row in tests/layers.rs: {missing:?}");
    assert!(found.len() >= 8, "only {found:?} were found");
}

#[test]
fn the_root_only_lists_the_modules() {
    // A name brought in or made there would be a way around the rows.
    for source in sources("src").iter().filter(|source| source.file.ends_with("lib.rs")) {
        let tokens = tokens(&source.text);
        for token in &tokens {
            let item =
                ["use", "fn", "struct", "enum", "trait", "type", "const", "static", "impl", "macro_rules", "extern"];
            assert!(
                !item.contains(&token.text),
                "src/lib.rs:{}: `{}`: the root only lists modules",
                token.line,
                token.text
            );
        }
        assert!(tokens.iter().any(|token| token.text == "mod"), "src/lib.rs lists nothing");
    }
}

#[test]
fn the_verifier_does_not_know_the_provider() {
    let sources = sources("verifier/src");
    assert!(sources.len() >= 5, "only {} files were read", sources.len());
    for source in &sources {
        for found in paths(&tokens(&source.text)) {
            let own = found.segments.first().is_some_and(|first| first == "frontdesk");
            assert!(
                !own,
                "{}:{}: the verifier is for other people's services and stands alone",
                source.file.display(),
                found.line
            );
        }
    }
}

#[test]
fn a_forbidden_path_is_found_wherever_it_stands() {
    for (file, text, expected) in [
        ("src/crypto/mac.rs", "use crate::domain::Secret;", "`crypto` stands below `domain`"),
        (
            "src/domain/id.rs",
            "\n\nuse crate::{crypto::random, store::Store};",
            "src/domain/id.rs:3: `crate::store::Store`",
        ),
        (
            "src/domain/id.rs",
            "pub use crate::{crypto::{random, Digest}, keys::{self, ring::{KeyRing}}};",
            "`crate::keys::ring::KeyRing`",
        ),
        ("src/store/mod.rs", "fn f() { let x = crate::config::Config::default(); }", "`store` stands beside `config`"),
        ("src/config/mod.rs", "fn f(store: &crate::store::Store) {}", "`config` stands beside `store`"),
        ("src/http/router.rs", "use crate::jobs;", "`http` stands beside `jobs`"),
        ("src/jobs/purge.rs", "type A = <X as crate::http::Y>::Z;", "`jobs` stands beside `http`"),
        ("src/oauth/error.rs", "impl From<crate::app::App> for Vec<u8> {}", "`oauth` stands below `app`"),
        ("src/oauth/grants/mod.rs", "use super::super::http::router;", "`oauth` stands below `http`"),
        ("src/tokens.rs", "use super::oauth::OAuthError as E;", "`tokens` stands below `oauth`"),
        (
            "src/tokens/access.rs",
            "mod tests { use super::super::super::oauth::error; }",
            "`tokens` stands below `oauth`",
        ),
        (
            "src/tokens/access.rs",
            "mod tests { mod deep { fn f() {} } use super::super::super::oauth; }",
            "`tokens` stands below `oauth`",
        ),
        (
            "src/tokens/access.rs",
            "#[cfg(test)] mod tests { use crate::accounts::sign_in; }",
            "`tokens` stands below `accounts`",
        ),
        ("src/tokens/access.rs", "macro_rules! m { () => { $crate::app::App } }", "`tokens` stands below `app`"),
        ("src/tokens/access.rs", "use crate::nowhere::x;", "`nowhere` is not in the picture"),
        ("src/tokens/access.rs", "use crate::*;", "names the root of the crate"),
        ("src/tokens/access.rs", "use crate as root;", "names the root of the crate"),
        ("src/tokens/access.rs", "use super::super::*;", "names the root of the crate"),
        ("src/tokens/access.rs", "extern crate self as own;", "names the root of the crate"),
        ("src/nowhere/x.rs", "use crate::domain::Secret;", "`nowhere` is not in the picture"),
        ("src/main.rs", "fn main() { frontdesk::nowhere::run() }", "`nowhere` is not in the picture"),
        ("src/oauth/token.rs", "use axum::Form;", "`axum` belongs in http, demo"),
        ("src/oauth/token.rs", "use ::axum::Form;", "`axum` belongs in http, demo"),
        ("src/oauth/token.rs", "use {serde::Serialize, axum as web};", "`axum` belongs in http, demo"),
        ("src/oauth/token.rs", "#[derive(askama::Template)] struct Page;", "`askama` belongs in http, demo"),
        ("src/oauth/token.rs", "fn f() { let n = r#\"\"#; sqlx::query(\"x\"); }", "`sqlx` belongs in store"),
        ("src/accounts/sign_in.rs", "use argon2::Argon2;", "`argon2` belongs in accounts::passwords"),
        ("src/oauth/client.rs", "use jsonwebtoken::Validation;", "`jsonwebtoken` belongs in"),
        ("src/tokens/access.rs", "use rsa::RsaPrivateKey;", "`rsa` belongs in keys"),
        ("src/domain/digest.rs", "use aws_lc_rs::digest;", "`aws_lc_rs` belongs in crypto, keys"),
        (
            "src/http/mod.rs",
            "fn f<'a>(c: &'a char) { if *c == '\"' { clap::Command::new(\"x\"); } }",
            "`clap` belongs in cli, main",
        ),
        ("src/keys/pair.rs", "use rsa::{RsaPrivateKey, pkcs1v15::SigningKey};", "only for making and encoding keys"),
        ("src/keys/pair.rs", "use rsa::traits::{PublicKeyParts, Decryptor};", "only for making and encoding keys"),
    ] {
        let found = judge(file, text).join("\n");
        assert!(found.contains(expected), "{text}\nin {file} should have met: {expected}\nbut met: {found}");
    }
}

#[test]
fn an_allowed_path_is_left_alone() {
    for (file, text) in [
        ("src/store/grants.rs", "use crate::{crypto::digest, domain::{grant::Grant, id::*}};"),
        (
            "src/store/grants.rs",
            "use super::{on, StoreError}; use crate::store::error; pub(crate) fn f() {} pub(in crate::store) fn g() {}",
        ),
        (
            "src/store/grants.rs",
            "// use crate::http::router;\n/* crate::http /* nested */ crate::cli */ const A: &str = \"crate::http::x\";",
        ),
        (
            "src/store/grants.rs",
            "/// Used by [`crate::oauth::grants`].\nconst A: &str = r##\"\"# crate::http::x\"##; const B: char = '\\''; const C: u8 = b'\"';",
        ),
        ("src/store/grants.rs", "mod tests { use super::*; use super::super::testing::TestStore; }"),
        ("src/oauth/grants/person.rs", "fn f() -> impl Sized + use<'static> { super::super::error::x() }"),
        ("src/cli/serve.rs", "use crate::{app::App, http::server, jobs}; use clap::Parser;"),
        ("src/demo/api.rs", "use frontdesk_verifier::Verifier; use axum::Router; use crate::http::server;"),
        ("src/main.rs", "fn main() -> std::process::ExitCode { frontdesk::cli::main() }"),
        ("src/accounts/passwords.rs", "use argon2::Argon2;"),
        ("src/accounts/passwords/pool.rs", "use argon2::Argon2;"),
        ("src/oauth/client_auth.rs", "use jsonwebtoken::Validation;"),
        (
            "src/keys/pair.rs",
            "use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey, traits::PublicKeyParts}; use aws_lc_rs::signature;",
        ),
        ("src/http/tls.rs", "use rustls::crypto::aws_lc_rs; fn f() { aws_lc_rs::default_provider(); }"),
        ("src/http/cookies.rs", "mod cookie; use crate::domain::cookie::Name; fn f() { cookie::build() }"),
        ("src/http/mod.rs", "fn f() { let clap = 1; x.cookie(clap); y::axum::z() }"),
    ] {
        let found = judge(file, text);
        assert!(found.is_empty(), "{text}\nin {file} met: {}", found.join("\n"));
    }
}

#[test]
fn a_file_named_by_an_attribute_stands_where_it_is_declared() {
    let source = |file: &str, text: &str| Source { file: PathBuf::from(file), text: text.to_owned() };
    let all = [
        source("src/accounts/sign_in.rs", "#[cfg(test)]\n#[path = \"sign_in_tests.rs\"]\nmod tests;"),
        source("src/accounts/sign_in_tests.rs", "use super::super::sessions;"),
    ];
    let homes = homes_by_attribute(&all);
    let expected: Vec<String> = ["accounts", "sign_in", "tests"].map(str::to_owned).into();
    assert_eq!(homes.get(Path::new("src/accounts/sign_in_tests.rs")), Some(&expected));
}

/// The complaints about one text, as if it stood in that file.
fn judge(file: &str, text: &str) -> Vec<String> {
    let source = Source { file: PathBuf::from(file), text: text.to_owned() };
    let module = source.module();
    complaints(&source, &module, &mut BTreeSet::new())
}

/// What is wrong in a file; notes which layer names which.
fn complaints(source: &Source, module: &[String], seen: &mut BTreeSet<(String, String)>) -> Vec<String> {
    let own = match module.first() {
        Some(name) if name != "lib" => name.as_str(),
        _ => return Vec::new(), // the root has a test of its own
    };
    let tokens = tokens(&source.text);
    let paths = paths(&tokens);
    let local: BTreeSet<&str> = local_names(&tokens, &paths);
    let mut wrong = Vec::new();
    for path in &paths {
        let complaint = match resolve(module, path) {
            Resolved::Inside(rest) => match rest.first().map(String::as_str) {
                None | Some("*") => Some("names the root of the crate; name the module you need".to_owned()),
                Some(target) => {
                    seen.insert((own.to_owned(), target.to_owned()));
                    against_the_rows(own, target)
                }
            },
            Resolved::Outside(first) if path.global || !local.contains(first) => {
                away_from_home(module, first, &path.segments)
            }
            Resolved::Outside(_) | Resolved::WithinLayer => None,
        };
        if let Some(complaint) = complaint {
            wrong.push(format!("{}:{}: `{}`: {complaint}", source.file.display(), path.line, path.segments.join("::")));
        }
    }
    wrong
}

fn against_the_rows(own: &str, target: &str) -> Option<String> {
    let unknown = |name: &str| Some(format!("`{name}` is not in the picture; give it a row in tests/layers.rs"));
    let Some(here) = row(own) else { return unknown(own) };
    let Some(there) = row(target) else { return unknown(target) };
    if own == target || here < there {
        None
    } else if here == there {
        Some(format!("`{own}` stands beside `{target}`, and modules in one row do not import each other"))
    } else {
        Some(format!("`{own}` stands below `{target}`, and a module names only modules in rows below its own"))
    }
}

fn away_from_home(module: &[String], name: &str, segments: &[String]) -> Option<String> {
    let (_, homes) = HOMES.iter().find(|(known, _)| *known == name)?;
    let module = module.join("::");
    let at_home = homes
        .iter()
        .any(|home| module.strip_prefix(home).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")));
    if !at_home {
        return Some(format!("the crate `{name}` belongs in {}, not in {module}", homes.join(", ")));
    }
    let within = segments.iter().skip(1).cloned().collect::<Vec<_>>().join("::");
    let beyond = |item: &str| within.strip_prefix(item).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    if name == "rsa" && RSA_BEYOND_KEYS.iter().any(|item| beyond(item)) {
        return Some("`rsa` is here only for making and encoding keys; sign and decrypt with aws-lc-rs".to_owned());
    }
    None
}

fn row(name: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&name))
}

/// Where a path leads, seen from a module.
enum Resolved<'p> {
    /// Into this crate: the segments after its root.
    Inside(Vec<String>),
    /// Stays in the layer it is written in.
    WithinLayer,
    /// Begins with a name that is another crate's, or a local one.
    Outside(&'p str),
}

fn resolve<'p>(module: &[String], path: &'p FoundPath) -> Resolved<'p> {
    let Some(first) = path.segments.first() else { return Resolved::WithinLayer };
    let after = |count: usize| path.segments.iter().skip(count).cloned().collect();
    match first.as_str() {
        "crate" | "frontdesk" => Resolved::Inside(after(1)),
        "self" | "super" => {
            let own = usize::from(first == "self");
            let climbs = path.segments.iter().skip(own).take_while(|segment| *segment == "super").count();
            if climbs < module.len() + path.inside {
                Resolved::WithinLayer
            } else {
                Resolved::Inside(after(own + climbs))
            }
        }
        _ => Resolved::Outside(first),
    }
}

/// A file of the tree.
struct Source {
    file: PathBuf,
    text: String,
}

impl Source {
    /// `src/keys/ring.rs` is `keys::ring`, `src/keys/mod.rs` is `keys`.
    fn module(&self) -> Vec<String> {
        let mut segments: Vec<String> = self
            .file
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .skip_while(|part| part != "src")
            .skip(1)
            .collect();
        segments.pop_if(|last| last == "mod");
        segments
    }
}

/// Files that a `#[path]` attribute puts elsewhere than their name says, with the module they are.
fn homes_by_attribute(sources: &[Source]) -> BTreeMap<PathBuf, Vec<String>> {
    let mut homes = BTreeMap::new();
    for source in sources {
        let tokens = tokens(&source.text);
        for (at, token) in tokens.iter().enumerate() {
            let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
            if token.text == "path" && text(1) == "=" && text(2).starts_with('"') {
                let name = tokens.iter().skip(at).skip_while(|token| token.text != "mod").nth(1);
                let mut module = source.module();
                module.extend(name.map(|name| name.text.to_owned()));
                homes.insert(source.file.with_file_name(text(2).trim_matches('"')), module);
            }
        }
    }
    homes
}

/// All Rust files under a folder of the repository, with paths relative to it.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for file in files_under(&root().join(folder)) {
        if file.extension().is_some_and(|extension| extension == "rs") {
            let relative = file.strip_prefix(root()).unwrap_or(&file).to_owned();
            match fs::read_to_string(&file) {
                Ok(text) => found.push(Source { file: relative, text }),
                Err(error) => assert!(!file.exists(), "{}: {error}", file.display()),
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, without what builds and installs leave behind. Links are not followed.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    const LEFT_BEHIND: &[&str] = &[".git", ".venv", "__pycache__", "data", "node_modules", "target"];
    let mut found = Vec::new();
    let entries = fs::read_dir(folder);
    assert!(entries.is_ok(), "{} cannot be read", folder.display());
    for entry in entries.into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        if LEFT_BEHIND.iter().any(|left| name == *left) {
            continue; // `.git` may be a file, too
        }
        if kind.is_dir() {
            found.extend(files_under(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// A path as it is written, groups taken apart.
struct FoundPath {
    line: usize,
    segments: Vec<String>,
    /// How many `mod … { }` of its file it stands in.
    inside: usize,
    /// Begins with `::`.
    global: bool,
    /// The name it brings in, if it is imported.
    imported: Option<String>,
}

/// Every path of two segments or more, and everything imported.
fn paths(tokens: &[Token<'_>]) -> Vec<FoundPath> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut modules: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => {
                depth += 1;
                if at >= 2 && text(at - 2) == "mod" {
                    modules.push(depth);
                }
            }
            "}" => {
                modules.pop_if(|opened| *opened == depth);
                depth = depth.saturating_sub(1);
            }
            "use" if text(at + 1) != "<" => {
                let mut reader = UseReader { tokens, at: at + 1, inside: modules.len(), found: Vec::new() };
                reader.tree(Vec::new(), false);
                at = reader.at;
                found.append(&mut reader.found);
                continue;
            }
            "extern" if text(at + 1) == "crate" => {
                let renamed = if text(at + 2) == "self" { "crate" } else { text(at + 2) };
                found.push(FoundPath {
                    line: token.line,
                    segments: vec![renamed.to_owned()],
                    inside: modules.len(),
                    global: true,
                    imported: None,
                });
                at += 3;
                continue;
            }
            word if is_word(word) && text(at + 1) == "::" && (at == 0 || !continues(tokens, at)) => {
                let mut segments = vec![word.to_owned()];
                let global = at > 0 && text(at - 1) == "::";
                while text(at + 1) == "::" && is_word(text(at + 2)) {
                    segments.push(text(at + 2).to_owned());
                    at += 2;
                }
                found.push(FoundPath { line: token.line, segments, inside: modules.len(), global, imported: None });
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether the word at `at` goes on with a path begun before it, as `b` in `a::b` or in `a::<T>::b`.
fn continues(tokens: &[Token<'_>], at: usize) -> bool {
    let text = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at)).map_or("", |token| token.text);
    text(1) == "::" && (is_word(text(2)) && !KEYWORDS_BEFORE_PATHS.contains(&text(2)) || text(2) == ">")
}

const KEYWORDS_BEFORE_PATHS: &[&str] =
    &["as", "dyn", "else", "for", "if", "impl", "in", "match", "mut", "return", "use", "where"];

/// Names that the file itself declares or imports from longer paths: they hide a crate of the same name.
fn local_names<'t>(tokens: &[Token<'t>], paths: &'t [FoundPath]) -> BTreeSet<&'t str> {
    let declared = tokens.windows(2).filter_map(|pair| match pair {
        [word, name] if word.text == "mod" => Some(name.text),
        _ => None,
    });
    let imported = paths.iter().filter(|path| path.segments.len() > 1).filter_map(|path| path.imported.as_deref());
    declared.chain(imported).collect()
}

/// Reads what stands behind `use`.
struct UseReader<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    inside: usize,
    found: Vec<FoundPath>,
}

impl UseReader<'_> {
    fn text(&self) -> &str {
        self.tokens.get(self.at).map_or("", |token| token.text)
    }

    fn tree(&mut self, mut prefix: Vec<String>, mut global: bool) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.text() {
                "$" => self.at += 1,
                "::" => {
                    global |= prefix.is_empty();
                    self.at += 1;
                }
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(), "}" | "") {
                        let before = self.at;
                        self.tree(prefix.clone(), global);
                        if self.text() == "," || self.at == before {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => {
                    self.at += 1;
                    let name = self.text().to_owned();
                    self.at += 1;
                    return self.leaf(line, prefix, global, name);
                }
                word if is_word(word) || word == "*" => {
                    prefix.push(word.to_owned());
                    self.at += 1;
                }
                _ => {
                    let name = prefix.iter().rfind(|segment| *segment != "self").cloned().unwrap_or_default();
                    return self.leaf(line, prefix, global, name);
                }
            }
        }
    }

    fn leaf(&mut self, line: usize, mut segments: Vec<String>, global: bool, name: String) {
        if segments.len() > 1 {
            segments.pop_if(|last| last == "self");
        }
        if !segments.is_empty() {
            self.found.push(FoundPath { line, segments, inside: self.inside, global, imported: Some(name) });
        }
    }
}

/// A word, `::`, a string in its quotes, or any other single sign.
struct Token<'t> {
    line: usize,
    text: &'t str,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Rust text without comments, numbers and characters.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let in_word = |sign: char| sign.is_alphanumeric() || sign == '_';
        let word = rest.find(|sign| !in_word(sign)).unwrap_or(rest.len());
        let (length, kept) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) = string(rest) {
            (length, true)
        } else if first == '\'' {
            (character_or_lifetime(rest), false)
        } else if rest.starts_with("::") {
            (2, true)
        } else if word > 0 {
            (word, !first.is_numeric())
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        let (taken, after) = rest.split_at(length);
        if kept {
            found.push(Token { line, text: taken });
        }
        line += taken.matches('\n').count();
        rest = after;
    }
    found
}

/// The length of the block comment the text begins with; they nest.
fn block_comment(text: &str) -> usize {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            open += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            open -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if open == 0 {
            break;
        }
    }
    at
}

/// The length of the string literal the text begins with, of whichever kind.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"].into_iter().find(|prefix| text.starts_with(prefix)).unwrap_or("");
    let rest = text.strip_prefix(prefix)?;
    if prefix.ends_with('r') {
        let marks = rest.find(|sign| sign != '#').unwrap_or(0);
        let (marks, body) = rest.split_at(marks);
        let body = body.strip_prefix('"')?;
        let end = format!("\"{marks}");
        return Some(prefix.len() + marks.len() + 1 + body.find(&end).map_or(body.len(), |at| at + end.len()));
    }
    let body = rest.strip_prefix('"')?;
    let mut escaped = false;
    for (at, sign) in body.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix.len() + 1 + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// The length of the character literal or lifetime the text begins with.
fn character_or_lifetime(text: &str) -> usize {
    let mut signs = text.char_indices().skip(1);
    match (signs.next(), signs.next()) {
        (Some((_, '\\')), Some((at, sign))) => {
            let escaped = at + sign.len_utf8();
            text.get(escaped..).and_then(|rest| rest.find('\'')).map_or(text.len(), |end| escaped + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1, // a lifetime: its name is no path and stays as a word
    }
}

// What else must hold for every file of the repository.

#[test]
fn no_file_tells_where_it_was_written() {
    // Put together here, or this file would be found.
    let folder = ["/wo", "rk/"].concat();
    let traces = ["main", "shared", "wt", ".library"].map(|name| format!("{folder}{name}"));
    let files = files_under(root());
    assert!(files.len() >= 100, "only {} files were read", files.len());
    for file in files {
        let Ok(content) = fs::read(&file) else { continue };
        let text = String::from_utf8_lossy(&content);
        for trace in &traces {
            assert!(!text.contains(trace.as_str()), "{} mentions {trace}", file.display());
        }
    }
}

#[test]
fn lock_files_name_only_the_public_registries() {
    let mut read = 0;
    for file in files_under(root()) {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (key, home) = match name.as_str() {
            "Cargo.lock" => ("source = ", "\"registry+https://github.com/rust-lang/crates.io-index\""),
            "package-lock.json" => ("\"resolved\": ", "\"https://registry.npmjs.org/"),
            _ => continue,
        };
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (at, line) in text.lines().enumerate() {
            if let Some(source) = line.trim().strip_prefix(key) {
                read += 1;
                assert!(source.starts_with(home), "{}:{}: {source} is not {home}", file.display(), at + 1);
            }
        }
    }
    assert!(read >= 100, "only {read} sources were read");
}
