//! Apps behind a proxy that asks us about every request (forward-auth).

use std::ops::Range;

use toml::de::DeValue;
use url::Url;

use super::setting::{Setting, Wrong};
use crate::domain::scope::ScopeSet;

/// An app behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayApp {
    /// The host that browsers know it by, with its port where that is not the scheme's own.
    pub host: String,
    /// The registered client in whose name people sign in there.
    pub client_id: String,
    /// What stands as `aud` in access tokens for it.
    pub audience: String,
    /// What it is told of people.
    pub scope: ScopeSet,
}

const MEMBERS: &str = "An app has host and client_id, and may have audience and scope.";

impl Setting for GatewayApp {
    const WRITE: &'static str =
        "Write a table such as { host = \"notes.example.com\", client_id = \"notes-gate\", scope = \"openid email\" }.";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let table = value.as_table().ok_or_else(|| Wrong::kind(value, Self::WRITE))?;
        let (mut host, mut client_id, mut audience, mut scope) = (None, None, None, None);
        for (name, value) in table {
            let slot = match name.get_ref().as_ref() {
                "host" => &mut host,
                "client_id" => &mut client_id,
                "audience" => &mut audience,
                "scope" => &mut scope,
                other => return Err(wrong(format!("{other:?} is no member of an app"), MEMBERS, name.span())),
            };
            let text = value.get_ref().as_str();
            let text =
                text.ok_or_else(|| wrong("this is no text".to_owned(), "Write text in quotes.", value.span()))?;
            *slot = Some((text.to_owned(), value.span()));
        }
        let (host, at) = host.ok_or_else(|| Wrong::new("the app has no host", MEMBERS))?;
        check_host(&host, at)?;
        let (client_id, at) = client_id.ok_or_else(|| Wrong::new("the app has no client_id", MEMBERS))?;
        if client_id.is_empty() {
            return Err(wrong("client_id is empty".to_owned(), MEMBERS, at));
        }
        let audience = audience.map_or_else(|| format!("https://{host}"), |(audience, _)| audience);
        let scope = match scope {
            Some((text, at)) => ScopeSet::parse(&text).map_err(|_| {
                wrong(
                    format!("{text:?} is no scope"),
                    "Write words apart by single spaces, such as \"openid email\".",
                    at,
                )
            })?,
            None => ScopeSet::parse("openid").unwrap_or_default(),
        };
        Ok(Self { host, client_id, audience, scope })
    }

    fn shown(&self) -> Option<toml::Value> {
        let member = |name: &str, value: &str| (name.to_owned(), toml::Value::String(value.to_owned()));
        let members = [
            member("host", &self.host),
            member("client_id", &self.client_id),
            member("audience", &self.audience),
            member("scope", &self.scope.to_string()),
        ];
        Some(toml::Value::Table(members.into_iter().collect()))
    }
}

/// Hosts are compared letter by letter with what proxies say, so they stand in their normal form.
fn check_host(host: &str, at: Range<usize>) -> Result<(), Wrong> {
    let normal = Url::parse(&format!("https://{host}")).ok().and_then(|url| {
        let name = url.host_str().filter(|name| !name.is_empty())?;
        Some(url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
    });
    match normal {
        Some(normal) if normal == host => Ok(()),
        Some(normal) => {
            Err(wrong(format!("{host:?} is not a host as browsers send it"), &format!("Write \"{normal}\"."), at))
        }
        None => Err(wrong(format!("{host:?} is not a host"), "Write it as in \"notes.example.com\".", at)),
    }
}

fn wrong(what: String, todo: &str, span: Range<usize>) -> Wrong {
    Wrong { span: Some(span), ..Wrong::new(what, todo) }
}
