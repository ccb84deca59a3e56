//! Nothing lies around that nobody uses: dependencies, snapshots.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
    found
}

fn text_of(folders: &[PathBuf]) -> String {
    let all = folders.iter().flat_map(|folder| files(folder, "rs"));
    all.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The names under the tables of dependencies with these headings.
fn dependencies(manifest: &toml::Table, heading: &str) -> Vec<String> {
    let names = |table: Option<&toml::Value>| -> Vec<String> {
        table.and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys().cloned()).collect()
    };
    let mut all = names(manifest.get(heading));
    for target in manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values) {
        all.extend(names(target.get(heading)));
    }
    all
}

#[test]
fn every_dependency_is_named_in_the_code() {
    for package in [".", "verifier", "benches/load"] {
        let folder = root().join(package);
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        let source = text_of(&[folder.join("src")]);
        let everything =
            source.clone() + &text_of(&[folder.join("tests"), folder.join("benches"), folder.join("examples")]);
        let mut looked_at = 0;
        for (heading, text) in [("dependencies", &source), ("dev-dependencies", &everything)] {
            for name in dependencies(&manifest, heading) {
                let word = name.replace('-', "_");
                let is_named = [format!("{word}::"), format!("use {word}")].iter().any(|use_| text.contains(use_));
                assert!(is_named, "{package}: {name} stands under [{heading}] and nobody uses it");
                looked_at += 1;
            }
        }
        assert!(looked_at > 0, "{package}");
    }
}

#[test]
fn every_snapshot_is_named_by_its_test() {
    let mut snapshots = files(&root().join("tests"), "snap");
    snapshots.extend(files(&root().join("src"), "snap"));
    assert!(!snapshots.is_empty());
    for snapshot in snapshots {
        // tests/provider/flows/snapshots/provider__flows__metadata__jwks.snap belongs to tests/provider/flows/metadata.rs.
        let stem = snapshot.file_stem().unwrap().to_str().unwrap();
        let parts: Vec<&str> = stem.split("__").collect();
        let [.., module, name] = parts.as_slice() else { panic!("{stem}: an unusual name") };
        let test = snapshot.parent().unwrap().parent().unwrap().join(format!("{module}.rs"));
        let text = fs::read_to_string(&test).unwrap_or_default();
        assert!(
            text.contains(&format!("\"{name}\"")),
            "{}: no test in {} names it",
            snapshot.display(),
            test.display()
        );
    }
}
