//! `frontdesk users`: people.

use serde_json::{Map, Value, json};

use super::clients::house;
use super::output::{self, Format, say, table};
use super::secrets::PasswordSource;
use super::{Context, Failure};
use crate::accounts::passwords::{Passwords, PhcHash};
use crate::accounts::people::{self, Act, Answer, NewPassword, PeopleError};
use crate::accounts::registration::Registration;
use crate::accounts::{password_rules, sessions};
use crate::app::password_policy;
use crate::domain::grant::EndReason;
use crate::domain::id::{Subject, UserId};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::user::{User, Username};
use crate::store::{Db, Store, StoreError, Tx, users};
use crate::tokens::revoke::{self, Ended, Whole};

const ACTOR: &str = "cli";

/// What to do with people.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List all people
    List(Format),
    /// Register a person
    Add(Add),
    /// Show one person and where they are signed in
    Show(One),
    /// Set a person's password and end all they have
    SetPassword(SetPassword),
    /// Keep a person from signing in and end all they have
    Disable(One),
    /// Let a person sign in again
    Enable(One),
    /// Delete a person
    Remove(One),
    /// Give a person a role, such as admin
    GrantRole(Role),
    /// Take a role back
    RevokeRole(Role),
    /// End all sessions of a person, and the apps' access that rests on them
    SignOut(One),
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The user name, e-mail address or subject
    user: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Role {
    /// The user name, e-mail address or subject
    user: String,
    /// The role
    role: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct SetPassword {
    /// The user name, e-mail address or subject
    user: String,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The name to sign in with
    username: String,
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The address was shown to be this person's
    #[arg(long, requires = "email")]
    email_verified: bool,
    /// The full name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Another standard claim, such as --claim given_name=Alice; may be given several times
    #[arg(long, value_name = "CLAIM=VALUE")]
    claim: Vec<String>,
    /// A role, such as admin; may be given several times
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    #[command(flatten)]
    password: PasswordSource,
    /// Give no password now: the person cannot sign in until one is set
    #[arg(long, conflicts_with_all = ["password_stdin", "password_file"])]
    no_password: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let store = context.store().await?;
    let done = match command {
        Command::List(format) => list(&store, format).await,
        Command::Add(arguments) => add(context, &store, arguments).await,
        Command::Show(one) => show(&store, &one, context.now()).await,
        Command::SetPassword(arguments) => set_password(context, &store, &arguments).await,
        Command::Disable(one) => disable(context, &store, &one).await,
        Command::Enable(one) => enable(context, &store, &one).await,
        Command::Remove(one) => remove(context, &store, &one).await,
        Command::GrantRole(role) => turn_role(context, &store, role, true).await,
        Command::RevokeRole(role) => turn_role(context, &store, role, false).await,
        Command::SignOut(one) => sign_out(context, &store, &one).await,
    };
    store.close().await;
    done
}

async fn list(store: &Store, format: Format) -> Result<(), Failure> {
    let all = users::list(&mut store.read().await?).await?;
    format.print(&all.iter().map(described).collect::<Vec<_>>(), || {
        let rows: Vec<[String; 4]> = all
            .iter()
            .map(|user| {
                [
                    user.username.to_string(),
                    user.email.clone().unwrap_or_default(),
                    user.roles.join(" "),
                    user.disabled_at.map_or_else(|| "may sign in".to_owned(), |since| format!("disabled {since}")),
                ]
            })
            .collect();
        table(["username", "email", "roles", "state"], &rows)
    })
}

async fn show(store: &Store, one: &One, now: Timestamp) -> Result<(), Failure> {
    let mut db = store.read().await?;
    let user = find(&mut db, &one.user).await?;
    let live = sessions::live_of(&mut db, &user.id, now).await?;
    let mut value = described(&user);
    let listed: Vec<Value> = live
        .iter()
        .map(|session| {
            json!({
                "id": session.id.as_str(),
                "created_at": session.created_at.to_string(),
                "auth_time": session.auth_time.to_string(),
                "last_seen_at": session.last_seen_at.to_string(),
                "device": session.device,
                "address": session.address,
            })
        })
        .collect();
    if let Value::Object(members) = &mut value {
        members.insert("sessions".to_owned(), listed.into());
    }
    one.format.print(&value, || {
        let members = value.as_object().into_iter().flatten();
        members.filter(|(_, value)| !value.is_null()).map(|(name, value)| format!("{name} = {value}\n")).collect()
    })
}

async fn add(context: &Context, store: &Store, arguments: Add) -> Result<(), Failure> {
    let mut claims = Map::new();
    if let Some(name) = arguments.name {
        claims.insert("name".to_owned(), name.into());
    }
    for claim in &arguments.claim {
        let (name, value) = claim
            .split_once('=')
            .ok_or_else(|| Failure::wrong(format!("--claim {claim}: write CLAIM=VALUE, such as given_name=Alice")))?;
        claims.insert(name.to_owned(), claim_value(value));
    }
    let registration = Registration {
        username: Username::parse(&arguments.username).map_err(Failure::wrong)?,
        email: arguments.email,
        email_verified: arguments.email_verified,
        claims,
        roles: arguments.role,
        password: None,
    };
    registration.check().map_err(Failure::wrong)?;
    let (username, email) = (registration.username.clone(), registration.email.clone());
    let password = if arguments.no_password {
        None
    } else {
        let chosen = arguments.password.choose()?;
        Some(hashed(context, chosen, username.as_str(), email.as_deref()).await?)
    };
    let vault = match &password {
        Some(_) => Some(context.vault(store).await?),
        None => None,
    };
    let now = context.now();
    let outcome = store
        .write(async move |tx| {
            let password = password.as_ref().zip(vault.as_ref()).map(|(hash, vault)| NewPassword { hash, vault });
            people::register(tx, &registration, password, Act { actor: ACTOR, now }).await
        })
        .await?;
    let id = refused(outcome)?;
    say(format!("{username} is registered"));
    print(store, &id, arguments.format).await
}

async fn set_password(context: &Context, store: &Store, arguments: &SetPassword) -> Result<(), Failure> {
    let user = find(&mut store.read().await?, &arguments.user).await?;
    let chosen = arguments.password.choose()?;
    let hash = hashed(context, chosen, user.username.as_str(), user.email.as_deref()).await?;
    let vault = context.vault(store).await?;
    let (id, now) = (user.id.clone(), context.now());
    let outcome = store
        .write(async move |tx| {
            let password = NewPassword { hash: &hash, vault: &vault };
            people::set_password(tx, &id, password, Act { actor: ACTOR, now }).await
        })
        .await?;
    let ended = refused(outcome)?;
    let whole = Whole::User(user.id.clone());
    let rest = revoke::end_rest(store, &whole, EndReason::PasswordChanged, ACTOR, now).await?;
    say(format!("{} has another password; {}", user.username, sum(&ended, rest)));
    print(store, &user.id, arguments.format).await
}

async fn disable(context: &Context, store: &Store, one: &One) -> Result<(), Failure> {
    let (user, done) = end_all_of(context, store, &one.user).await?;
    let name = &user.username;
    say(if done {
        format!("{name} may not sign in any more, and all they had has ended")
    } else {
        format!("{name} was disabled already")
    });
    print(store, &user.id, one.format).await
}

/// Disables a person, which makes all they have worthless at once, and then ends it, however much it is. False: was so already.
async fn end_all_of(context: &Context, store: &Store, name: &str) -> Result<(User, bool), Failure> {
    let (user, done) = act(context, store, name, async |tx, id, act| people::disable(tx, id, act).await).await?;
    let whole = Whole::User(user.id.clone());
    revoke::end_rest(store, &whole, EndReason::UserDisabled, ACTOR, context.now()).await?;
    Ok((user, done))
}

async fn enable(context: &Context, store: &Store, one: &One) -> Result<(), Failure> {
    let (user, done) = act(context, store, &one.user, async |tx, id, act| people::enable(tx, id, act).await).await?;
    let name = &user.username;
    say(if done { format!("{name} may sign in again") } else { format!("{name} could sign in already") });
    print(store, &user.id, one.format).await
}

async fn remove(context: &Context, store: &Store, one: &One) -> Result<(), Failure> {
    let (user, _) = end_all_of(context, store, &one.user).await?;
    let invalid_until = house(context)?.invalid_until(context.now());
    revoke::delete_grants(store, &Whole::User(user.id.clone()), invalid_until).await?;
    let (id, now) = (user.id.clone(), context.now());
    let removed =
        store.write(async move |tx| people::remove(tx, &id, invalid_until, Act { actor: ACTOR, now }).await).await?;
    refused(removed)?;
    say(format!("{} is removed, with all they had", user.username));
    if one.format.json { output::json(&json!({ "sub": user.sub.as_str(), "removed": true })) } else { Ok(()) }
}

async fn turn_role(context: &Context, store: &Store, role: Role, give: bool) -> Result<(), Failure> {
    let Role { user, role, format } = role;
    let word = role.clone();
    let (user, done) = act(context, store, &user, async move |tx, id, act| {
        if give { people::grant_role(tx, id, &word, act).await } else { people::revoke_role(tx, id, &word, act).await }
    })
    .await?;
    let name = &user.username;
    say(match (give, done) {
        (true, true) => format!("{name} has the role {role}"),
        (true, false) => format!("{name} had the role {role} already"),
        (false, true) => format!("{name} has the role {role} no more"),
        (false, false) => format!("{name} did not have the role {role}"),
    });
    print(store, &user.id, format).await
}

async fn sign_out(context: &Context, store: &Store, one: &One) -> Result<(), Failure> {
    let (user, ended) = act(context, store, &one.user, async |tx, id, act| people::sign_out(tx, id, act).await).await?;
    let whole = Whole::SessionsOf { user: user.id.clone(), keep: None };
    let rest = revoke::end_rest(store, &whole, EndReason::Admin, ACTOR, context.now()).await?;
    say(format!("{}: {}", user.username, sum(&ended, rest)));
    print(store, &user.id, one.format).await
}

/// Finds a person, does something to them in one unit, and turns a refusal into a failure.
async fn act<T: Send + 'static>(
    context: &Context,
    store: &Store,
    name: &str,
    deed: impl AsyncFnOnce(&mut Tx, &UserId, Act<'static>) -> Answer<T> + Send + 'static,
) -> Result<(User, T), Failure> {
    let user = find(&mut store.read().await?, name).await?;
    let (id, act) = (user.id.clone(), Act { actor: ACTOR, now: context.now() });
    let outcome = store.write(async move |tx| deed(tx, &id, act).await).await?;
    Ok((user, refused(outcome)?))
}

fn refused<T>(outcome: Result<T, PeopleError>) -> Result<T, Failure> {
    outcome.map_err(|refusal| match refusal {
        PeopleError::Bad(bad) => Failure::wrong(bad),
        other => Failure::failed(other),
    })
}

/// Checks a chosen password and hashes it.
async fn hashed(context: &Context, chosen: Secret, username: &str, email: Option<&str>) -> Result<PhcHash, Failure> {
    let mut policy = password_policy(context.config()?.as_ref());
    password_rules::check(&policy, &chosen, username, email).map_err(Failure::wrong)?;
    policy.threads = 1;
    let passwords = Passwords::start(policy).map_err(Failure::failed)?;
    passwords.hash(chosen).await.map_err(Failure::failed)
}

/// A person by user name, else by e-mail address, else by subject.
pub(super) async fn find(db: &mut Db, name: &str) -> Result<User, Failure> {
    by_any_name(db, name)
        .await?
        .ok_or_else(|| Failure::failed(format!("there is no person {name:?}; `frontdesk users list` shows all")))
}

/// A person by user name, e-mail address or `sub`.
pub(super) async fn by_any_name(db: &mut Db, name: &str) -> Result<Option<User>, StoreError> {
    if name.chars().any(char::is_control) {
        return Ok(None);
    }
    if let Some(user) = users::by_username_key(db, &name.to_lowercase()).await? {
        return Ok(Some(user));
    }
    if let Some(user) = users::by_email_key(db, &users::email_key(name)).await? {
        return Ok(Some(user));
    }
    users::by_sub(db, &Subject::new(name)).await
}

/// Prints the person as JSON, where that was asked for.
async fn print(store: &Store, id: &UserId, format: Format) -> Result<(), Failure> {
    if !format.json {
        return Ok(());
    }
    match users::find(&mut store.read().await?, id).await? {
        Some(user) => output::json(&described(&user)),
        None => Ok(()),
    }
}

fn described(user: &User) -> Value {
    json!({
        "sub": user.sub.as_str(),
        "username": user.username.as_str(),
        "email": user.email,
        "email_verified": user.email_verified,
        "claims": user.claims,
        "roles": user.roles,
        "created_at": user.created_at.to_string(),
        "updated_at": user.updated_at.to_string(),
        "disabled_at": user.disabled_at.map(|since| since.to_string()),
    })
}

fn sum(ended: &Ended, rest: usize) -> String {
    format!("ended: {} sessions, {} grants", ended.sessions.len(), ended.grants.len() + rest)
}

/// A claim's value as it is written on a command line: an object or true and false as JSON, all else a text.
fn claim_value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Bool(_))) => value,
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_claims_need_no_quotes() {
        assert_eq!(claim_value("Alice"), json!("Alice"));
        assert_eq!(claim_value("1865"), json!("1865"));
        assert_eq!(claim_value("true"), json!(true));
        assert_eq!(claim_value(r#"{"locality":"Oxford"}"#), json!({ "locality": "Oxford" }));
    }
}
