//! The apps behind a proxy.

use std::collections::BTreeSet;

use super::Check;
use crate::config::Issuer;
use crate::domain::resource;

const APPS: &str = "gateway.apps";

impl Check<'_> {
    pub(super) fn gateway(&mut self) {
        let (gateway, server) = (&self.config.gateway, &self.config.server);
        let mut hosts = BTreeSet::new();
        for app in &gateway.apps {
            let host = &app.host;
            // Cookies know no ports. In development mode, where all ports of localhost share them, that is how it is.
            let own = match self.config.is_development() {
                true => server.issuer.as_str() == format!("http://{host}"),
                false => host.split(':').next() == Some(server.issuer.host()),
            };
            if own {
                self.reading.report(
                    &[APPS, "server.issuer"],
                    format!("{host} is our own host, not an app's"),
                    "Give the app a host of its own, such as \"notes.example.com\".",
                );
            }
            if self.config.is_development() && Issuer::parse(&format!("http://{host}")).is_err() {
                self.reading.report(
                    &[APPS, "server.issuer"],
                    format!("{host} would get its cookies over plain http, which is for loopback only"),
                    "Give the app a name under .localhost, or write an https issuer.",
                );
            }
            if !hosts.insert(host) {
                self.reading.report(&[APPS], format!("{host} is there twice"), "Name each host once.");
            }
            if app.audience == server.issuer.as_str() || !resource::is_identifier(&app.audience) {
                self.reading.report(
                    &[APPS, "server.issuer"],
                    format!("the audience of {host} is not an identifier of its own"),
                    format!("Write the app's URL, such as \"https://{host}\", or the identifier of its [[resources]]."),
                );
            }
            // These would be worth more than a visit to the app.
            if let Some(word) =
                app.scope.iter().find(|word| word.starts_with("frontdesk:") || *word == "offline_access")
            {
                self.reading.report(
                    &[APPS],
                    format!("{host} may not have the scope {word}"),
                    "Leave it out: it would outlive the visit, or open what is ours.",
                );
            }
        }
        if !gateway.apps.is_empty() && !self.config.is_development() && server.trusted_proxies.is_empty() {
            self.reading.report(
                &["server.trusted_proxies", APPS],
                "is empty, so no proxy may ask about the apps of [gateway]",
                "Name the proxy's address, such as \"10.0.0.7\".",
            );
        }
    }
}
