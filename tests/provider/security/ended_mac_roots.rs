//! A client secret is MACed anew when its client shows it, once its MAC root has ended.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use frontdesk::app::key_policy;
use frontdesk::domain::id::ClientId;
use frontdesk::domain::secret::Secret;
use frontdesk::keys::turning::{self, Wish};
use frontdesk::keys::vault::Purpose;
use frontdesk::oauth::registration::secret_mac;
use frontdesk::store::clients;
use serde_json::json;

use crate::support::{Answer, TestProvider};

/// A secret that takes the place of another.
const NEXT: &str = "fd_cs_next_next_next_next_next_next";

/// Another MAC root counts from now on.
async fn new_root(provider: &TestProvider) {
    let app = provider.app();
    let wish = Wish::RevokeAll { reason: "stolen".to_owned() };
    turning::carry_out(&app.store, &app.vault, &key_policy(app.config()), &wish, "cli", &|| app.clock.now())
        .await
        .unwrap();
    provider.follow_changes().await;
}

/// A client's own token, with this secret.
async fn asks(provider: &TestProvider, id: &str, secret: &str) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let form = [("grant_type", "client_credentials"), ("scope", "notes:read")];
    provider.post("/oauth2/token", &[("authorization", &basic)], &form).await
}

#[tokio::test]
async fn a_client_secret_is_maced_under_the_new_root_when_its_client_shows_it() {
    let provider = TestProvider::start().await;
    for id in ["late", "turning"] {
        provider.register(id, json!({"application_type": "service", "scope": "notes:read"})).await;
    }
    let (worker, late, turning) =
        (provider.client("worker").secret(), provider.client("late").secret(), provider.client("turning").secret());
    let mac = |secret: &str| {
        let key = provider.app().vault.mac_key(Purpose::ClientSecret);
        secret_mac(&key, &Secret::new(secret.to_owned()))
    };
    let next = mac(NEXT);
    provider.run(&format!("UPDATE clients SET next_secret_mac = '{next}' WHERE client_id = 'turning'")).await;
    let macs = async |id: &str| {
        let both =
            format!("SELECT secret_mac || ' ' || COALESCE(next_secret_mac, '') FROM clients WHERE client_id = '{id}'");
        provider.texts(&both).await.remove(0)
    };
    let before = [macs("worker").await, macs("late").await, macs("turning").await];
    let updated = "SELECT MAX(updated_at) FROM clients";
    let updated_before = provider.number(updated).await;
    asks(&provider, "worker", &worker).await.expect(200);
    assert_eq!(macs("worker").await, before[0], "nothing is outdated yet");
    provider.advance(60).await;
    new_root(&provider).await;

    // Who does not know the secret has nothing written.
    let counter = "SELECT counter FROM changes WHERE name = 'clients'";
    let count = provider.number(counter).await;
    for guess in ["guess", &late, &before[0], before[0].trim()] {
        asks(&provider, "worker", guess).await.expect_error("invalid_client");
    }
    assert_eq!((macs("worker").await, provider.number(counter).await), (before[0].clone(), count));
    // The first time it is written down, and all processes are told; not again, neither before this one has heard of it nor after.
    for _ in 0..2 {
        asks(&provider, "worker", &worker).await.expect(200);
        assert_eq!(macs("worker").await, format!("{} ", mac(&worker)));
    }
    provider.follow_changes().await;
    asks(&provider, "worker", &worker).await.expect(200);
    assert_eq!(provider.number(counter).await, count + 1);
    assert_eq!(provider.audited("client.secret_mac").await, 1);
    let by = provider.texts("SELECT actor || ' ' || subject FROM audit WHERE action = 'client.secret_mac'").await;
    assert_eq!(by, ["client:worker worker"]);
    assert_eq!(provider.number(updated).await, updated_before, "what is said of the client is as it was");
    // Of two secrets that count the one that was shown.
    asks(&provider, "turning", NEXT).await.expect(200);
    let former = before[2].split(' ').next().unwrap();
    assert_eq!(macs("turning").await, format!("{former} {}", mac(NEXT)));
    asks(&provider, "turning", &turning).await.expect(200);
    assert_eq!(macs("turning").await, format!("{} {}", mac(&turning), mac(NEXT)));

    // Nothing of them hangs on the old root any more; of one who never came, it does.
    provider.run("DELETE FROM mac_roots WHERE ended_at IS NOT NULL").await;
    let after = provider.twin(|_| ()).await;
    for (id, secret) in [("worker", worker.as_str()), ("turning", &turning), ("turning", NEXT)] {
        asks(&after, id, secret).await.expect(200);
    }
    asks(&after, "late", &late).await.expect_error("invalid_client");
}

#[tokio::test]
async fn a_secret_that_was_changed_meanwhile_is_not_written_over() {
    let provider = TestProvider::start().await;
    let store = &provider.app().store;
    let worker = ClientId::new("worker");
    let stored = provider.texts("SELECT secret_mac FROM clients WHERE client_id = 'worker'").await.remove(0);
    let counter = "SELECT counter FROM changes WHERE name = 'clients'";
    let count = provider.number(counter).await;
    for (id, old, done) in
        [(&worker, "another", false), (&ClientId::new("web"), &stored, false), (&worker, &stored, true)]
    {
        let (id, old) = (id.clone(), old.to_owned());
        let written =
            store.write(async move |tx| clients::replace_secret_mac(tx, &id, &old, "new").await).await.unwrap();
        assert_eq!((written, provider.number(counter).await), (done, count + i64::from(done)));
    }
    let found = provider.texts("SELECT client_id FROM clients WHERE secret_mac = 'new'").await;
    assert_eq!(found, ["worker"]);
}
