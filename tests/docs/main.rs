//! The documentation is true: links lead somewhere, names exist, examples run.
//!
//! | file          | says                                                                     |
//! |---------------|--------------------------------------------------------------------------|
//! | `markdown.rs` | what stands in a document: blocks, code in the text, headings, links     |
//! | `links.rs`    | links and anchors                                                        |
//! | `names.rs`    | settings, addresses and alarms that documents name                       |
//! | `examples.rs` | settings, declarations and commands, run by the real program             |
//! | `admin_api.rs`| the calls of the admin API, made to a running program                     |
//! | `programs.rs` | programs: who compiles and runs each                                     |
//!
//! The programs in JavaScript and Python are run by `tests/interop/run docs`, those of `verifier-js/` by its own tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on shall stop")]

mod admin_api;
mod examples;
mod links;
mod markdown;
mod names;
mod programs;

use std::path::{Path, PathBuf};

use markdown::Document;

/// The top of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document for people.
fn documents() -> Vec<Document> {
    let markdown = |folder: &Path| -> Vec<PathBuf> {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
    };
    let folders = ["", "docs", "verifier", "verifier/vectors", "verifier-js"];
    let mut paths = folders.map(|folder| markdown(&root().join(folder))).concat();
    paths.sort();
    assert!(paths.len() >= 10, "only {paths:?} were found");
    paths.iter().map(|path| Document::read(path)).collect()
}
