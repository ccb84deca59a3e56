//! Writing registrations: what is written, what is not, and who wins when two register at once.

use super::*;
use crate::domain::claims::ClaimsRequest;
use crate::domain::client::Delivery;
use crate::domain::grant::Grant;
use crate::domain::id::{ClientId, GrantId, SessionId, Sid, Subject, UserId};
use crate::domain::scope::ScopeSet;
use crate::domain::user::{User, Username};
use crate::store::changes::{self, Counters};
use crate::store::directory::Directory;
use crate::store::testing::{TestStore, all_at_once};
use crate::store::{StoreError, Tx, clients, grants, resources, status_lists, users};

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

fn house() -> House {
    House {
        issuer: Origin::parse("https://id.example.com").unwrap(),
        development: false,
        algorithms: vec![Alg::ES256],
        access_token: Duration::from_secs(900),
        longest_access_token: Duration::from_secs(3600),
        status_bit_kept: Duration::from_secs(3600 + 30 + 900),
        outbound: Rules::new(&[]),
    }
}

fn cookie_client(id: &str, origin: &str) -> DeclaredClient {
    let text = format!(
        "application_type = 'browser'\nrefresh_token_delivery = 'cookie'\nredirect_uris = ['{origin}/cb']\nallowed_origins = ['{origin}']"
    );
    DeclaredClient { id: ClientId::new(id), metadata: toml::from_str(&text).unwrap(), secret: None }
}

fn service(id: &str, scope: &str, mac: &str, chosen: bool) -> DeclaredClient {
    DeclaredClient {
        id: ClientId::new(id),
        metadata: toml::from_str(&format!("application_type = 'service'\nscope = '{scope}'")).unwrap(),
        secret: Some(DeclaredSecret { mac: mac.to_owned(), chosen }),
    }
}

fn resource(identifier: &str, scopes: &[&str]) -> ResourceMetadata {
    ResourceMetadata {
        identifier: identifier.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..ResourceMetadata::default()
    }
}

async fn act<T: Send + 'static>(
    store: &TestStore,
    now: Timestamp,
    work: impl AsyncFnOnce(&mut Tx, Registrar<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store
        .write(async move |tx| {
            let house = house();
            work(tx, Registrar { house: &house, actor: "cli", now }).await
        })
        .await
        .unwrap()
}

async fn declare(store: &TestStore, declaration: Declaration) -> Result<Outcome, Vec<Refused>> {
    act(store, NOW, async move |tx, registrar| registrar.declare(tx, &declaration).await).await
}

async fn counters(store: &TestStore) -> Counters {
    changes::read(&mut store.read().await.unwrap()).await.unwrap()
}

async fn client(store: &TestStore, id: &str) -> Option<crate::domain::client::Client> {
    clients::find(&mut store.read().await.unwrap(), &ClientId::new(id)).await.unwrap()
}

#[tokio::test]
async fn what_stands_there_already_is_not_written_and_nobody_is_told() {
    let store = TestStore::open().await;
    let declaration = Declaration {
        clients: vec![cookie_client("app", "https://app.example.com"), service("job", "a:read", "mac", false)],
        resources: vec![resource("https://api.example.com", &["a:read", "a:write"])],
        prune: true,
    };
    let first = declare(&store, declaration.clone()).await.unwrap();
    assert_eq!(first.deeds.len(), 3);
    assert_eq!(first.secrets_set, [ClientId::new("job")]);
    let told = counters(&store).await;
    let second = declare(&store, declaration).await.unwrap();
    assert!(second.deeds.is_empty() && second.secrets_set.is_empty());
    assert_eq!(counters(&store).await, told);
}

#[tokio::test]
async fn replacing_keeps_index_creation_time_and_a_secret_that_nobody_chose_anew() {
    let store = TestStore::open().await;
    let api = || vec![resource("https://api.example.com", &["a:read"])];
    let with = |one| Declaration { clients: vec![one], resources: api(), prune: false };
    declare(&store, with(service("job", "", "first", false))).await.unwrap();
    let before = client(&store, "job").await.unwrap();
    let later = NOW.plus(Duration::from_secs(60));
    let changed = with(service("job", "a:read", "second", false));
    act(&store, later, async move |tx, registrar| registrar.declare(tx, &changed).await).await.unwrap();
    let after = client(&store, "job").await.unwrap();
    assert_eq!(after.settings.scope.to_string(), "a:read");
    assert_eq!(
        (after.created_at, after.status, &after.secret_macs),
        (before.created_at, before.status, &before.secret_macs)
    );
    // A chosen secret replaces the present one; a client that becomes public has none.
    declare(&store, with(service("job", "a:read", "third", true))).await.unwrap();
    assert_eq!(client(&store, "job").await.unwrap().secret_macs, ["third"]);
    declare(&store, with(cookie_client("job", "https://app.example.com"))).await.unwrap();
    assert!(client(&store, "job").await.unwrap().secret_macs.is_empty());
}

#[tokio::test]
async fn of_two_registrations_at_once_that_clash_one_is_refused() {
    let store = TestStore::open().await;
    let units = (0..8).map(|at| {
        let store = store.clone();
        async move {
            let one = cookie_client(&format!("app{at}"), "https://app.example.com");
            declare(&store, Declaration { clients: vec![one], ..Declaration::default() }).await
        }
    });
    let outcomes = all_at_once(units).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = outcomes.into_iter().filter_map(Result::err).flatten();
    assert!(refused.into_iter().all(|refused| refused.error.member == "allowed_origins"));
    assert_eq!(clients::list(&mut store.read().await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_resources_at_once_one_owns_the_scope() {
    let store = TestStore::open().await;
    let units = (0..4).map(|at| {
        let store = store.clone();
        let identifier = format!("https://api{at}.example.com");
        async move {
            declare(
                &store,
                Declaration { resources: vec![resource(&identifier, &["a:read"])], ..Declaration::default() },
            )
            .await
        }
    });
    assert_eq!(all_at_once(units).await.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

#[tokio::test]
async fn two_applies_of_one_file_at_once_create_everything_once() {
    let store = TestStore::open().await;
    let declaration = Declaration {
        clients: vec![cookie_client("app", "https://app.example.com"), service("job", "a:read", "mac", true)],
        resources: vec![resource("https://api.example.com", &["a:read"])],
        prune: true,
    };
    let units = (0..4).map(|_| {
        let (store, declaration) = (store.clone(), declaration.clone());
        async move { declare(&store, declaration).await.unwrap() }
    });
    let outcomes = all_at_once(units).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.deeds.len() == 3).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.deeds.is_empty()).count(), 3);
}

#[tokio::test]
async fn in_one_declaration_origins_and_scopes_may_move() {
    let store = TestStore::open().await;
    let old = Declaration {
        clients: vec![cookie_client("old", "https://app.example.com")],
        resources: vec![
            resource("https://old.example.com", &["a:read"]),
            resource("https://b.example.com", &["b:read"]),
        ],
        prune: false,
    };
    declare(&store, old).await.unwrap();
    let new = |prune| Declaration {
        clients: vec![cookie_client("new", "https://app.example.com")],
        resources: vec![resource("https://new.example.com", &["a:read"]), resource("https://b.example.com", &[])],
        prune,
    };
    let refused = declare(&store, new(false)).await.unwrap_err();
    let members: Vec<&str> = refused.iter().map(|refused| refused.error.member).collect();
    assert_eq!(members, ["scopes", "allowed_origins", "allowed_origins"]);
    declare(&store, new(true)).await.unwrap();
    assert!(!client(&store, "old").await.unwrap().is_active());
    let all = resources::list(&mut store.read().await.unwrap()).await.unwrap();
    let of = |identifier: &str| all.iter().find(|resource| resource.identifier == identifier).unwrap();
    assert!(of("https://new.example.com").scopes.contains("a:read"));
    assert!(of("https://old.example.com").disabled_at.is_some() && of("https://old.example.com").scopes.is_empty());
    assert!(of("https://b.example.com").scopes.is_empty());
    let twice = Declaration {
        clients: vec![cookie_client("x", "https://x.example.com"), cookie_client("x", "https://x.example.com")],
        ..Declaration::default()
    };
    assert!(declare(&store, twice).await.unwrap_err().iter().any(|refused| refused.error.member == "client_id"));
}

#[tokio::test]
async fn no_status_bit_is_ever_cleared() {
    let store = TestStore::open().await;
    let job = || Declaration { clients: vec![service("job", "", "mac", true)], ..Declaration::default() };
    declare(&store, job()).await.unwrap();
    let first = client(&store, "job").await.unwrap().status;
    let id = ClientId::new("job");
    assert!(act(&store, NOW, async move |tx, registrar| registrar.disable_client(tx, &id).await).await);
    assert!(is_retired(&store, first).await);
    let id = ClientId::new("job");
    assert!(!act(&store, NOW, async move |tx, registrar| registrar.disable_client(tx, &id).await).await);
    let id = ClientId::new("job");
    assert_eq!(act(&store, NOW, async move |tx, registrar| registrar.enable_client(tx, &id).await).await, Ok(true));
    let second = client(&store, "job").await.unwrap();
    assert!(second.is_active() && second.status != first);
    assert!(is_retired(&store, first).await && !is_retired(&store, second.status).await);
    // Revoking what it holds moves it as well.
    let id = ClientId::new("job");
    let until = house().invalid_until(NOW);
    assert!(store.write(async move |tx| clients::renew_status(tx, &id, until, NOW).await).await.unwrap());
    assert!(is_retired(&store, second.status).await);
    assert_ne!(client(&store, "job").await.unwrap().status, second.status);
}

#[tokio::test]
async fn only_a_client_that_is_there_may_introspect() {
    let store = TestStore::open().await;
    let api = |caller: &str| {
        let introspected_by = vec![caller.to_owned()];
        vec![ResourceMetadata { introspected_by, ..resource("https://api.example.com", &["a:read"]) }]
    };
    let with = |caller: &str, clients| Declaration { clients, resources: api(caller), ..Declaration::default() };
    let jobs = || vec![service("job", "", "mac", true)];
    let refused = declare(&store, with("nobody", jobs())).await.unwrap_err();
    assert_eq!(refused.iter().map(|refused| refused.error.member).collect::<Vec<_>>(), ["introspected_by"]);
    declare(&store, with("job", jobs())).await.unwrap();
    declare(&store, with("job", Vec::new())).await.unwrap();
    assert!(declare(&store, with("nobody", Vec::new())).await.is_err(), "another one is there");
}

#[tokio::test]
async fn who_proves_itself_by_a_secret_has_one_and_nobody_else() {
    let store = TestStore::open().await;
    let app = || cookie_client("app", "https://app.example.com");
    let chosen = |chosen| Some(DeclaredSecret { mac: "mac".to_owned(), chosen });
    let of = async |one| {
        let outcome = declare(&store, Declaration { clients: vec![one], ..Declaration::default() }).await;
        outcome.err().unwrap_or_default().iter().map(|refused| refused.error.member).collect::<Vec<_>>()
    };
    assert_eq!(of(DeclaredClient { secret: None, ..service("job", "", "", false) }).await, ["client_secret"]);
    assert_eq!(of(DeclaredClient { secret: chosen(true), ..app() }).await, ["client_secret"]);
    assert!(clients::list(&mut store.read().await.unwrap()).await.unwrap().is_empty());
    // One that was made for it in case it needs one is left aside, and one that it has need not be said again.
    assert!(of(DeclaredClient { secret: chosen(false), ..app() }).await.is_empty());
    assert!(client(&store, "app").await.unwrap().secret_macs.is_empty());
    assert!(of(service("job", "", "mac", true)).await.is_empty());
    assert!(of(DeclaredClient { secret: None, ..service("job", "", "", false) }).await.is_empty());
    assert_eq!(client(&store, "job").await.unwrap().secret_macs, ["mac"]);
}

#[tokio::test]
async fn only_the_client_that_is_named_is_put_into_service() {
    let store = TestStore::open().await;
    let jobs = vec![service("job", "", "mac", true), service("other", "", "mac", true)];
    declare(&store, Declaration { clients: jobs, ..Declaration::default() }).await.unwrap();
    let other = ClientId::new("other");
    assert!(act(&store, NOW, async move |tx, registrar| registrar.disable_client(tx, &other).await).await);
    for id in ["job", "nobody"] {
        let id = ClientId::new(id);
        assert_eq!(
            act(&store, NOW, async move |tx, registrar| registrar.enable_client(tx, &id).await).await,
            Ok(false)
        );
    }
    assert!(client(&store, "job").await.unwrap().is_active());
    assert!(!client(&store, "other").await.unwrap().is_active());
    assert_eq!(store.number("SELECT COUNT(*) FROM audit WHERE action = 'client.enable'").await, 0);
}

#[tokio::test]
async fn a_client_out_of_service_holds_no_origin_until_it_comes_back() {
    let store = TestStore::open().await;
    let app = || cookie_client("app", "https://app.example.com");
    let new = || cookie_client("new", "https://app.example.com");
    let all = |clients| Declaration { clients, ..Declaration::default() };
    declare(&store, all(vec![app()])).await.unwrap();
    let id = ClientId::new("app");
    assert!(act(&store, NOW, async move |tx, registrar| registrar.disable_client(tx, &id).await).await);

    let outcome = declare(&store, all(vec![app(), new()])).await.unwrap();

    assert_eq!(outcome.out_of_service, [ClientId::new("app")]);
    let id = ClientId::new("app");
    let errors = act(&store, NOW, async move |tx, registrar| registrar.enable_client(tx, &id).await).await.unwrap_err();
    assert!(errors.iter().all(|error| error.member == "allowed_origins") && !errors.is_empty(), "{errors:?}");
    assert!(!client(&store, "app").await.unwrap().is_active());
}

#[tokio::test]
async fn what_is_declared_no_more_goes_even_if_nothing_else_changes() {
    let app = || vec![cookie_client("app", "https://app.example.com")];
    let api = || vec![resource("https://api.example.com", &["a:read"])];
    let (client, of_api) = (Item::Client("app".to_owned()), Item::Resource("https://api.example.com".to_owned()));
    for (clients, resources, gone) in [(Vec::new(), api(), client), (app(), Vec::new(), of_api)] {
        let store = TestStore::open().await;
        declare(&store, Declaration { clients: app(), resources: api(), prune: false }).await.unwrap();
        let rest = Declaration { clients, resources, prune: true };
        assert_eq!(declare(&store, rest.clone()).await.unwrap().deeds, [(gone, Deed::Disabled)]);
        assert!(declare(&store, rest).await.unwrap().deeds.is_empty());
    }
}

#[tokio::test]
async fn every_deed_is_in_the_audit() {
    let store = TestStore::open().await;
    let with = |clients, scopes: &[&str]| Declaration {
        clients,
        resources: vec![resource("https://api.example.com", scopes)],
        prune: true,
    };
    declare(&store, with(vec![service("job", "", "one", true)], &["a:read"])).await.unwrap();
    declare(&store, with(vec![service("job", "a:read", "one", true)], &["a:read", "a:write"])).await.unwrap();
    act(&store, NOW, async move |tx, registrar| {
        let id = ClientId::new("job");
        assert!(registrar.turn_secret(tx, &id, Some("two"), true).await?);
        assert!(registrar.disable_client(tx, &id).await?);
        assert_eq!(registrar.enable_client(tx, &id).await?, Ok(true));
        assert!(registrar.disable_client(tx, &id).await?);
        assert!(registrar.remove_client(tx, &id).await?);
        Ok(())
    })
    .await;
    declare(&store, Declaration { prune: true, ..Declaration::default() }).await.unwrap();
    let audited = store.texts("SELECT actor || ' ' || action || ' ' || subject FROM audit ORDER BY id").await;
    assert_eq!(
        audited,
        [
            "cli resource.create https://api.example.com",
            "cli client.create job",
            "cli resource.update https://api.example.com",
            "cli client.update job",
            "cli client.secret job",
            "cli client.disable job",
            "cli client.enable job",
            "cli client.disable job",
            "cli client.remove job",
            "cli resource.disable https://api.example.com",
        ]
    );
}

#[tokio::test]
async fn the_audit_names_what_changed_of_a_client() {
    let store = TestStore::open().await;
    let with = |one| Declaration {
        clients: vec![one],
        resources: vec![resource("https://api.example.com", &["a:read"])],
        ..Declaration::default()
    };
    declare(&store, with(service("job", "", "first", true))).await.unwrap();
    for (one, changed) in [
        (service("job", "a:read", "first", true), "{\"changed\":[\"scope\"]}"),
        (service("job", "a:read", "second", true), "{\"changed\":[\"client_secret\"]}"),
    ] {
        declare(&store, with(one)).await.unwrap();
        let told = store.texts("SELECT data FROM audit WHERE action = 'client.update' ORDER BY id DESC").await;
        assert_eq!(told[0], changed);
    }
}

#[tokio::test]
async fn disabling_ends_grants_and_removing_keeps_their_bits() {
    let store = TestStore::open().await;
    let app = Declaration { clients: vec![cookie_client("app", "https://app.example.com")], ..Declaration::default() };
    declare(&store, app).await.unwrap();
    let grant = grant(&store, "app").await;
    let id = ClientId::new("app");
    act(&store, NOW, async move |tx, registrar| registrar.disable_client(tx, &id).await).await;
    let standing = grants::standing_of(&mut store.read().await.unwrap(), &grant.id).await.unwrap().unwrap();
    assert_eq!(standing.grant.ended_at, Some(NOW));
    let id = ClientId::new("app");
    assert!(act(&store, NOW, async move |tx, registrar| registrar.remove_client(tx, &id).await).await);
    assert!(client(&store, "app").await.is_none());
    assert!(is_retired(&store, grant.status).await, "the row is gone, its bit stays set");
}

#[tokio::test]
async fn a_secret_is_turned_in_two_slots() {
    let store = TestStore::open().await;
    let job = Declaration { clients: vec![service("job", "", "one", true)], ..Declaration::default() };
    declare(&store, job).await.unwrap();
    for (new, at_once, done, left) in [
        (None, false, false, vec!["one"]),
        (Some("two"), false, true, vec!["one", "two"]),
        (Some("three"), false, true, vec!["two", "three"]),
        (None, false, true, vec!["three"]),
        (Some("four"), true, true, vec!["four"]),
    ] {
        let id = ClientId::new("job");
        let turned =
            act(&store, NOW, async move |tx, registrar| registrar.turn_secret(tx, &id, new, at_once).await).await;
        assert_eq!(turned, done);
        assert_eq!(client(&store, "job").await.unwrap().secret_macs, left);
    }
}

#[tokio::test]
async fn the_directory_follows_the_counters_and_asks_once_for_what_it_lacks() {
    let store = TestStore::open().await;
    let directory = Directory::load(&store, NOW).await.unwrap();
    let app = ClientId::new("app");
    assert!(directory.client_or_ask(&store, &app, NOW).await.unwrap().is_none());
    let declaration = Declaration {
        clients: vec![cookie_client("app", "https://app.example.com"), service("job", "a:read", "mac", true)],
        resources: vec![resource("https://api.example.com", &["a:read"])],
        prune: false,
    };
    declare(&store, declaration).await.unwrap();
    assert!(directory.client_or_ask(&store, &app, NOW).await.unwrap().is_none(), "it was asked for a moment ago");
    let job = ClientId::new("job");
    assert!(directory.client_or_ask(&store, &job, NOW).await.unwrap().is_some(), "it was not asked for yet");
    // The snapshot is seen to be old by that, and its resources were as old.
    assert!(directory.snapshot().resource_of_scope("a:read").is_some());
    assert!(
        directory.client_or_ask(&store, &app, NOW).await.unwrap().is_some(),
        "a miss does not outlive a new snapshot"
    );
    let later = NOW.plus(Duration::from_secs(1));
    assert!(directory.client_or_ask(&store, &app, later).await.unwrap().is_some());

    let told = counters(&store).await;
    assert!(!directory.refresh(&store, told, later).await.unwrap(), "all was read already");
    assert_eq!(directory.confirmed_at(), later);
    let snapshot = directory.snapshot();
    assert!(snapshot.client("app").is_some() && snapshot.client("nobody").is_none());
    assert_eq!(snapshot.resource_of_scope("a:read").unwrap().identifier, "https://api.example.com");
    assert!(snapshot.resource_named("https://API.example.com/").is_some());
    assert!(
        snapshot.is_cookie_mode_origin("https://app.example.com")
            && snapshot.is_known_origin("https://app.example.com")
    );
    assert!(!snapshot.is_known_origin("https://evil.example"));

    act(&store, later, async move |tx, registrar| registrar.disable_client(tx, &app).await).await;
    assert!(directory.refresh(&store, counters(&store).await, later).await.unwrap());
    assert!(!directory.snapshot().is_known_origin("https://app.example.com"));
    assert!(!directory.snapshot().client("app").unwrap().is_active());
    assert!(snapshot.client("app").unwrap().is_active(), "a request sees one state to its end");
    // A restore sets counters back.
    assert!(directory.refresh(&store, Counters::default(), later).await.unwrap());
}

async fn is_retired(store: &TestStore, place: crate::domain::status::StatusIndex) -> bool {
    status_lists::is_retired(&mut store.read().await.unwrap(), place).await.unwrap()
}

async fn grant(store: &TestStore, client: &str) -> Grant {
    let client = ClientId::new(client);
    store
        .write(async move |tx| {
            let user = User {
                id: UserId::fresh(),
                sub: Subject::fresh(),
                username: Username::parse("alice").map_err(StoreError::corrupt)?,
                email: None,
                email_verified: false,
                claims: serde_json::Map::new(),
                roles: Vec::new(),
                created_at: NOW,
                updated_at: NOW,
                disabled_at: None,
                not_before: NOW,
            };
            users::insert(tx, &user).await?;
            let grant = Grant {
                id: GrantId::fresh(),
                user_id: user.id,
                client_id: client,
                session_id: SessionId::new("session"),
                sid: Sid::new("sid"),
                session_linked: true,
                scope: ScopeSet::default(),
                resources: Vec::new(),
                claims: ClaimsRequest::default(),
                auth_time: NOW,
                acr: String::new(),
                amr: String::new(),
                delivery: Delivery::Cookie,
                status: status_lists::allocate(tx, Some(20_000), 1, NOW).await?.start(),
                created_at: NOW,
                expires_at: NOW.plus(Duration::from_secs(3600)),
                ended_at: None,
            };
            grants::insert(tx, &grant, "mac").await?;
            Ok(grant)
        })
        .await
        .unwrap()
}
