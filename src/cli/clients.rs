//! `frontdesk clients`: relying apps.

use std::path::PathBuf;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::output::{self, Format, say, table};
use super::undo::{Ending, write_or_undo};
use super::{Context, Failure, secrets};
use crate::domain::client::{ApplicationType, AuthMethod, Client};
use crate::domain::grant::EndReason;
use crate::domain::id::ClientId;
use crate::domain::secret::Secret;
use crate::keys::vault::Purpose;
use crate::oauth::registration::{
    ClientMetadata, Declaration, DeclaredClient, DeclaredSecret, Deed, House, Refused, Registrar, check_client_id,
    check_secret, fresh_secret, secret_mac,
};
use crate::store::changes::{self, Kind};
use crate::store::{Store, clients};
use crate::tokens::revoke::{self, Whole};

const ACTOR: &str = "cli";

/// What to do with clients.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List all clients
    List(Format),
    /// Register a client; a secret that is made for it is printed once
    Add(Add),
    /// Show one client
    Show(One),
    /// Change some members of a client
    Update(Update),
    /// Give a client another secret, printed once; the old one counts until --finish
    RotateSecret(RotateSecret),
    /// Take a client out of service and end all it was granted
    Disable(One),
    /// Put a client into service again
    Enable(One),
    /// Delete a client and all it was granted
    Remove(One),
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The client's id
    client_id: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The client's id
    client_id: String,
    #[command(flatten)]
    members: Members,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Update {
    /// The client's id
    client_id: String,
    #[command(flatten)]
    members: Members,
    /// Go back to the default of a member
    #[arg(long, value_name = "MEMBER")]
    unset: Vec<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct RotateSecret {
    /// The client's id
    client_id: String,
    /// The old secret counts no more, from now on
    #[arg(long, conflicts_with = "finish")]
    now: bool,
    /// Make no new secret; the newest alone counts
    #[arg(long, conflicts_with_all = ["secret_stdin", "secret_file"])]
    finish: bool,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    format: Format,
}

/// Where a secret that someone chose comes from. Without either one is made.
#[derive(Debug, clap::Args)]
struct SecretSource {
    /// Read the client's secret from standard input
    #[arg(long, conflicts_with = "secret_file")]
    secret_stdin: bool,
    /// Read the client's secret from a file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// Members of a client. Those without an option of their own are given as `--set`.
#[derive(Debug, clap::Args)]
struct Members {
    /// The name people see
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// web, native, browser or service
    #[arg(long = "type", value_name = "TYPE")]
    application_type: Option<String>,
    /// none, client_secret_basic or client_secret_post
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<String>,
    /// Where answers may be sent; may be given several times
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// Where people may be led after signing out; may be given several times
    #[arg(long, value_name = "URI")]
    post_logout_redirect_uri: Vec<String>,
    /// Where we tell the app that somebody signed out
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// Where the browser tells the app that somebody signed out
    #[arg(long, value_name = "URI")]
    frontchannel_logout_uri: Option<String>,
    /// From where a browser app calls us; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    allowed_origin: Vec<String>,
    /// authorization_code, refresh_token or client_credentials; may be given several times
    #[arg(long, value_name = "GRANT")]
    grant_type: Vec<String>,
    /// What it may ask for, words apart by spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// How refresh tokens reach it: body or cookie
    #[arg(long, value_name = "HOW")]
    delivery: Option<String>,
    /// Any other member, such as --set first_party=true or --set access_token_ttl=5m
    #[arg(long, value_name = "MEMBER=VALUE")]
    set: Vec<String>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let store = context.store().await?;
    let done = match command {
        Command::List(format) => list(&store, format).await,
        Command::Add(arguments) => add(context, &store, arguments).await,
        Command::Show(one) => show(&store, &one).await,
        Command::Update(arguments) => update(context, &store, arguments).await,
        Command::RotateSecret(arguments) => rotate_secret(context, &store, &arguments).await,
        Command::Disable(one) => disable(context, &store, &one).await,
        Command::Enable(one) => enable(context, &store, &one).await,
        Command::Remove(one) => remove(context, &store, &one).await,
    };
    store.close().await;
    done
}

async fn list(store: &Store, format: Format) -> Result<(), Failure> {
    let all = clients::list(&mut store.read().await?).await?;
    format.print(&all.iter().map(described).collect::<Vec<_>>(), || {
        let rows: Vec<[String; 5]> = all
            .iter()
            .map(|client| {
                [
                    client.id.to_string(),
                    client.display_name().to_owned(),
                    word(client.settings.application_type),
                    word(client.settings.refresh_token_delivery),
                    client.disabled_at.map_or_else(|| "in service".to_owned(), |since| format!("disabled {since}")),
                ]
            })
            .collect();
        table(["client_id", "name", "type", "delivery", "state"], &rows)
    })
}

async fn show(store: &Store, one: &One) -> Result<(), Failure> {
    let client = find(store, &one.client_id).await?;
    let value = described(&client);
    one.format.print(&value, || {
        let members = value.as_object().into_iter().flatten();
        members.filter(|(_, value)| !value.is_null()).map(|(name, value)| format!("{name} = {value}\n")).collect()
    })
}

async fn add(context: &Context, store: &Store, arguments: Add) -> Result<(), Failure> {
    check_client_id(&arguments.client_id).map_err(Failure::wrong)?;
    let metadata = metadata_of(arguments.members.table()?)?;
    let id = ClientId::new(arguments.client_id);
    if clients::find(&mut store.read().await?, &id).await?.is_some() {
        return Err(Failure::failed(format!("there is a client {id} already; see `frontdesk clients update`")));
    }
    let (secret, chosen) = arguments.secret.read()?;
    let secret = (chosen || proves_itself(&metadata)).then_some((secret, chosen));
    let wanted = move |present: Option<&Client>| match present {
        // Someone else may have been faster than our look.
        Some(present) => Err(Failure::failed(format!("there is a client {} already", present.id))),
        None => Ok(metadata.clone()),
    };
    declare((context, store), id, secret, wanted, arguments.format).await
}

async fn update(context: &Context, store: &Store, arguments: Update) -> Result<(), Failure> {
    let id = find(store, &arguments.client_id).await?.id;
    let given = arguments.members.table()?;
    let (format, unset) = (arguments.format, arguments.unset);
    let wanted = move |present: Option<&Client>| {
        let present = present.ok_or_else(|| Failure::failed("the client was removed meanwhile"))?;
        let mut members = toml::Table::try_from(ClientMetadata::from(&present.settings))
            .map_err(|error| Failure::failed(format!("the client cannot be read: {error}")))?;
        for member in &unset {
            members.remove(member);
        }
        members.extend(given.clone());
        metadata_of(members)
    };
    let client = find(store, id.as_str()).await?;
    let lacks_secret = proves_itself(&wanted(Some(&client))?) && client.secret_macs.is_empty();
    declare((context, store), id, lacks_secret.then(|| (fresh_secret(), false)), wanted, format).await
}

/// Writes one client and says what became of it. `secret`: a secret it may need, and whether someone chose it. `wanted` says what
/// it shall be, from what it is in the unit of work that writes it.
async fn declare(
    (context, store): (&Context, &Store),
    id: ClientId,
    secret: Option<(Secret, bool)>,
    wanted: impl Fn(Option<&Client>) -> Result<ClientMetadata, Failure> + Send + 'static,
    format: Format,
) -> Result<(), Failure> {
    let declared = match &secret {
        Some((secret, chosen)) => {
            let key = context.vault(store).await?.mac_key(Purpose::ClientSecret);
            Some(DeclaredSecret { mac: secret_mac(&key, secret), chosen: *chosen })
        }
        None => None,
    };
    let (house, now, name) = (house(context)?, context.now(), id.clone());
    let outcome = write_or_undo(store, async move |tx| {
        // Whoever changes clients waits here, so that what is read now is what is changed.
        changes::bump(tx, Kind::Clients).await?;
        let metadata = match wanted(clients::find(tx, &name).await?.as_ref()) {
            Ok(metadata) => metadata,
            Err(failure) => return Ok(Ending::Undo(Err(failure))),
        };
        let clients = vec![DeclaredClient { id: name, metadata, secret: declared }];
        let declaration = Declaration { clients, ..Declaration::default() };
        let registrar = Registrar { house: &house, actor: ACTOR, now };
        Ok(match registrar.declare(tx, &declaration).await? {
            Ok(outcome) if outcome.deeds.is_empty() => Ending::Undo(Ok(outcome)),
            Ok(outcome) => Ending::Keep(Ok(outcome)),
            Err(refused) => Ending::Undo(Err(refusal(&refused))),
        })
    })
    .await??;
    say(match outcome.deeds.first() {
        Some((_, Deed::Created)) => format!("client {id} is registered"),
        Some(_) => format!("client {id} was changed"),
        None => format!("client {id} was so already"),
    });
    let shown = secret.filter(|(_, chosen)| !chosen && !outcome.secrets_set.is_empty()).map(|(secret, _)| secret);
    if format.json {
        let client = find(store, id.as_str()).await?;
        return output::json(&with_secret(described(&client), shown.as_ref()));
    }
    shown.as_ref().map_or(Ok(()), print_secret)
}

async fn rotate_secret(context: &Context, store: &Store, arguments: &RotateSecret) -> Result<(), Failure> {
    let client = find(store, &arguments.client_id).await?;
    if client.settings.is_public() {
        return Err(Failure::failed(format!("client {} has no secret: it cannot keep one", client.id)));
    }
    let (secret, chosen) = arguments.secret.read()?;
    let mac = if arguments.finish {
        None
    } else {
        Some(secret_mac(&context.vault(store).await?.mac_key(Purpose::ClientSecret), &secret))
    };
    let (house, now, id, at_once) = (house(context)?, context.now(), client.id.clone(), arguments.now);
    let turned = store
        .write(async move |tx| {
            Registrar { house: &house, actor: ACTOR, now }.turn_secret(tx, &id, mac.as_deref(), at_once).await
        })
        .await?;
    if !turned {
        return Err(Failure::failed(format!("client {} has one secret only, there is nothing to finish", client.id)));
    }
    say(match (arguments.finish, at_once) {
        (true, _) => format!("client {}: the newest secret alone counts", client.id),
        (false, true) => format!("client {}: the new secret alone counts", client.id),
        (false, false) => format!(
            "client {0}: both secrets count; when the app uses the new one, run `frontdesk clients rotate-secret {0} --finish`",
            client.id
        ),
    });
    let shown = (!chosen && !arguments.finish).then_some(&secret);
    if arguments.format.json {
        return output::json(&with_secret(json!({ "client_id": client.id.as_str() }), shown));
    }
    shown.map_or(Ok(()), print_secret)
}

async fn disable(context: &Context, store: &Store, one: &One) -> Result<(), Failure> {
    let client = find(store, &one.client_id).await?;
    let done = end_all_of(context, store, &client.id).await?;
    say(if done { "out of service, and all it was granted has ended" } else { "it was out of service already" });
    state(store, one).await
}

/// Takes a client out of service, which makes all its grants worthless at once, and then ends them, however many there are.
/// False: it was out of service.
async fn end_all_of(context: &Context, store: &Store, client: &ClientId) -> Result<bool, Failure> {
    let (house, now, id) = (house(context)?, context.now(), client.clone());
    let done = store
        .write(async move |tx| Registrar { house: &house, actor: ACTOR, now }.disable_client(tx, &id).await)
        .await?;
    revoke::end_rest(store, &Whole::Client(client.clone()), EndReason::ClientDisabled, ACTOR, now).await?;
    Ok(done)
}

async fn enable(context: &Context, store: &Store, one: &One) -> Result<(), Failure> {
    let client = find(store, &one.client_id).await?;
    let (house, now, id) = (house(context)?, context.now(), client.id.clone());
    let done = store
        .write(async move |tx| Registrar { house: &house, actor: ACTOR, now }.enable_client(tx, &id).await)
        .await?
        .map_err(|errors| Failure::failed(lines(errors)))?;
    say(if done { "in service again" } else { "it was in service already" });
    state(store, one).await
}

async fn remove(context: &Context, store: &Store, one: &One) -> Result<(), Failure> {
    let client = find(store, &one.client_id).await?;
    end_all_of(context, store, &client.id).await?;
    let (house, now, id) = (house(context)?, context.now(), client.id.clone());
    revoke::delete_grants(store, &Whole::Client(id.clone()), house.invalid_until(now)).await?;
    let removed = store
        .write(async move |tx| Registrar { house: &house, actor: ACTOR, now }.remove_client(tx, &id).await)
        .await?;
    say(if removed { "removed, with all it was granted" } else { "it was gone already" });
    if one.format.json { output::json(&json!({ "client_id": client.id.as_str(), "removed": removed })) } else { Ok(()) }
}

async fn state(store: &Store, one: &One) -> Result<(), Failure> {
    if one.format.json { output::json(&described(&find(store, &one.client_id).await?)) } else { Ok(()) }
}

async fn find(store: &Store, id: &str) -> Result<Client, Failure> {
    clients::find(&mut store.read().await?, &ClientId::new(id))
        .await?
        .ok_or_else(|| Failure::failed(format!("there is no client {id:?}; `frontdesk clients list` shows all")))
}

/// Whether a client with these members has a secret, defaults considered.
pub(super) fn proves_itself(metadata: &ClientMetadata) -> bool {
    match metadata.token_endpoint_auth_method {
        Some(method) => method != AuthMethod::None,
        None => !matches!(metadata.application_type, Some(ApplicationType::Browser | ApplicationType::Native)),
    }
}

/// What the settings say about registrations.
pub(super) fn house(context: &Context) -> Result<House, Failure> {
    House::of(context.config()?.as_ref()).map_err(Failure::wrong)
}

fn refusal(refused: &[Refused]) -> Failure {
    Failure::wrong(lines(refused.iter().map(|refused| &refused.error)))
}

fn lines(errors: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    errors.into_iter().map(|error| error.to_string()).collect::<Vec<_>>().join("\n")
}

/// A client as JSON: what is registered, and what we know beside it.
fn described(client: &Client) -> Value {
    let mut value = json!({
        "client_id": client.id.as_str(),
        "created_at": client.created_at.to_string(),
        "disabled_at": client.disabled_at.map(|since| since.to_string()),
        "secrets": client.secret_macs.len(),
    });
    if let (Value::Object(value), Ok(Value::Object(settings))) = (&mut value, serde_json::to_value(&client.settings)) {
        value.extend(settings);
    }
    value
}

fn with_secret(mut value: Value, secret: Option<&Secret>) -> Value {
    if let (Value::Object(members), Some(secret)) = (&mut value, secret) {
        members.insert("client_secret".to_owned(), secret.expose().into());
    }
    value
}

fn print_secret(secret: &Secret) -> Result<(), Failure> {
    say("the client's secret, shown this once:");
    output::data(secret.expose())
}

fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn metadata_of(members: toml::Table) -> Result<ClientMetadata, Failure> {
    ClientMetadata::deserialize(members).map_err(|error| Failure::wrong(error.message().to_owned()))
}

impl SecretSource {
    /// The secret, and whether someone chose it.
    fn read(&self) -> Result<(Secret, bool), Failure> {
        let secret = match (self.secret_stdin, &self.secret_file) {
            (false, None) => return Ok((fresh_secret(), false)),
            (true, _) => secrets::from_standard_input()?,
            (false, Some(file)) => secrets::from_file(file)?,
        };
        check_secret(&secret).map_err(Failure::wrong)?;
        Ok((secret, true))
    }
}

impl Members {
    fn table(&self) -> Result<toml::Table, Failure> {
        let mut table = toml::Table::new();
        let texts = [
            ("client_name", &self.name),
            ("application_type", &self.application_type),
            ("token_endpoint_auth_method", &self.auth_method),
            ("scope", &self.scope),
            ("backchannel_logout_uri", &self.backchannel_logout_uri),
            ("frontchannel_logout_uri", &self.frontchannel_logout_uri),
            ("refresh_token_delivery", &self.delivery),
        ];
        for (member, text) in texts {
            if let Some(text) = text {
                table.insert(member.to_owned(), text.as_str().into());
            }
        }
        let lists = [
            ("redirect_uris", &self.redirect_uri),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uri),
            ("allowed_origins", &self.allowed_origin),
            ("grant_types", &self.grant_type),
        ];
        for (member, texts) in lists {
            if !texts.is_empty() {
                table.insert(member.to_owned(), texts.clone().into());
            }
        }
        for set in &self.set {
            let (member, value) = set
                .split_once('=')
                .ok_or_else(|| Failure::wrong(format!("--set {set}: write MEMBER=VALUE, such as first_party=true")))?;
            table.insert(member.to_owned(), literal(value));
        }
        Ok(table)
    }
}

/// A TOML value, or a text that needs no quotes: `true`, `15`, `["a"]`, `15m`.
fn literal(text: &str) -> toml::Value {
    let parsed = format!("value = {text}").parse::<toml::Table>().ok();
    parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value")).unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_members_need_no_quotes() {
        assert_eq!(literal("true"), true.into());
        assert_eq!(literal("15"), 15.into());
        assert_eq!(literal("15m"), "15m".into());
        assert_eq!(literal("[\"a\"]"), vec!["a"].into());
        assert_eq!(literal("My app"), "My app".into());
        assert_eq!(literal("1\nother = 2"), "1\nother = 2".into());
    }
}
