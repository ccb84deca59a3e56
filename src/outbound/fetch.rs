//! The one client for calls to addresses that apps named (security: server-side request forgery).
//!
//! What is refused is refused where the connection is made: names are resolved by a resolver of our own, and what it let pass is what
//! is connected to, so a name that changes its mind meanwhile gains nothing. There are no redirects and no proxies. Callers learn that a
//! call failed, never how: the log knows.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, ClientBuilder, header, redirect};

use super::addresses;
use crate::config;
use crate::domain::origin::Origin;
use crate::domain::web_uri::WebUri;

/// For everything: looking up, connecting, asking, and as much of the answer as is kept.
const LONGEST_CALL: Duration = Duration::from_secs(5);
/// How much of an answer is kept.
pub const MOST_OF_AN_ANSWER: usize = 1_024;
/// The port of https.
const PORT: u16 = 443;

/// What an app answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// When it wants to be asked again, where it names seconds (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

/// There was no answer. Why stands in the log: whoever named the address shall not learn what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there was no answer")
    }
}

impl Error for NoAnswer {}

/// The file with further certificate authorities cannot be used.
#[derive(Debug)]
pub struct BadAuthorities(String);

impl fmt::Display for BadAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadAuthorities {}

/// Which addresses may be called, as far as the address alone says it.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Origins that the operator named: they may be private, plain http, and at any port.
    allow: Vec<Origin>,
    is_public: fn(IpAddr) -> bool,
    port: u16,
}

impl Rules {
    /// The rules with exceptions for these origins.
    #[must_use]
    pub fn new(allow: &[Origin]) -> Self {
        Self { allow: allow.to_vec(), is_public: addresses::is_public, port: PORT }
    }

    /// Whether the operator named the origin.
    #[must_use]
    pub fn is_named(&self, uri: &WebUri) -> bool {
        self.allow.contains(uri.origin())
    }

    /// What keeps an address from ever being called. What its name leads to is asked only when it is called.
    #[must_use]
    pub fn against(&self, uri: &WebUri) -> Option<&'static str> {
        if self.is_named(uri) {
            None
        } else if !uri.is_https() {
            Some("it is not https")
        } else if uri.port() != self.port {
            Some("its port is not 443")
        } else if uri.is_loopback() || uri.address().is_some_and(|address| !(self.is_public)(address)) {
            Some("it is an address within a house")
        } else {
            None
        }
    }
}

/// Calls addresses that apps named.
#[derive(Debug, Clone)]
pub struct Outbound {
    rules: Rules,
    /// For everybody: connects to public addresses only. None where the machine knows no certificate authority.
    guarded: Option<Client>,
    /// For origins that the operator named.
    trusting: Option<Client>,
}

impl Outbound {
    /// A client by the settings.
    ///
    /// # Errors
    /// [`BadAuthorities`] if `outbound.extra_ca` is no file of certificates.
    pub fn new(settings: &config::Outbound) -> Result<Self, BadAuthorities> {
        let authorities = settings.extra_ca.as_deref().map(read).transpose()?.unwrap_or_default();
        Ok(Self::over(Rules::new(&settings.allow), &authorities, Lookup(Arc::new(look_up))))
    }

    fn over(rules: Rules, authorities: &[Certificate], lookup: Lookup) -> Self {
        let resolver = Arc::new(Guarded { lookup, is_public: rules.is_public });
        let guarded = built(client(authorities).dns_resolver(resolver));
        let trusting = built(client(authorities));
        Self { rules, guarded, trusting }
    }

    /// Which addresses may be called.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Sends a form, which is encoded already.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn post_form(&self, uri: &WebUri, form: String) -> Result<Answer, NoAnswer> {
        if let Some(reason) = self.rules.against(uri) {
            tracing::warn!(address = uri.as_str(), reason, "an address of an app is not called");
            return Err(NoAnswer);
        }
        let client = if self.rules.is_named(uri) { &self.trusting } else { &self.guarded };
        let Some(client) = client else {
            tracing::error!(
                alarm = "outbound",
                "no app can be called: this machine knows no certificate authority; set outbound.extra_ca"
            );
            return Err(NoAnswer);
        };
        let request = client
            .post(uri.url().clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .send();
        let mut response = request.await.map_err(|error| {
            tracing::warn!(address = uri.as_str(), error = %chain(&error.without_url()), "an app did not answer");
            NoAnswer
        })?;
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
            body: Vec::new(),
        };
        // The status is what counts; a body that does not come to its end is not waited for.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MOST_OF_AN_ANSWER.saturating_sub(answer.body.len());
            answer.body.extend(chunk.iter().take(room));
            if chunk.len() >= room {
                break;
            }
        }
        Ok(answer)
    }
}

fn client(authorities: &[Certificate]) -> ClientBuilder {
    Client::builder()
        .user_agent("Frontdesk")
        .timeout(LONGEST_CALL)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        // Each call looks up and checks anew.
        .pool_max_idle_per_host(0)
        .tls_certs_merge(authorities.iter().cloned())
}

fn built(builder: ClientBuilder) -> Option<Client> {
    builder.build().map_err(|error| tracing::warn!(error = %chain(&error), "no app can be called from here")).ok()
}

fn read(file: &Path) -> Result<Vec<Certificate>, BadAuthorities> {
    let bad = |what: &dyn fmt::Display| {
        BadAuthorities(format!(
            "outbound.extra_ca = {}: {what}. Name a PEM file with the certificates of your authority.",
            file.display()
        ))
    };
    let pem = std::fs::read(file).map_err(|error| bad(&error))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| bad(&chain(&error)))?;
    if found.is_empty() { Err(bad(&"there is no certificate in it")) } else { Ok(found) }
}

/// An error with what lies behind it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// How names become addresses.
#[derive(Clone)]
struct Lookup(Arc<dyn Fn(String) -> Looking + Send + Sync>);

fn look_up(name: String) -> Looking {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, PORT)).await?.map(|found| found.ip()).collect()) })
}

/// Resolves names, and refuses those that lead within a house: all of them, since what is offered beside a public address may be what
/// is connected to.
struct Guarded {
    lookup: Lookup,
    is_public: fn(IpAddr) -> bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (looking, is_public) = ((self.lookup.0)(name.as_str().to_owned()), self.is_public);
        Box::pin(async move {
            let found = looking.await?;
            if let Some(address) = found.iter().find(|address| !is_public(**address)) {
                return Err(format!("the name leads to {address}, which is no public address").into());
            }
            // The port of the address is put in by the client.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A listener that counts who comes, and answers all of them with the same bytes.
    #[expect(clippy::disallowed_methods, reason = "listens until the test is over")]
    async fn listener(address: &str, answer: &'static str) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(address).await.unwrap();
        let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counted = count.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 4_096]).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        (port, count)
    }

    fn named(port: u16) -> Outbound {
        let origin = Origin::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        Outbound::over(Rules::new(&[origin]), &[], Lookup(Arc::new(look_up)))
    }

    fn always(addresses: &[&str]) -> Lookup {
        let found: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Lookup(Arc::new(move |_| {
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        }))
    }

    fn uri(text: &str) -> WebUri {
        WebUri::parse(text).unwrap()
    }

    #[tokio::test]
    async fn an_address_within_a_house_is_not_connected_to() {
        let (port, count) = listener("127.0.0.1:0", "").await;
        // Any port here, so that nothing but the address can be what is refused.
        let rules = Rules { port, ..Rules::new(&[]) };
        let outbound = Outbound::over(rules, &[], Lookup(Arc::new(look_up)));
        for host in
            ["127.0.0.1", "localhost", "app.localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0", "[fd00::1]"]
        {
            let call = outbound.post_form(&uri(&format!("https://{host}:{port}/")), String::new()).await;
            assert_eq!(call, Err(NoAnswer), "{host}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_name_that_leads_within_a_house_is_not_connected_to_even_beside_a_public_address() {
        let (port, count) = listener("127.0.0.1:0", "").await;
        for found in [
            &["127.0.0.1"][..],
            &["::ffff:127.0.0.1"],
            &["8.8.8.8", "127.0.0.1"],
            &["127.0.0.1", "8.8.8.8"],
            &["0.0.0.0"],
            &[],
        ] {
            let outbound = Outbound::over(Rules { port, ..Rules::new(&[]) }, &[], always(found));
            let call = outbound.post_form(&uri(&format!("https://rp.example.com:{port}/")), String::new()).await;
            assert_eq!(call, Err(NoAnswer), "{found:?}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_what_was_checked_is_what_is_connected_to() {
        // Here, 127.0.0.2 is public and 127.0.0.1 is not; the name leads to one, then to the other (DNS rebinding).
        let (port, public) = listener("127.0.0.2:0", "").await;
        let (_, private) = listener(&format!("127.0.0.1:{port}"), "").await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let lookup = Lookup(Arc::new(move |_| {
            let address = if counted.fetch_add(1, Ordering::SeqCst) == 0 { "127.0.0.2" } else { "127.0.0.1" };
            Box::pin(async move { Ok(vec![address.parse().unwrap()]) })
        }));
        let rules = Rules { allow: Vec::new(), is_public: |address| address.to_string() == "127.0.0.2", port };
        let outbound = Outbound::over(rules, &[], lookup);
        let call = uri(&format!("https://rp.example.com:{port}/"));
        assert_eq!(outbound.post_form(&call, String::new()).await, Err(NoAnswer), "it speaks no TLS");
        assert_eq!((asked.load(Ordering::SeqCst), public.load(Ordering::SeqCst)), (1, 1));
        assert_eq!(outbound.post_form(&call, String::new()).await, Err(NoAnswer));
        assert_eq!((public.load(Ordering::SeqCst), private.load(Ordering::SeqCst)), (1, 0));
    }

    #[tokio::test]
    async fn only_https_at_its_own_port_is_called_unless_the_operator_named_the_origin() {
        let rules = Rules::new(&[
            Origin::parse("https://rp.test:8443").unwrap(),
            Origin::parse("http://localhost:3000").unwrap(),
        ]);
        for refused in [
            "http://rp.example.com/",
            "http://rp.example.com:443/",
            "https://rp.example.com:22/",
            "https://rp.example.com:80/",
            "https://rp.example.com:8443/",
            "http://rp.test:8443/",
            "https://other.rp.test:8443/",
            "https://localhost:3000/",
            "http://localhost:3001/",
            "https://localhost/",
            "https://127.0.0.1/",
        ] {
            assert!(rules.against(&uri(refused)).is_some(), "{refused}");
        }
        for good in
            ["https://rp.example.com/x", "https://8.8.8.8/x", "https://rp.test:8443/x", "http://localhost:3000/x?y"]
        {
            assert_eq!(rules.against(&uri(good)), None, "{good}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (inside, count) = listener("127.0.0.1:0", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let location = format!("HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n");
        let (port, _) = listener("127.0.0.1:0", Box::leak(location.into_boxed_str())).await;
        let answer = named(port).post_form(&uri(&format!("http://127.0.0.1:{port}/")), "a=b".to_owned()).await.unwrap();
        assert_eq!(answer, Answer { status: 307, retry_after: None, body: Vec::new() });
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn an_answer_says_when_to_come_back() {
        for (said, seconds) in [("120", Some(120)), ("Wed, 18 Nov 2026 11:06:40 GMT", None), ("-1", None)] {
            let text = format!("HTTP/1.1 503 x\r\nretry-after: {said}\r\ncontent-length: 0\r\n\r\n");
            let (port, _) = listener("127.0.0.1:0", Box::leak(text.into_boxed_str())).await;
            let call = uri(&format!("http://127.0.0.1:{port}/"));
            let answer = named(port).post_form(&call, String::new()).await.unwrap();
            assert_eq!(answer.retry_after, seconds.map(Duration::from_secs), "{said}");
        }
    }

    #[tokio::test]
    async fn a_kilobyte_of_an_endless_answer_is_kept() {
        let endless = format!("HTTP/1.1 400 x\r\ncontent-length: 99999999\r\n\r\n{}", "x".repeat(3_000));
        let (port, _) = listener("127.0.0.1:0", Box::leak(endless.into_boxed_str())).await;
        let answer = named(port).post_form(&uri(&format!("http://127.0.0.1:{port}/")), String::new()).await.unwrap();
        assert_eq!((answer.status, answer.body), (400, vec![b'x'; MOST_OF_AN_ANSWER]));
    }

    #[tokio::test]
    async fn a_call_that_is_never_answered_ends() {
        // Nobody accepts; the clock of the test runs ahead as soon as nothing else is to be done.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let outbound = named(port);
        tokio::time::pause();
        let from = tokio::time::Instant::now();
        let call = outbound.post_form(&uri(&format!("http://127.0.0.1:{port}/")), String::new()).await;
        assert_eq!(call, Err(NoAnswer));
        assert!(from.elapsed() >= LONGEST_CALL && from.elapsed() < LONGEST_CALL * 2);
        drop(silent);
    }

    #[test]
    fn a_file_without_certificates_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let (file, missing) = (folder.path().join("ca.pem"), folder.path().join("missing.pem"));
        std::fs::write(&file, "nothing").unwrap();
        for file in [file, missing] {
            let settings = config::Outbound { extra_ca: Some(file), ..config::Outbound::default() };
            let error = Outbound::new(&settings).unwrap_err().to_string();
            assert!(error.contains("Name a PEM file"), "{error}");
        }
    }
}
