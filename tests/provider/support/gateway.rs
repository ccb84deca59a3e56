//! Apps behind a proxy that asks us, and people who go there.

use std::net::SocketAddr;
use std::sync::Mutex;

use axum::extract::ConnectInfo;
use axum::http::Method;
use cookie::Cookie;
use frontdesk::config::GatewayApp;
use frontdesk::domain::scope::ScopeSet;
use serde_json::json;

use super::asking::build_request;
use super::{Answer, Browser, TestProvider, on_https};

/// The apps' hosts.
pub(crate) const NOTES: &str = "notes.shop.test";
pub(crate) const WIKI: &str = "wiki.shop.test";
/// Where the proxy speaks from.
pub(crate) const PROXY: &str = "10.0.0.1:50000";

/// Where the proxy asks, past the issuer's own name.
pub(crate) const INSIDE: (&str, &str) = ("host", "10.0.0.5:8080");

/// Which protocol a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Traefik,
    Envoy,
}

impl Proxy {
    pub(crate) const ALL: [Self; 3] = [Self::Nginx, Self::Traefik, Self::Envoy];
}

impl TestProvider {
    /// On https, behind a proxy, with two apps that the proxy asks about.
    pub(crate) async fn with_apps_behind_a_proxy() -> Self {
        let app = |host: &str, client: &str| GatewayApp {
            host: host.to_owned(),
            client_id: client.to_owned(),
            audience: format!("https://{host}"),
            scope: ScopeSet::parse("openid email").unwrap(),
        };
        let provider = Self::with(|config| {
            on_https(config);
            config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
            config.gateway.apps = vec![app(NOTES, "notes-gate"), app(WIKI, "wiki-gate")];
        })
        .await;
        for (host, client) in [(NOTES, "notes-gate"), (WIKI, "wiki-gate")] {
            provider.register_gate(client, &format!("https://{host}")).await;
        }
        provider.register_resource(&format!("https://{NOTES}"), &["notes:app"]).await;
        provider.register("program", json!({ "application_type": "service", "scope": "notes:app notes:read" })).await;
        provider
    }

    /// The client in whose name people sign in at an app.
    pub(crate) async fn register_gate(&self, client: &str, origin: &str) {
        let metadata = json!({
            "client_name": "Notes", "application_type": "web", "first_party": true, "scope": "openid email offline_access",
            "redirect_uris": [format!("{origin}/.frontdesk/callback")],
            "post_logout_redirect_uris": [format!("{origin}/")],
        });
        self.register(client, metadata).await;
    }

    /// A request as the proxy sends it.
    pub(crate) async fn send_from(&self, address: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = build_request(Method::GET, path, headers, String::new());
        request.extensions_mut().insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
        self.send(request).await
    }

    /// What a proxy of this kind asks about a request of this method for this path at this host, with the headers it came with.
    pub(crate) async fn asked_by(
        &self,
        proxy: Proxy,
        (method, host, path): (&str, &str, &str),
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = format!("https://{host}{path}");
        let mut all = headers.to_vec();
        let (own, asked_at) = match proxy {
            Proxy::Nginx => {
                all.extend([INSIDE, ("x-original-url", url.as_str()), ("x-original-method", method)]);
                (Method::GET, "/forward-auth/nginx".to_owned())
            }
            Proxy::Traefik => {
                all.extend([
                    INSIDE,
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", host),
                    ("x-forwarded-uri", path),
                    ("x-forwarded-method", method),
                ]);
                (Method::GET, "/forward-auth/traefik".to_owned())
            }
            Proxy::Envoy => {
                all.push(("host", host));
                (method.parse().unwrap(), format!("/forward-auth/envoy{path}"))
            }
        };
        let mut request = build_request(own, &asked_at, &all, String::new());
        request.extensions_mut().insert(ConnectInfo(PROXY.parse::<SocketAddr>().unwrap()));
        self.send(request).await
    }

    /// Somebody at the app's host, with a fresh browser.
    pub(crate) fn guest(&self, host: &'static str) -> Guest {
        self.guest_with(host, self.browser())
    }

    /// The same with a browser that was at the house before.
    pub(crate) fn guest_with(&self, host: &'static str, browser: Browser) -> Guest {
        Guest { provider: self.clone(), browser, host, jar: Mutex::default() }
    }
}

/// A browser at the host of an app. Cookies of the house and of the app do not mix.
pub(crate) struct Guest {
    provider: TestProvider,
    pub(crate) browser: Browser,
    pub(crate) host: &'static str,
    jar: Mutex<Vec<(String, String)>>,
}

const NAVIGATION: [(&str, &str); 2] = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];

impl Guest {
    /// Goes to a page of the app's; the proxy asks first.
    pub(crate) async fn go(&self, proxy: Proxy, path: &str) -> Answer {
        self.ask(proxy, ("GET", path), &NAVIGATION).await
    }

    /// Sends any request to the app; the proxy asks first.
    pub(crate) async fn ask(&self, proxy: Proxy, (method, path): (&str, &str), headers: &[(&str, &str)]) -> Answer {
        let cookies = self.cookies();
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        self.provider.asked_by(proxy, (method, self.host, path), &all).await
    }

    /// Goes to an address under `/.frontdesk/` on the app's host; the proxy leads it to the house.
    pub(crate) async fn at_app(&self, address: &str, headers: &[(&str, &str)]) -> Answer {
        let origin = format!("https://{}", self.host);
        let path = address.strip_prefix(&origin).unwrap_or_else(|| panic!("{address} is not at {origin}"));
        let cookies = self.cookies();
        let mut all = vec![("host", self.host), ("accept", "text/html")];
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        all.extend_from_slice(headers);
        let answer = self.provider.send_from(PROXY, path, &all).await;
        for line in answer.set_cookies() {
            let cookie = Cookie::parse(line.clone()).unwrap();
            assert!(cookie.name().starts_with("__Host-Http-fa") && cookie.secure() == Some(true), "{line}");
            assert!(cookie.http_only() == Some(true) && cookie.domain().is_none(), "{line}");
            let mut jar = self.jar.lock().unwrap();
            jar.retain(|(name, _)| name != cookie.name());
            if !cookie.value().is_empty() {
                jar.push((cookie.name().to_owned(), cookie.value().to_owned()));
            }
        }
        answer
    }

    /// From the page where a sign-in starts to the address of the callback.
    pub(crate) async fn sign_in_at(&self, start: &str, name: &str) -> String {
        let begun = self.at_app(start, &[]).await.expect(303);
        let page = self.browser.go(begun.header("location")).await;
        self.browser.answer_all(page, name).await.left_for().to_owned()
    }

    /// Goes to a page of the app's and signs in on the way. Where that leads in the end.
    pub(crate) async fn arrive(&self, path: &str, name: &str) -> String {
        let start = self.go(Proxy::Traefik, path).await.expect(302).header("location").to_owned();
        let callback = self.sign_in_at(&start, name).await;
        self.at_app(&callback, &[]).await.expect(303).header("location").to_owned()
    }

    /// All cookies of the app's host as a header.
    pub(crate) fn cookies(&self) -> String {
        let jar = self.jar.lock().unwrap();
        jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Loses the cookies.
    pub(crate) fn forget(&self) {
        self.jar.lock().unwrap().clear();
    }

    /// Puts cookies of another browser into this one.
    pub(crate) fn plant(&self, other: &Self) {
        self.jar.lock().unwrap().clone_from(&other.jar.lock().unwrap());
    }
}
