//! Links lead somewhere.

use std::path::Path;

use crate::markdown::Document;
use crate::{documents, root};

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let documents = documents();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in &documents {
        for link in document.links().into_iter().filter(|link| !link.contains("://")) {
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                document.path.clone()
            } else {
                normal(&document.path.parent().unwrap_or(Path::new("")).join(file))
            };
            if !root().join(&target).exists() {
                wrong.push(format!("{}: {link} does not exist", document.path.display()));
            } else if !anchor.is_empty() && !has_anchor(&documents, &target, anchor) {
                wrong.push(format!("{}: {link} has no such heading", document.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(seen >= 30, "only {seen} links were seen");
}

fn has_anchor(documents: &[Document], target: &Path, anchor: &str) -> bool {
    documents.iter().any(|document| document.path == target && document.anchors().iter().any(|known| known == anchor))
}

/// The path without `..`.
fn normal(path: &Path) -> std::path::PathBuf {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.iter().collect()
}
