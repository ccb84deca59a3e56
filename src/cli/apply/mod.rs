//! `frontdesk apply`: make people, clients and resources be as a file says, in one unit of work.

mod file;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use self::file::{Entry, File, Mistake, key_of};
use super::clients::{house, proves_itself};
use super::output::{Format, say};
use super::undo::{Ending, write_or_undo};
use super::{Context, Failure};
use crate::accounts::declared::{self, Applied, Declared};
use crate::accounts::password_rules;
use crate::accounts::passwords::{Passwords, PhcHash};
use crate::accounts::people::{self, Act, NewPassword, PeopleError};
use crate::accounts::registration::Registration;
use crate::app::password_policy;
use crate::domain::grant::EndReason;
use crate::domain::id::ClientId;
use crate::domain::secret::Secret;
use crate::keys::vault::{Purpose, Vault};
use crate::oauth::registration::{
    Declaration, DeclaredClient, DeclaredSecret, Deed, House, Item, Refused, Registrar, fresh_secret, secret_mac,
};
use crate::store::{Store, StoreError, Tx, clients, users};
use crate::tokens::revoke::{self, Whole};

const ACTOR: &str = "cli";

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file that says what shall be
    file: PathBuf,
    /// Take out of service what the file does not name; never the last admin
    #[arg(long)]
    prune: bool,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Set the passwords of people who are there already, too
    #[arg(long)]
    reset_passwords: bool,
    #[command(flatten)]
    format: Format,
}

/// What was done, or would be.
#[derive(Debug, Default, Serialize)]
struct Report {
    changed: bool,
    dry_run: bool,
    changes: Vec<Change>,
    /// Secrets that were made, by client.
    client_secrets: BTreeMap<String, String>,
    #[serde(skip)]
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Change {
    kind: &'static str,
    id: String,
    change: Deed,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let file = file::read(&arguments.file)?;
    // Thrown away at the end, if it was made for a dry run.
    let (store, _folder) =
        if arguments.dry_run { context.store_to_look_at().await? } else { (context.store().await?, None) };
    let done = apply(context, &store, file, arguments).await;
    store.close().await;
    let report = done?;
    for note in &report.notes {
        say(note);
    }
    for change in &report.changes {
        say(format!("{} {}: {}", change.kind, change.id, said(change.change, report.dry_run)));
    }
    if !report.changed {
        say("nothing changed");
    } else if report.dry_run {
        say("nothing was written");
    }
    arguments
        .format
        .print(&report, || report.client_secrets.iter().map(|(id, secret)| format!("{id} {secret}\n")).collect())
}

async fn apply(context: &Context, store: &Store, file: File, arguments: &Arguments) -> Result<Report, Failure> {
    let now = context.now();
    let vault = match (needs_vault(store, &file, arguments).await?, arguments.dry_run) {
        (false, _) => None,
        (true, false) => Some(Arc::new(context.vault(store).await?)),
        (true, true) => Some(Arc::new(context.vault_to_look_with(store).await?)),
    };
    let hashes = hash(context, store, &file, arguments.reset_passwords).await?;
    let fresh: HashMap<String, Secret> =
        file.clients.iter().filter(|client| client.secret.is_none()).map(|c| (c.id.clone(), fresh_secret())).collect();
    let mut notes = weak_passwords(context, &file, &hashes)?;
    let places = Places::of(&file);
    let work = Work {
        house: house(context)?,
        declaration: declaration(&file, &fresh, vault.as_deref(), arguments.prune),
        people: file.users.into_iter().map(|user| user.registration).collect(),
        hashes,
        vault,
        now,
        prune: arguments.prune,
        reset_passwords: arguments.reset_passwords,
    };
    let dry_run = arguments.dry_run;
    let done = write_or_undo(store, async move |tx| {
        Ok(match work.run(tx).await? {
            Ok(done) if !dry_run => Ending::Keep(Ok(done)),
            other => Ending::Undo(other),
        })
    })
    .await?
    .map_err(|refusals| {
        file::mistakes(&arguments.file, refusals.into_iter().map(|one| places.mistake(one)).collect())
    })?;
    if !dry_run {
        for (whole, reason) in &done.worthless {
            revoke::end_rest(store, whole, *reason, ACTOR, now).await?;
        }
    }
    notes.extend(done.notes);
    let secrets = fresh.into_iter().filter(|(id, _)| !dry_run && done.secrets_set.iter().any(|set| set.as_str() == id));
    Ok(Report {
        changed: !done.changes.is_empty(),
        dry_run,
        changes: done.changes,
        client_secrets: secrets.map(|(id, secret)| (id, secret.expose().to_owned())).collect(),
        notes,
    })
}

/// Only passwords and secrets need the master key.
async fn needs_vault(store: &Store, file: &File, arguments: &Arguments) -> Result<bool, Failure> {
    let db = &mut store.read().await?;
    for client in &file.clients {
        let lacks_secret = proves_itself(&client.metadata)
            && clients::find(db, &ClientId::new(&client.id)).await?.is_none_or(|known| known.secret_macs.is_empty());
        if client.secret.is_some() || lacks_secret {
            return Ok(true);
        }
    }
    for user in file.users.iter().filter(|user| user.registration.password.is_some()) {
        if arguments.reset_passwords || users::by_username_key(db, &user.registration.username.key()).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Hashes the passwords that will be set; hashing takes too long to do inside the unit of work.
async fn hash(context: &Context, store: &Store, file: &File, reset: bool) -> Result<HashMap<String, PhcHash>, Failure> {
    let mut wanted = Vec::new();
    let db = &mut store.read().await?;
    for user in &file.users {
        let Some(password) = &user.registration.password else { continue };
        let key = user.registration.username.key();
        if reset || users::by_username_key(db, &key).await?.is_none() {
            wanted.push((key, password.clone()));
        }
    }
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let pool = Passwords::start(password_policy(context.config()?.as_ref()))
        .map_err(|error| Failure::failed(format!("the threads that hash cannot be started: {error}")))?;
    let mut hashes = HashMap::new();
    for (key, password) in wanted {
        hashes.insert(key, pool.hash(password).await.map_err(Failure::failed)?);
    }
    Ok(hashes)
}

/// Passwords that we would not take from the person. The operator may; it is said.
fn weak_passwords(context: &Context, file: &File, hashes: &HashMap<String, PhcHash>) -> Result<Vec<String>, Failure> {
    let policy = password_policy(context.config()?.as_ref());
    let weak = |registration: &Registration| {
        let password = registration.password.as_ref().filter(|_| hashes.contains_key(&registration.username.key()))?;
        let name = registration.username.as_str();
        let problem = password_rules::check(&policy, password, name, registration.email.as_deref()).err()?;
        Some(format!("warning: the password of user {name} is weak: {problem}"))
    };
    Ok(file.users.iter().filter_map(|user| weak(&user.registration)).collect())
}

fn declaration(file: &File, fresh: &HashMap<String, Secret>, vault: Option<&Vault>, prune: bool) -> Declaration {
    let key = vault.map(|vault| vault.mac_key(Purpose::ClientSecret));
    let secret = |client: &file::WrittenClient| {
        let secret = client.secret.as_ref().or_else(|| fresh.get(&client.id))?;
        Some(DeclaredSecret { mac: secret_mac(key.as_ref()?, secret), chosen: client.secret.is_some() })
    };
    Declaration {
        clients: file
            .clients
            .iter()
            .map(|client| DeclaredClient {
                id: ClientId::new(&client.id),
                metadata: client.metadata.clone(),
                secret: secret(client),
            })
            .collect(),
        resources: file.resources.iter().map(|(_, metadata)| metadata.clone()).collect(),
        prune,
    }
}

/// All that the unit of work owns.
struct Work {
    house: House,
    declaration: Declaration,
    people: Vec<Registration>,
    hashes: HashMap<String, PhcHash>,
    vault: Option<Arc<Vault>>,
    now: crate::domain::time::Timestamp,
    prune: bool,
    reset_passwords: bool,
}

/// What the unit of work did.
#[derive(Default)]
struct Done {
    changes: Vec<Change>,
    secrets_set: Vec<ClientId>,
    /// What may have grants left that are worth nothing any more.
    worthless: Vec<(Whole, EndReason)>,
    notes: Vec<String>,
}

/// Something that the unit of work refused.
enum Refusal {
    Registration(Refused),
    Person(String, PeopleError),
}

impl Work {
    async fn run(self, tx: &mut Tx) -> Result<Result<Done, Vec<Refusal>>, StoreError> {
        let registrar = Registrar { house: &self.house, actor: ACTOR, now: self.now };
        let outcome = match registrar.declare(tx, &self.declaration).await? {
            Ok(outcome) => outcome,
            Err(refused) => return Ok(Err(refused.into_iter().map(Refusal::Registration).collect())),
        };
        let mut done = Done { secrets_set: outcome.secrets_set, ..Done::default() };
        for id in outcome.out_of_service {
            done.notes.push(format!("client {id} is out of service and stays so; see `frontdesk clients enable {id}`"));
        }
        done.worthless.extend(outcome.deeds.iter().filter_map(|(item, deed)| match (item, deed) {
            (Item::Client(id), Deed::Disabled) => Some((Whole::Client(ClientId::new(id)), EndReason::ClientDisabled)),
            _ => None,
        }));
        done.changes.extend(outcome.deeds.into_iter().map(|(item, change)| match item {
            Item::Client(id) => Change { kind: "client", id, change },
            Item::Resource(id) => Change { kind: "resource", id, change },
        }));
        if let Err(refusals) = self.people(tx, &mut done).await? {
            return Ok(Err(refusals));
        }
        if self.prune {
            self.prune(tx, &mut done).await?;
        }
        Ok(Ok(done))
    }

    async fn people(&self, tx: &mut Tx, done: &mut Done) -> Result<Result<(), Vec<Refusal>>, StoreError> {
        let hash = |registration: &Registration| self.hashes.get(&registration.username.key());
        let declared: Vec<Declared<'_>> = self
            .people
            .iter()
            .map(|registration| {
                let password = hash(registration).zip(self.vault.as_deref());
                Declared { registration, password: password.map(|(hash, vault)| NewPassword { hash, vault }) }
            })
            .collect();
        let act = Act { actor: ACTOR, now: self.now };
        let applied = match declared::declare(tx, &declared, self.reset_passwords, act).await? {
            Ok(applied) => applied,
            Err(refused) => {
                let name = |position: usize| self.people.get(position).map(|person| person.username.key());
                let refusals = refused.into_iter();
                return Ok(Err(refusals
                    .map(|one| Refusal::Person(name(one.position).unwrap_or_default(), one.error))
                    .collect()));
            }
        };
        for (person, applied) in self.people.iter().zip(applied) {
            let name = person.username.as_str();
            let change = match applied {
                Applied::Unchanged(_) => continue,
                Applied::Changed(id) => {
                    if self.reset_passwords && hash(person).is_some() {
                        done.worthless.push((Whole::SessionsOf { user: id, keep: None }, EndReason::PasswordChanged));
                    }
                    Deed::Changed
                }
                Applied::Created(_) => Deed::Created,
            };
            if change == Deed::Created && hash(person).is_none() {
                // Either the file has none, or the person was removed after we looked whom to hash for.
                done.notes.push(format!("user {name} has no password; see `frontdesk users set-password {name}`"));
            }
            done.changes.push(Change { kind: "user", id: name.to_owned(), change });
        }
        Ok(Ok(()))
    }

    async fn prune(&self, tx: &mut Tx, done: &mut Done) -> Result<(), StoreError> {
        let act = Act { actor: ACTOR, now: self.now };
        for user in users::list(tx).await? {
            let key = user.username.key();
            if !user.is_active() || self.people.iter().any(|person| person.username.key() == key) {
                continue;
            }
            let name = user.username.as_str();
            match people::disable(tx, &user.id, act).await? {
                Ok(true) => {
                    done.worthless.push((Whole::User(user.id.clone()), EndReason::UserDisabled));
                    done.changes.push(Change { kind: "user", id: name.to_owned(), change: Deed::Disabled });
                }
                Ok(false) => {}
                Err(refusal) => done.notes.push(format!("user {name} is not in the file and was kept: {refusal}")),
            }
        }
        Ok(())
    }
}

/// Where everything declared stands in the file.
struct Places {
    users: HashMap<String, Entry>,
    clients: HashMap<String, Entry>,
    resources: HashMap<String, Entry>,
}

impl Places {
    fn of(file: &File) -> Self {
        Self {
            users: file.users.iter().map(|user| (user.registration.username.key(), user.entry.clone())).collect(),
            clients: file.clients.iter().map(|client| (client.id.clone(), client.entry.clone())).collect(),
            resources: file
                .resources
                .iter()
                .map(|(entry, metadata)| (metadata.identifier.clone(), entry.clone()))
                .collect(),
        }
    }

    fn mistake(&self, refusal: Refusal) -> Mistake {
        let (entry, key, what) = match refusal {
            Refusal::Registration(Refused { item, error }) => {
                let (id, entry) = match item {
                    Item::Client(id) => (format!("client {id}"), self.clients.get(&id)),
                    Item::Resource(id) => (format!("resource {id}"), self.resources.get(&id)),
                };
                (entry, error.member, format!("{id}: {}; {}", error.problem, error.remedy))
            }
            Refusal::Person(username, refusal) => {
                let key = match &refusal {
                    PeopleError::EmailTaken => "email",
                    PeopleError::LastAdmin => "roles",
                    PeopleError::Bad(bad) => key_of(bad),
                    PeopleError::UsernameTaken | PeopleError::NotFound => "username",
                };
                let entry = self.users.get(&username);
                (entry, key, format!("user {username}: {refusal}"))
            }
        };
        entry.map_or_else(|| Mistake::nowhere(&what), |entry| entry.mistake(key, &what))
    }
}

const fn said(change: Deed, dry_run: bool) -> &'static str {
    match (change, dry_run) {
        (Deed::Created, false) => "created",
        (Deed::Changed, false) => "changed",
        (Deed::Enabled, false) => "in service again",
        (Deed::Disabled, false) => "out of service",
        (Deed::Created, true) => "would be created",
        (Deed::Changed, true) => "would be changed",
        (Deed::Enabled, true) => "would be put into service again",
        (Deed::Disabled, true) => "would be taken out of service",
    }
}
