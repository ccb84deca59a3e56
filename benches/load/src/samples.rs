//! One answer of each kind: from the product, for the model to follow; and from the model, to see that it does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::generator::{Connection, Reply, member};
use crate::model::Sample;
use crate::requests;
use crate::side::Side;
use crate::subject::{SERVICE_ES256, SERVICE_RS256};
use crate::{Result, failure};

/// Samples by name.
pub(crate) type Samples = BTreeMap<String, Sample>;

/// How long a running server may take to learn of new clients.
const LEARNING: Duration = Duration::from_secs(10);

/// Headers whose values are new each time.
const FRESH: [&str; 3] = ["date", "request_id", "x-request-id"];

/// Waits until the server knows the clients and the resources that were just registered.
pub(crate) async fn wait_for_clients(address: std::net::SocketAddr) -> Result<()> {
    let asked = Instant::now();
    let mut connection = Connection::open(address).await?;
    for (client, scope) in [(SERVICE_ES256, "es256:read"), (SERVICE_RS256, "rs256:read")] {
        loop {
            let reply = connection.send(&requests::client_credentials(address, client)).await?;
            if reply.status == 200 && member(reply.text(), "scope").is_some_and(|told| told.contains(scope)) {
                break;
            }
            if asked.elapsed() > LEARNING {
                let told = reply.text();
                return Err(failure(format!("the server does not know its clients: {} {told}", reply.status)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// What is answered with the same bytes each time.
pub(crate) const DOCUMENTS: [&str; 4] = ["jwks", "status_lists", "status_list", "discovery"];

/// Where one of the status lists is, a path; the first is signed within a second. Both sides say so in the product's words.
pub(crate) async fn status_list(address: std::net::SocketAddr) -> Result<String> {
    let asked = Instant::now();
    let mut connection = Connection::open(address).await?;
    loop {
        let reply = connection.send(&requests::get(address, "/status")).await?;
        if let Some((_, list)) = reply.text().split('"').find_map(|part| part.split_once("/status/")) {
            return Ok(format!("/status/{list}"));
        }
        if asked.elapsed() > LEARNING {
            return Err(failure(format!("no status list is named: {}", reply.text())));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Takes one sample of each kind.
pub(crate) async fn take(side: &Side) -> Result<Samples> {
    let address = side.address;
    let mut taker = Taker { connection: Connection::open(address).await?, samples: Samples::new() };
    taker.take("jwks", &requests::get(address, "/.well-known/jwks.json")).await?;
    let list = status_list(address).await?;
    taker.take("status_lists", &requests::get(address, "/status")).await?;
    taker.take("status_list", &requests::get(address, &list)).await?;
    taker.take("discovery", &requests::get(address, "/.well-known/openid-configuration")).await?;
    taker.take("client_credentials_es256", &requests::client_credentials(address, SERVICE_ES256)).await?;
    taker.take("client_credentials_rs256", &requests::client_credentials(address, SERVICE_RS256)).await?;
    let codes = side.codes(1, 1).await?;
    let code = codes.first().ok_or_else(|| failure("no code"))?;
    let exchanged = taker.take("code", &requests::redeem(address).with(code)).await?;
    let given = member(&exchanged, "refresh_token").ok_or_else(|| failure("no refresh token"))?;
    let refreshed = taker.take("refresh", &requests::refresh(address).with(given)).await?;
    let access = member(&refreshed, "access_token").ok_or_else(|| failure("no access token"))?;
    let next = member(&refreshed, "refresh_token").ok_or_else(|| failure("no refresh token"))?;
    let introspected = taker.take("introspection", &requests::introspect(address).with(access)).await?;
    if !introspected.contains("\"active\":true") {
        return Err(failure(format!("a live token is not active: {introspected}")));
    }
    taker.take("revocation", &requests::revoke(address).with(next)).await?;
    Ok(taker.samples)
}

struct Taker {
    connection: Connection,
    samples: Samples,
}

impl Taker {
    async fn take(&mut self, name: &str, request: &[u8]) -> Result<String> {
        let reply = self.connection.send(request).await?;
        if reply.status != 200 {
            return Err(failure(format!("{name}: status {}: {}", reply.status, reply.text())));
        }
        let sample = sample(&reply);
        let body = sample.body.clone();
        self.samples.insert(name.to_owned(), sample);
        Ok(body)
    }
}

fn sample(reply: &Reply<'_>) -> Sample {
    Sample {
        status: reply.status,
        headers: reply.headers().map(|(name, value)| (name, value.to_owned())).collect(),
        body: reply.text().to_owned(),
    }
}

/// In what the model's answers differ from the product's; nothing, if the comparison is fair.
pub(crate) fn differences(product: &Samples, model: &Samples) -> Vec<String> {
    let mut found = Vec::new();
    for (name, ours) in product {
        let Some(theirs) = model.get(name) else {
            found.push(format!("{name}: the model does not answer"));
            continue;
        };
        if ours.status != theirs.status {
            found.push(format!("{name}: status {} and {}", ours.status, theirs.status));
        }
        found.extend(header_differences(ours, theirs).into_iter().map(|difference| format!("{name}: {difference}")));
        let is_document = DOCUMENTS.contains(&name.as_str());
        // Numbers such as the place in a status list have fewer digits in one token than in another.
        let slack = if is_document { 0 } else { 24 };
        if ours.body.len().abs_diff(theirs.body.len()) > slack || (is_document && ours.body != theirs.body) {
            found.push(format!("{name}: a body of {} and of {} bytes", ours.body.len(), theirs.body.len()));
        }
    }
    found
}

fn header_differences(ours: &Sample, theirs: &Sample) -> Vec<String> {
    let names = |sample: &Sample| sample.headers.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    let mut found: Vec<String> =
        names(ours).symmetric_difference(&names(theirs)).map(|name| format!("only one side sends {name}")).collect();
    for (name, value) in &ours.headers {
        let other = theirs.headers.iter().find(|(own, _)| own == name);
        if let Some((_, other)) = other
            && other != value
            && name != "content-length"
            && !FRESH.contains(&name.as_str())
        {
            found.push(format!("{name} is {value:?} and {other:?}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(header: (&str, &str), body: &str) -> Samples {
        let sample =
            Sample { status: 200, headers: vec![(header.0.to_owned(), header.1.to_owned())], body: body.to_owned() };
        Samples::from([("jwks".to_owned(), sample)])
    }

    #[test]
    fn a_fair_model_differs_in_nothing() {
        let ours = samples(("etag", "\"a\""), "{}");
        assert!(differences(&ours, &ours).is_empty());
        let fresh = (samples(("date", "today"), "{}"), samples(("date", "tomorrow"), "{}"));
        assert!(differences(&fresh.0, &fresh.1).is_empty());
    }

    #[test]
    fn an_unfair_model_is_told_of() {
        let ours = samples(("etag", "\"a\""), "{}");
        assert_eq!(differences(&ours, &samples(("etag", "\"b\""), "{}")).len(), 1);
        assert_eq!(differences(&ours, &samples(("vary", "Origin"), "{}")).len(), 2);
        assert_eq!(differences(&ours, &samples(("etag", "\"a\""), "[]")).len(), 1);
        assert_eq!(differences(&ours, &Samples::new()).len(), 1);
    }
}
