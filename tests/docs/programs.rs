//! Programs in the documents: none is left to nobody.

use crate::markdown::Block;
use crate::{documents, root};

/// Programs in Rust that are files of a package too, which compiles them. The others are doctests of the verifier.
const FILES: &[(&str, &str)] = &[
    ("docs/protect-an-api.md", "verifier/examples/notes-api.rs"),
    ("docs/server-app.md", "tests/interop/rust/src/bin/server-app.rs"),
];

/// Files of other programs that a document shows as they are, in its order.
const SHOWN: &[(&str, &[&str])] = &[
    (
        "docs/gateway.md",
        &[
            "deploy/nginx/frontdesk-http.conf",
            "deploy/nginx/frontdesk-forward-auth.conf",
            "deploy/nginx/frontdesk-identity.conf",
            "deploy/nginx/notes.example.com.conf",
            "deploy/traefik/dynamic.yml",
            "deploy/envoy/envoy.yaml",
        ],
    ),
    ("docs/operate.md", &["deploy/systemd/frontdesk.service"]),
];

#[test]
fn files_that_are_shown_are_the_files_to_copy() {
    for (path, files) in SHOWN {
        let document = documents().into_iter().find(|document| document.path.to_str() == Some(path)).unwrap();
        let mut blocks = document.blocks.iter();
        for file in *files {
            let text = std::fs::read_to_string(root().join(file)).unwrap();
            assert!(blocks.any(|block| block.text == text), "{path} does not show {file} as it is, after those before");
        }
    }
}

#[test]
fn every_program_in_rust_is_compiled() {
    for document in documents() {
        let programs: Vec<&Block> = document.blocks.iter().filter(|block| block.language == "rust").collect();
        let path = document.path.to_str().unwrap();
        match FILES.iter().find(|(document, _)| *document == path) {
            Some((_, file)) => {
                let [program] = programs.as_slice() else { panic!("{path}: one program in Rust was expected") };
                let compiled = std::fs::read_to_string(root().join(file)).unwrap();
                assert_eq!(program.text, compiled, "{path} and {file} differ");
            }
            None => assert!(programs.is_empty() || path == "verifier/README.md", "{path}: nobody compiles its Rust"),
        }
    }
}

#[test]
fn every_other_program_is_run_against_a_provider() {
    let suites =
        ["tests/interop/python/docs_suite.py", "tests/browser/readme.test.mjs", "verifier-js/test/readme.test.mjs"]
            .map(|suite| std::fs::read_to_string(root().join(suite)).unwrap())
            .concat();
    let mut seen = 0;
    for document in documents() {
        for block in document.blocks.iter().filter(|block| ["js", "python", "html"].contains(&block.language.as_str()))
        {
            let at = document.at(block);
            let Some(name) = block.file_name() else {
                // Two fragments of the guide to the browser library, whose own tests run what they show.
                assert!(document.path.ends_with("browser-app.md"), "{at}: name the program's file in its first line");
                continue;
            };
            assert!(
                suites.contains(&format!("\"{name}\"")),
                "{at}: neither tests/interop nor tests/browser nor verifier-js/test runs {name}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} were seen");
}
