//! What stands in a document.

use std::path::{Path, PathBuf};

use crate::root;

/// A document.
pub(crate) struct Document {
    /// Its path, from the top of the repository.
    pub(crate) path: PathBuf,
    /// The text outside fenced blocks; line numbers are those of the file.
    pub(crate) prose: String,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
pub(crate) struct Block {
    /// The first word after the fence.
    pub(crate) language: String,
    pub(crate) text: String,
    /// The line of the fence.
    pub(crate) line: usize,
}

impl Block {
    /// The file that a comment in the first lines names: `# apps.toml`, `// server.mjs`, `<!-- index.html -->`.
    pub(crate) fn file_name(&self) -> Option<&str> {
        let comment = self.text.lines().take(2).find_map(|line| {
            ["# ", "// ", "<!-- "]
                .iter()
                .find_map(|start| line.strip_prefix(start))
                .map(|line| line.trim_end_matches(" -->"))
        })?;
        let is_name = comment.contains('.') && !comment.contains(' ') && !comment.ends_with('.');
        is_name.then(|| comment.rsplit('/').next().unwrap_or(comment))
    }
}

impl Document {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut document =
            Self { path: path.strip_prefix(root()).unwrap().to_owned(), prose: String::new(), blocks: Vec::new() };
        let mut open: Option<Block> = None;
        for (number, line) in text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some(_)) => document.blocks.extend(open.take()),
                (Some(block), None) => block.text.push_str(&format!("{line}\n")),
                (None, Some(info)) => {
                    let language = info.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
                    open = Some(Block { language, text: String::new(), line: number + 1 });
                }
                (None, None) => document.prose.push_str(line),
            }
            document.prose.push('\n');
        }
        assert!(open.is_none(), "{}: a fence is not closed", document.path.display());
        document
    }

    /// Where something stands, for a complaint.
    pub(crate) fn at(&self, block: &Block) -> String {
        format!("{}:{}", self.path.display(), block.line)
    }

    /// Code within the text, such as `` `frontdesk serve` ``.
    pub(crate) fn code(&self) -> Vec<String> {
        // A span may go over a line's end.
        let parts = self.prose.split('`').map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
        parts.skip(1).step_by(2).collect()
    }

    /// Where the links and pictures lead.
    pub(crate) fn links(&self) -> Vec<&str> {
        self.prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
    }

    /// The anchors of the headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[test]
fn blocks_code_links_and_anchors_are_found() {
    let file = root().join("target/tmp").join("docs-sample.md");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "# What's *new*: 1\n\nA `b\n c` [d](e.md#f).\n\n```js\n// a.mjs\nx\n```\n").unwrap();
    let document = Document::read(&file);
    assert_eq!(document.code(), ["b c"]);
    assert_eq!(document.links(), ["e.md#f"]);
    assert_eq!(document.anchors(), ["whats-new-1"]);
    let [block] = document.blocks.as_slice() else { panic!("one block") };
    assert_eq!((block.language.as_str(), block.file_name(), block.line), ("js", Some("a.mjs"), 6));
}
