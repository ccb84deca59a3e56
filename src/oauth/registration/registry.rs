//! Writing registrations: everything declared is compared with what stands there, checked as it will be together, and written in
//! one unit of work.
//!
//! Where nothing differs nothing is written, and no other process is told. Otherwise the counter of clients is the lock: whoever
//! registers bumps it first, reads again and checks what it then sees, so two registrations at once cannot pass each other.

use serde_json::json;

use super::{
    ClientMetadata, Findings, House, Listed, RegistrationError, ResourceMetadata, check_client, check_client_id,
    check_resource, check_together,
};
use crate::domain::client::{Client, ClientSettings};
use crate::domain::grant::EndReason;
use crate::domain::id::ClientId;
use crate::domain::resource::Resource;
use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event};
use crate::store::changes::{self, Kind};
use crate::store::{StoreError, Tx, clients, resources};
use crate::tokens::revoke::{self, Ended, What};

/// What shall be registered.
#[derive(Debug, Clone, Default)]
pub struct Declaration {
    /// Clients, each whole.
    pub clients: Vec<DeclaredClient>,
    /// Resources, each whole.
    pub resources: Vec<ResourceMetadata>,
    /// Whether to take out of service what is not declared.
    pub prune: bool,
}

/// A client that shall be registered.
#[derive(Debug, Clone)]
pub struct DeclaredClient {
    /// Its id.
    pub id: ClientId,
    /// What is said of it.
    pub metadata: ClientMetadata,
    /// MAC of its secret. A secret that nobody chose is used only where one is missing.
    pub secret: Option<DeclaredSecret>,
}

/// The MAC of a secret.
#[derive(Debug, Clone)]
pub struct DeclaredSecret {
    /// As [`secret_mac`](super::secret_mac) made it.
    pub mac: String,
    /// Whether someone chose it, rather than we at random.
    pub chosen: bool,
}

/// A client or a resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "id")]
pub enum Item {
    /// A client by its id.
    Client(String),
    /// A resource by its identifier.
    Resource(String),
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is new.
    Created,
    /// It is other than it was.
    Changed,
    /// It may act again.
    Enabled,
    /// It may act no more.
    Disabled,
}

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Each item that was touched.
    pub deeds: Vec<(Item, Deed)>,
    /// Clients whose declared secret now counts.
    pub secrets_set: Vec<ClientId>,
    /// Declared clients that are out of service and stay so.
    pub out_of_service: Vec<ClientId>,
}

/// Something declared that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What.
    pub item: Item,
    /// Why.
    pub error: RegistrationError,
}

/// Who registers, by which rules, and when.
#[derive(Debug, Clone, Copy)]
pub struct Registrar<'a> {
    /// What the installation says.
    pub house: &'a House,
    /// As in [`Event::actor`].
    pub actor: &'a str,
    /// The moment.
    pub now: Timestamp,
}

impl Registrar<'_> {
    /// Makes clients and resources be as declared. A client that is out of service stays so. Inside: everything that is wrong,
    /// and then nothing was written.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn declare(
        &self,
        tx: &mut Tx,
        declaration: &Declaration,
    ) -> Result<Result<Outcome, Vec<Refused>>, StoreError> {
        match self.plan(tx, declaration).await? {
            Err(refused) => return Ok(Err(refused)),
            Ok(plan) if plan.is_empty() => return Ok(Ok(plan.outcome())),
            Ok(_) => {}
        }
        changes::bump(tx, Kind::Clients).await?;
        let plan = match self.plan(tx, declaration).await? {
            Err(refused) => return Ok(Err(refused)),
            Ok(plan) => plan,
        };
        let mut outcome = plan.outcome();
        self.write_resources(tx, &plan, &mut outcome).await?;
        self.write_clients(tx, &plan, &mut outcome).await?;
        Ok(Ok(outcome))
    }

    /// Takes a client out of service and ends all it was granted. False: no such client, or out of service already.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn disable_client(&self, tx: &mut Tx, id: &ClientId) -> Result<bool, StoreError> {
        if !clients::disable(tx, id, self.house.invalid_until(self.now), self.now).await? {
            return Ok(false);
        }
        revoke::end(tx, What::Client(id), EndReason::ClientDisabled, self.actor, self.now).await?;
        self.record(tx, "client.disable", id.as_str(), json!({})).await?;
        Ok(true)
    }

    /// Puts a client into service again, unless others took its place meanwhile. False: no such client, or in service.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn enable_client(
        &self,
        tx: &mut Tx,
        id: &ClientId,
    ) -> Result<Result<bool, Vec<RegistrationError>>, StoreError> {
        changes::bump(tx, Kind::Clients).await?;
        let all = clients::list(tx).await?;
        let Some(one) = all.iter().find(|client| client.id == *id && !client.is_active()) else {
            return Ok(Ok(false));
        };
        let active: Vec<Listed<'_>> = all.iter().filter(|client| client.is_active()).map(listed).collect();
        if let Err(errors) = check_together(listed(one), &active) {
            return Ok(Err(errors));
        }
        clients::enable(tx, id, self.now).await?;
        self.record(tx, "client.enable", id.as_str(), json!({})).await?;
        Ok(Ok(true))
    }

    /// Ends all a client was granted and its own tokens; it stays in service. What of it was ended; `None`: no such client, or out of
    /// service.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn end_all_of(&self, tx: &mut Tx, id: &ClientId) -> Result<Option<Ended>, StoreError> {
        if !clients::renew_status(tx, id, self.house.invalid_until(self.now), self.now).await? {
            return Ok(None);
        }
        let ended = revoke::end(tx, What::Client(id), EndReason::Admin, self.actor, self.now).await?;
        if ended.is_empty() {
            // Its own tokens end all the same.
            self.record(tx, "client.end", id.as_str(), json!({ "reason": "admin", "grants": 0 })).await?;
        }
        Ok(Some(ended))
    }

    /// Deletes a client with all it was granted. False: no such client.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn remove_client(&self, tx: &mut Tx, id: &ClientId) -> Result<bool, StoreError> {
        let invalid_until = self.house.invalid_until(self.now);
        clients::disable(tx, id, invalid_until, self.now).await?;
        revoke::end(tx, What::Client(id), EndReason::ClientDisabled, self.actor, self.now).await?;
        if !clients::remove(tx, id, invalid_until, self.now).await? {
            return Ok(false);
        }
        self.record(tx, "client.remove", id.as_str(), json!({})).await?;
        Ok(true)
    }

    /// Gives a confidential client another secret. `Some`: the new one counts beside the present one, until it is asked to
    /// finish with `None`: then the newest alone counts. With `at_once` nothing counts beside it. False: no such client, a
    /// public one, or nothing to finish.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn turn_secret(
        &self,
        tx: &mut Tx,
        id: &ClientId,
        new: Option<&str>,
        at_once: bool,
    ) -> Result<bool, StoreError> {
        changes::bump(tx, Kind::Clients).await?;
        let found = clients::find(tx, id).await?.filter(|client| !client.settings.is_public());
        let Some(client) = found else { return Ok(false) };
        let newest = client.secret_macs.last().map(String::as_str);
        let (current, next) = match (new, at_once) {
            (None, _) if client.secret_macs.len() < 2 => return Ok(false),
            (None, _) => (newest, None),
            (Some(new), true) => (Some(new), None),
            (Some(new), false) => (newest, Some(new)),
        };
        clients::set_secrets(tx, id, current, next, self.now).await?;
        let data = json!({ "old_secret_counts": next.is_some(), "new": new.is_some() });
        self.record(tx, "client.secret", id.as_str(), data).await?;
        Ok(true)
    }

    async fn plan<'d>(
        &self,
        tx: &mut Tx,
        declaration: &'d Declaration,
    ) -> Result<Result<Plan<'d>, Vec<Refused>>, StoreError> {
        let (known, apis) = (clients::list(tx).await?, resources::list(tx).await?);
        let mut refused = Vec::new();
        let resources = plan_resources(self.house, declaration, &known, &apis, &mut refused);
        let clients = plan_clients(self.house, declaration, &known, &resources.in_the_end, &mut refused);
        Ok(if refused.is_empty() { Ok(Plan { clients, resources }) } else { Err(refused) })
    }

    async fn write_resources(&self, tx: &mut Tx, plan: &Plan<'_>, outcome: &mut Outcome) -> Result<(), StoreError> {
        let plan = &plan.resources;
        // Scopes may move from one resource to another: all are let go before any is taken.
        for identifier in plan.pruned.iter().chain(plan.changed.iter().map(|resource| &resource.identifier)) {
            resources::release_scopes(tx, identifier).await?;
        }
        for identifier in &plan.pruned {
            if resources::disable(tx, identifier, self.now).await? {
                self.record(tx, "resource.disable", identifier, json!({})).await?;
                outcome.deeds.push((Item::Resource(identifier.clone()), Deed::Disabled));
            }
        }
        for resource in &plan.changed {
            resources::replace(tx, resource, self.now).await?;
            let deed = if resources::enable(tx, &resource.identifier, self.now).await? {
                Deed::Enabled
            } else {
                Deed::Changed
            };
            self.record(tx, "resource.update", &resource.identifier, json!({})).await?;
            outcome.deeds.push((Item::Resource(resource.identifier.clone()), deed));
        }
        for resource in &plan.created {
            resources::insert(tx, resource, self.now).await?;
            self.record(tx, "resource.create", &resource.identifier, json!({})).await?;
            outcome.deeds.push((Item::Resource(resource.identifier.clone()), Deed::Created));
        }
        Ok(())
    }

    async fn write_clients(&self, tx: &mut Tx, plan: &Plan<'_>, outcome: &mut Outcome) -> Result<(), StoreError> {
        for id in &plan.clients.pruned {
            if self.disable_client(tx, id).await? {
                outcome.deeds.push((Item::Client(id.to_string()), Deed::Disabled));
            }
        }
        for planned in &plan.clients.planned {
            let id = &planned.declared.id;
            let deed = match (&planned.found, planned.differs) {
                (None, _) => {
                    let mac = planned.secret().map(|secret| secret.mac.as_str());
                    clients::insert(tx, id, &planned.settings, mac, self.now).await?;
                    self.record(tx, "client.create", id.as_str(), json!({})).await?;
                    Deed::Created
                }
                (Some(_), true) => {
                    clients::replace(tx, id, &planned.settings, self.now).await?;
                    self.write_secrets(tx, planned).await?;
                    self.record(tx, "client.update", id.as_str(), json!({ "changed": planned.changed_members() }))
                        .await?;
                    Deed::Changed
                }
                (Some(_), false) => continue,
            };
            if planned.secret().is_some() {
                outcome.secrets_set.push(id.clone());
            }
            outcome.deeds.push((Item::Client(id.to_string()), deed));
        }
        Ok(())
    }

    async fn write_secrets(&self, tx: &mut Tx, planned: &PlannedClient<'_>) -> Result<(), StoreError> {
        let id = &planned.declared.id;
        if let Some(secret) = planned.secret() {
            clients::set_secrets(tx, id, Some(&secret.mac), None, self.now).await?;
        } else if planned.settings.is_public() {
            clients::set_secrets(tx, id, None, None, self.now).await?;
        }
        Ok(())
    }

    async fn record(
        &self,
        tx: &mut Tx,
        action: &str,
        subject: &str,
        data: serde_json::Value,
    ) -> Result<(), StoreError> {
        audit::record(tx, &Event { actor: self.actor, action, subject, data }, self.now).await
    }
}

/// What is to be written, once everything was found right.
#[derive(Debug)]
struct Plan<'d> {
    clients: PlannedClients<'d>,
    resources: PlannedResources,
}

#[derive(Debug, Default)]
struct PlannedResources {
    created: Vec<Resource>,
    changed: Vec<Resource>,
    pruned: Vec<String>,
    /// Those in service afterwards.
    in_the_end: Vec<Resource>,
}

#[derive(Debug, Default)]
struct PlannedClients<'d> {
    planned: Vec<PlannedClient<'d>>,
    pruned: Vec<ClientId>,
}

#[derive(Debug)]
struct PlannedClient<'d> {
    declared: &'d DeclaredClient,
    settings: ClientSettings,
    found: Option<Client>,
    differs: bool,
}

impl Plan<'_> {
    fn is_empty(&self) -> bool {
        let (clients, resources) = (&self.clients, &self.resources);
        clients.pruned.is_empty()
            && resources.pruned.is_empty()
            && resources.created.is_empty()
            && resources.changed.is_empty()
            && clients.planned.iter().all(|planned| planned.found.is_some() && !planned.differs)
    }

    fn outcome(&self) -> Outcome {
        let sleeps = |planned: &&PlannedClient<'_>| planned.found.as_ref().is_some_and(|client| !client.is_active());
        let out_of_service =
            self.clients.planned.iter().filter(sleeps).map(|planned| planned.declared.id.clone()).collect();
        Outcome { out_of_service, ..Outcome::default() }
    }
}

impl PlannedClient<'_> {
    fn is_in_service(&self) -> bool {
        self.found.as_ref().is_none_or(Client::is_active)
    }

    /// The secret that is to be written.
    fn secret(&self) -> Option<&DeclaredSecret> {
        let declared = self.declared.secret.as_ref().filter(|_| !self.settings.is_public())?;
        let present = self.found.as_ref().map(|client| client.secret_macs.as_slice()).unwrap_or_default();
        let wanted = if declared.chosen { !present.contains(&declared.mac) } else { present.is_empty() };
        wanted.then_some(declared)
    }

    /// Which members differ, by name.
    fn changed_members(&self) -> Vec<String> {
        let members = |settings: &ClientSettings| match serde_json::to_value(settings) {
            Ok(serde_json::Value::Object(members)) => members,
            _ => serde_json::Map::new(),
        };
        let before = self.found.as_ref().map(|client| members(&client.settings)).unwrap_or_default();
        let mut changed: Vec<String> = members(&self.settings)
            .into_iter()
            .filter(|(name, value)| before.get(name) != Some(value))
            .map(|(name, _)| name)
            .collect();
        if self.secret().is_some() {
            changed.push("client_secret".to_owned());
        }
        changed
    }
}

fn plan_resources(
    house: &House,
    declaration: &Declaration,
    known_clients: &[Client],
    known: &[Resource],
    refused: &mut Vec<Refused>,
) -> PlannedResources {
    let mut plan = PlannedResources::default();
    let is_declared = |identifier: &str| declaration.resources.iter().any(|one| one.identifier == identifier);
    let is_client = |id: &str| {
        known_clients.iter().any(|client| client.id.as_str() == id)
            || declaration.clients.iter().any(|client| client.id.as_str() == id)
    };
    for resource in known.iter().filter(|resource| !is_declared(&resource.identifier)) {
        if declaration.prune && resource.disabled_at.is_none() {
            plan.pruned.push(resource.identifier.clone());
        } else if resource.disabled_at.is_none() {
            plan.in_the_end.push(resource.clone());
        }
    }
    for metadata in &declaration.resources {
        let item = || Item::Resource(metadata.identifier.clone());
        // Checked against those before it too, so that the second of two that clash is named.
        let resource = match check_resource(house, &plan.in_the_end, is_client, metadata) {
            Ok(resource) => resource,
            Err(errors) => {
                refused.extend(errors.into_iter().map(|error| Refused { item: item(), error }));
                continue;
            }
        };
        if plan.in_the_end.iter().any(|other| other.identifier == resource.identifier) {
            refused.push(twice(item(), "identifier"));
        }
        match known.iter().find(|other| other.identifier == resource.identifier) {
            None => plan.created.push(resource.clone()),
            Some(present) if *present == resource => {}
            Some(_) => plan.changed.push(resource.clone()),
        }
        plan.in_the_end.push(resource);
    }
    plan
}

fn plan_clients<'d>(
    house: &House,
    declaration: &'d Declaration,
    known: &[Client],
    resources: &[Resource],
    refused: &mut Vec<Refused>,
) -> PlannedClients<'d> {
    let mut plan = PlannedClients::default();
    for declared in &declaration.clients {
        let item = || Item::Client(declared.id.to_string());
        if let Err(error) = check_client_id(declared.id.as_str()) {
            refused.push(Refused { item: item(), error });
        }
        if plan.planned.iter().any(|planned| planned.declared.id == declared.id) {
            refused.push(twice(item(), "client_id"));
        }
        let settings = match check_client(house, resources, &declared.metadata) {
            Ok(settings) => settings,
            Err(errors) => {
                refused.extend(errors.into_iter().map(|error| Refused { item: item(), error }));
                continue;
            }
        };
        let found = known.iter().find(|client| client.id == declared.id).cloned();
        let same = found.as_ref().is_some_and(|client| client.settings == settings);
        let mut planned = PlannedClient { declared, settings, found, differs: false };
        planned.differs = !same || planned.secret().is_some();
        refused.extend(check_secret_of(&planned).into_iter().map(|error| Refused { item: item(), error }));
        plan.planned.push(planned);
    }
    let is_declared = |id: &ClientId| declaration.clients.iter().any(|declared| declared.id == *id);
    let others = known.iter().filter(|client| client.is_active() && !is_declared(&client.id));
    let mut in_the_end = Vec::new();
    for other in others {
        if declaration.prune {
            plan.pruned.push(other.id.clone());
        } else {
            in_the_end.push(listed(other));
        }
    }
    let together = |planned: &PlannedClient<'d>, others: &[Listed<'_>]| {
        let one = Listed { id: &planned.declared.id, settings: &planned.settings };
        let item = Item::Client(planned.declared.id.to_string());
        let errors = check_together(one, others).err().unwrap_or_default();
        errors.into_iter().map(move |error| Refused { item: item.clone(), error })
    };
    for planned in plan.planned.iter().filter(|planned| planned.is_in_service()) {
        refused.extend(together(planned, &in_the_end));
        in_the_end.push(Listed { id: &planned.declared.id, settings: &planned.settings });
    }
    plan
}

fn check_secret_of(planned: &PlannedClient<'_>) -> Vec<RegistrationError> {
    let mut findings = Findings::default();
    let has_one = planned.found.as_ref().is_some_and(|client| !client.secret_macs.is_empty());
    let declared = planned.declared.secret.as_ref();
    if planned.settings.is_public() && declared.is_some_and(|secret| secret.chosen) {
        findings.add(
            "client_secret",
            "a client with token_endpoint_auth_method = \"none\" has no secret",
            "leave it out",
        );
    }
    if !planned.settings.is_public() && declared.is_none() && !has_one {
        findings.add("client_secret", "the client proves itself with a secret and has none", "give it one");
    }
    findings.0
}

fn twice(item: Item, member: &'static str) -> Refused {
    let error = RegistrationError {
        member,
        problem: "it is declared twice".to_owned(),
        remedy: "leave one of the two out".to_owned(),
    };
    Refused { item, error }
}

fn listed(client: &Client) -> Listed<'_> {
    Listed { id: &client.id, settings: &client.settings }
}
