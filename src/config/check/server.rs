//! Listener, database, calls to apps, and pages.

use super::Check;
use crate::config::Config;
use crate::config::colour::Colour;
use crate::domain::redirect_uri::is_loopback;

impl Check<'_> {
    pub(super) fn server(&mut self) {
        let server = &self.config.server;
        let development = server.issuer.is_development();
        match (&server.tls.certificate, &server.tls.key) {
            (Some(_), None) => self.reading.report(
                &["server.tls.key", "server.tls.certificate"],
                "is missing, but there is a certificate",
                "Set it to the PEM file with the certificate's private key.",
            ),
            (None, Some(_)) => self.reading.report(
                &["server.tls.certificate", "server.tls.key"],
                "is missing, but there is a private key",
                "Set it to the PEM file with the certificate and its chain.",
            ),
            (Some(_), Some(_)) if development => self.reading.report(
                &["server.issuer", "server.tls.certificate"],
                "is http, but the listener speaks TLS",
                "Write an https issuer, or remove tls.certificate and tls.key.",
            ),
            _ => {}
        }
        for network in &server.trusted_proxies {
            if network.prefix_len() == 0 {
                self.reading.report(
                    &["server.trusted_proxies"],
                    format!("{network} lets everybody forge the address he comes from"),
                    "Name the proxy's own address, such as \"10.0.0.7\".",
                );
            }
        }
        if server.tls.files().is_none() && server.trusted_proxies.is_empty() {
            self.plain_listener();
        }
    }

    /// Nothing in front of a listener without TLS that we know of.
    fn plain_listener(&mut self) {
        let server = &self.config.server;
        if let Some(open) = server.listen.0.iter().find(|address| !address.is_loopback()) {
            self.reading.report(
                &["server.listen", "server.tls.certificate", "server.tls.key", "server.trusted_proxies"],
                format!("{open} would offer plain http to the network"),
                "Set tls.certificate and tls.key, or name the proxy that ends TLS in trusted_proxies, or listen on 127.0.0.1.",
            );
        } else if !server.issuer.is_development() {
            self.reading.warn(
                &["server.trusted_proxies", "server.listen"],
                "is empty, so behind a proxy on this machine every visitor seems to come from loopback",
                "Write [\"127.0.0.1\", \"::1\"] if such a proxy ends TLS.",
            );
        } else if server.listen.0.iter().all(|address| ![0, server.issuer.port()].contains(&address.port())) {
            self.reading.warn(
                &["server.listen", "server.issuer"],
                format!("no address has the port of the issuer, {}", server.issuer),
                "Write the same port in both, unless something forwards it.",
            );
        }
    }

    pub(super) fn database(&mut self) {
        let Config { database, secrets, .. } = self.config;
        self.within("database.max_connections", database.max_connections, 1, 1_000);
        if secrets.previous_master_key_files.contains(&secrets.master_key_file) {
            self.reading.report(
                &["secrets.previous_master_key_files", "secrets.master_key_file"],
                "names the file of the present master key",
                "Keep the former key in a file of its own and name that one here.",
            );
        }
    }

    pub(super) fn outbound(&mut self) {
        let allow = &self.config.outbound.allow;
        for (position, origin) in allow.iter().enumerate() {
            if origin.scheme() == "http" && !is_loopback(origin.host()) {
                self.reading.report(
                    &["outbound.allow"],
                    format!("{} would send what we sign over the network in the clear", origin.as_str()),
                    "Write an https origin; http is for this machine (\"http://localhost:3000\").",
                );
            }
            if allow.iter().take(position).any(|before| before == origin) {
                self.reading.report(
                    &["outbound.allow"],
                    format!("names {} twice", origin.as_str()),
                    "Name each origin once.",
                );
            }
        }
    }

    pub(super) fn pages(&mut self) {
        let pages = &self.config.pages;
        let length = pages.name.chars().count();
        if length > 60 || pages.name.trim().is_empty() || pages.name.chars().any(char::is_control) {
            self.reading.report(&["pages.name"], "is not a name", "Write 1 to 60 characters, on one line.");
        }
        let contrast = pages.accent.contrast_with(Colour::WHITE);
        if contrast < 4.5 {
            self.reading.warn(
                &["pages.accent"],
                format!("{} has a contrast of only {contrast:.1} against white", pages.accent),
                "Choose a darker colour, so that buttons and links reach 4.5 (WCAG 2.2).",
            );
        }
        if let Some(logo) = &pages.logo_file {
            let kind = logo.extension().and_then(|kind| kind.to_str()).map(str::to_ascii_lowercase);
            if !["svg", "png", "webp", "jpg", "jpeg"].contains(&kind.as_deref().unwrap_or_default()) {
                self.reading.report(
                    &["pages.logo_file"],
                    format!("{} is not a picture that browsers show", logo.display()),
                    "Name a file that ends in .svg, .png, .webp, .jpg or .jpeg.",
                );
            }
        }
    }
}
