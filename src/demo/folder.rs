//! The demo's folder: what a demo made is used again, and what anybody else made is left alone.
//!
//! The mark is a fact in the database itself, so no file that is copied or left lying makes a real installation look like a demo's.
//! It holds the issuers that demos wrote into `config.toml`, so that what a person wrote there is never taken for their work.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Failed;
use crate::config::{Config, DEFAULT_FILE, Issuer, Listen, ListenAddress};
use crate::store::{Store, StoreError, installation};

const DATABASE: &str = "frontdesk.db";
const MASTER_KEY: &str = "master.key";

/// The fact that marks a demo's database.
const MARK: &str = "demo";

/// The folder is not for a demo, and was left as it is. The text says what to do.
#[derive(Debug)]
pub struct NotForDemo(String);

impl fmt::Display for NotForDemo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotForDemo {}

/// A folder that is new or an earlier demo's.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The issuers that stand in the mark; none: the folder is new.
    written: Vec<String>,
}

/// What a start takes from the folder, and will write there.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    /// The new text of `config.toml`, if it is to change.
    text: Option<String>,
    mark: String,
}

impl Folder {
    /// Looks at a folder; one that is not there is made. Nothing in it is changed.
    pub(super) async fn open(data: &Path) -> Result<Self, Failed> {
        make_private(data)?;
        let path = data.canonicalize()?;
        let found =
            [DATABASE, DEFAULT_FILE, MASTER_KEY].into_iter().find(|name| path.join(name).symlink_metadata().is_ok());
        let Some(found) = found else { return Ok(Self { path, written: Vec::new() }) };
        match installation::find_in_file(&path.join(DATABASE), MARK).await {
            Some(mark) => Ok(Self { path, written: mark.split(' ').map(str::to_owned).collect() }),
            None => Err(not_for_demo(format!(
                "{} was not made by `frontdesk demo`, so nothing was touched. Name another folder after --data; to run what is \
                 there: frontdesk serve --config {}",
                path.join(found).display(),
                path.join(DEFAULT_FILE).display()
            ))),
        }
    }

    /// Where the settings stand.
    pub(super) fn config_file(&self) -> PathBuf {
        self.path.join(DEFAULT_FILE)
    }

    /// The settings under which `issuer` is started here. What a person changed in them is in force; what does not go with a
    /// demo is refused.
    pub(super) fn settings(&self, issuer: &Issuer) -> Result<Settings, Failed> {
        let file = self.config_file();
        let mark = |before: &str| format!("{before} {}", issuer.as_str()).trim().to_owned();
        if !file.exists() {
            let text = first_text(issuer);
            let (config, _) = Config::parse(&text, &file, [])?;
            return Ok(Settings { config, text: Some(text), mark: mark("") });
        }
        let (config, _) = Config::load(Some(&file), true, []).map_err(not_for_demo)?;
        let own = Config::in_folder(&self.path);
        if config.database.url != own.database.url || config.secrets.master_key_file != own.secrets.master_key_file {
            return Err(not_for_demo(format!(
                "{} names another database or master key than the demo's, so nothing was touched. Name another folder after \
                 --data; to run what the file says: frontdesk serve --config {0}",
                file.display()
            )));
        }
        let before = config.server.issuer.clone();
        if before == *issuer {
            return Ok(Settings { config, text: None, mark: mark("") });
        }
        let ours =
            self.written.iter().any(|written| written == before.as_str()) && config.server.listen == listen(&before);
        let moved = if ours { moved(&std::fs::read_to_string(&file)?, &file, &before, issuer) } else { None };
        let Some((config, text)) = moved else {
            return Err(not_for_demo(format!(
                "{} was changed to issuer = \"{}\"; this demo would be {}, and nothing was touched. Start it with the --port \
                 (and --site) of the file, or name another folder after --data",
                file.display(),
                before.as_str(),
                issuer.as_str()
            )));
        };
        // Both, because the process may end before the file is written.
        Ok(Settings { config, text: Some(text), mark: mark(before.as_str()) })
    }

    /// Marks the database, then writes the settings down, so that every other command can use them.
    pub(super) async fn keep(&self, store: &Store, settings: Settings) -> Result<Config, Failed> {
        let Settings { config, text, mark } = settings;
        store.write(async move |tx| -> Result<(), StoreError> { installation::write(tx, MARK, &mark).await }).await?;
        if let Some(text) = text {
            replace(&self.config_file(), &text)?;
        }
        Ok(config)
    }
}

fn not_for_demo(text: impl fmt::Display) -> Failed {
    Box::new(NotForDemo(text.to_string()))
}

fn listen(issuer: &Issuer) -> Listen {
    Listen(vec![ListenAddress::Localhost(issuer.port())])
}

fn addresses(issuer: &Issuer) -> [String; 2] {
    [format!("issuer = \"{}\"", issuer.as_str()), format!("listen = \"localhost:{}\"", issuer.port())]
}

fn first_text(issuer: &Issuer) -> String {
    let [issuer, listen] = addresses(issuer);
    format!(
        "# Written by `frontdesk demo`, which sets issuer and listen anew when it is started elsewhere. The rest is yours.\n\n\
         [server]\n{issuer}\n{listen}\n\n[database]\nurl = \"sqlite://{DATABASE}\"\n\n\
         [secrets]\nmaster_key_file = \"{MASTER_KEY}\"\n"
    )
}

/// The text with the two addresses of another issuer and nothing else changed, if that can be done.
fn moved(text: &str, file: &Path, from: &Issuer, to: &Issuer) -> Option<(Config, String)> {
    let mut text = text.to_owned();
    for (old, new) in addresses(from).iter().zip(addresses(to)) {
        text = text.replacen(old, &new, 1);
    }
    let (config, _) = Config::parse(&text, file, []).ok()?;
    (config.server.issuer == *to && config.server.listen == listen(to)).then_some((config, text))
}

/// Replaces a file as a whole or not at all, and keeps who may read it.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(before) = file.metadata() {
        new.as_file().set_permissions(before.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "http://localhost:8080";

    /// A folder whose settings a demo at [`FIRST`] wrote.
    fn folder(place: &tempfile::TempDir) -> Folder {
        let issuer = Issuer::parse(FIRST).unwrap();
        let folder = Folder { path: place.path().canonicalize().unwrap(), written: vec![FIRST.to_owned()] };
        let first = folder.settings(&issuer).unwrap();
        assert_eq!(first.mark, FIRST);
        replace(&folder.config_file(), &first.text.unwrap()).unwrap();
        folder
    }

    fn settings_at(folder: &Folder, issuer: &str) -> Result<Settings, String> {
        folder.settings(&Issuer::parse(issuer).unwrap()).map_err(|error| {
            assert!(error.is::<NotForDemo>(), "{error}");
            error.to_string()
        })
    }

    fn change(folder: &Folder, from: &str, to: &str) -> String {
        let text = std::fs::read_to_string(folder.config_file()).unwrap().replace(from, to);
        std::fs::write(folder.config_file(), &text).unwrap();
        text
    }

    #[test]
    fn at_the_same_address_the_file_stays_and_is_in_force() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(&place);
        change(&folder, "\n[secrets]", "\n[pages]\nname = \"Hotel\"\n\n[secrets]");
        change(&folder, "listen = \"localhost:8080\"", "listen = \"127.0.0.1:8080\"");
        let again = settings_at(&folder, FIRST).unwrap();
        assert_eq!(again.text, None);
        assert_eq!(again.config.pages.name, "Hotel");
    }

    #[test]
    fn elsewhere_two_addresses_change_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(&place);
        let before = change(&folder, "\n[secrets]", "\n[pages]\nname = \"Hotel\" # kept\n\n[secrets]");
        let moved = settings_at(&folder, "http://id.demo.localhost:9090").unwrap();
        let expected =
            before.replace(FIRST, "http://id.demo.localhost:9090").replace("localhost:8080", "localhost:9090");
        assert_eq!(moved.text.as_deref(), Some(expected.as_str()));
        assert_eq!(moved.mark, "http://localhost:8080 http://id.demo.localhost:9090");
        assert_eq!(moved.config.pages.name, "Hotel");
    }

    #[test]
    fn an_address_that_a_person_wrote_is_not_overwritten() {
        for (from, to) in [
            (FIRST, "http://localhost:9000"),
            ("\"localhost:8080\"", "\"127.0.0.1:8080\""),
            // What would be changed is a comment, and the line that counts is spelt in another way.
            ("issuer = \"http", "# issuer = \"http://localhost:8080\"\nissuer  = \"http"),
        ] {
            let place = tempfile::tempdir().unwrap();
            let folder = folder(&place);
            change(&folder, from, to);
            let words = settings_at(&folder, "http://localhost:9090").unwrap_err();
            assert!(words.contains("was changed"), "{to}: {words}");
        }
    }

    #[test]
    fn a_file_that_was_deleted_is_written_anew() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(&place);
        std::fs::remove_file(folder.config_file()).unwrap();
        assert!(settings_at(&folder, FIRST).unwrap().text.is_some());
    }
}
