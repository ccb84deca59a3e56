//! How long keys, tokens and sessions live, alone and against each other.

use std::time::Duration;

use super::{Check, shown};
use crate::config::LONGEST_ACCESS_TOKEN;
use crate::config::duration::{days, hours, minutes, seconds};
use crate::domain::alg::Alg;

impl Check<'_> {
    pub(super) fn keys(&mut self) {
        let keys = &self.config.keys;
        let algorithms = &keys.algorithms;
        if algorithms.is_empty() {
            self.reading.report(
                &["keys.algorithms"],
                "is empty, so nothing could be signed",
                "Write [\"ES256\", \"RS256\"].",
            );
        } else if !algorithms.contains(&Alg::RS256) {
            self.reading.warn(
                &["keys.algorithms"],
                "lacks RS256, which every OpenID provider must offer (OpenID Connect Discovery section 3)",
                "Add \"RS256\" unless you know all your clients.",
            );
        }
        if let Some(twice) =
            algorithms.iter().enumerate().find_map(|(i, a)| algorithms.iter().take(i).find(|b| *b == a))
        {
            self.reading.report(&["keys.algorithms"], format!("names {twice} twice"), "Name each algorithm once.");
        }
        if ![2048, 3072, 4096].contains(&keys.rsa_bits) {
            self.reading.report(
                &["keys.rsa_bits"],
                format!("{} is not a usual size", keys.rsa_bits),
                "Write 2048, 3072 or 4096.",
            );
        }
        self.within("keys.jwks_max_age", keys.jwks_max_age, seconds(1), days(1));
        self.whole_seconds("keys.jwks_max_age", keys.jwks_max_age);
        self.within("keys.clock_skew", keys.clock_skew, Duration::ZERO, minutes(5));
        self.within("keys.period", keys.period, seconds(1), days(730));
        self.within("keys.publish_ahead", keys.publish_ahead, Duration::ZERO, days(365));
        self.within("keys.patience", keys.patience, Duration::ZERO, days(30));
        if let Some(window) = keys.retire_window {
            self.within("keys.retire_window", window, seconds(1), days(365));
        }
    }

    /// How long a key must be known before and after it signs.
    pub(super) fn key_windows(&mut self) {
        let (keys, tokens) = (&self.config.keys, &self.config.tokens);
        let floor = self.config.publish_ahead_floor();
        if keys.publish_ahead < floor {
            self.reading.report(
                &["keys.publish_ahead", "keys.jwks_max_age", "keys.clock_skew", "limits.change_poll"],
                format!(
                    "{} is too short: apps that keep the key set would refuse new tokens",
                    shown(&keys.publish_ahead)
                ),
                format!(
                    "Write at least {}, the sum of jwks_max_age, clock_skew and limits.change_poll.",
                    shown(&floor)
                ),
            );
        } else if keys.publish_ahead < minutes(15) {
            self.reading.warn(
                &["keys.publish_ahead"],
                format!("{} is shorter than many libraries keep a key set", shown(&keys.publish_ahead)),
                "Write at least \"15m\", better \"24h\".",
            );
        }
        if keys.period <= keys.publish_ahead {
            self.reading.report(
                &["keys.period", "keys.publish_ahead"],
                format!(
                    "{} leaves no time to publish the next key {} ahead",
                    shown(&keys.period),
                    shown(&keys.publish_ahead)
                ),
                "Write a period that is longer than publish_ahead.",
            );
        }
        let longest = tokens.access_token_ttl.max(tokens.id_token_ttl);
        let floor = longest + self.config.after_the_last_token();
        if self.config.retire_window() < floor {
            self.reading.report(
                &["keys.retire_window", "tokens.access_token_ttl", "tokens.id_token_ttl"],
                format!(
                    "{} is shorter than the life of a token that the key signed",
                    shown(&self.config.retire_window())
                ),
                format!("Write at least {}, or remove it and have it computed.", shown(&floor)),
            );
        }
    }

    pub(super) fn tokens(&mut self) {
        let t = &self.config.tokens;
        self.life("tokens.access_token_ttl", t.access_token_ttl, seconds(60), LONGEST_ACCESS_TOKEN);
        self.life("tokens.id_token_ttl", t.id_token_ttl, seconds(60), hours(1));
        self.life("tokens.authorization_code_ttl", t.authorization_code_ttl, seconds(1), minutes(10));
        for (key, value) in [
            ("tokens.refresh_lifetime_browser", t.refresh_lifetime_browser),
            ("tokens.refresh_lifetime_native", t.refresh_lifetime_native),
            ("tokens.refresh_idle_native", t.refresh_idle_native),
            ("tokens.refresh_lifetime_confidential", t.refresh_lifetime_confidential),
            ("tokens.refresh_idle_confidential", t.refresh_idle_confidential),
        ] {
            self.life(key, value, seconds(1), days(3_650));
        }
        self.at_most(
            ("tokens.refresh_idle_native", t.refresh_idle_native),
            ("tokens.refresh_lifetime_native", t.refresh_lifetime_native),
        );
        self.at_most(
            ("tokens.refresh_idle_confidential", t.refresh_idle_confidential),
            ("tokens.refresh_lifetime_confidential", t.refresh_lifetime_confidential),
        );
        self.life("tokens.refresh_grace_body", t.refresh_grace_body, Duration::ZERO, seconds(60));
        // The jitter of the browser library is at most a minute, and at least twice the grace.
        self.life("tokens.refresh_grace_cookie", t.refresh_grace_cookie, Duration::ZERO, seconds(30));
    }

    pub(super) fn sessions(&mut self) {
        let s = &self.config.sessions;
        for (key, value) in [
            ("sessions.idle", s.idle),
            ("sessions.keep_signed_in", s.keep_signed_in),
            ("sessions.absolute", s.absolute),
        ] {
            // Browsers keep no cookie longer than 400 days.
            self.life(key, value, seconds(1), days(400));
        }
        self.at_most(("sessions.idle", s.idle), ("sessions.keep_signed_in", s.keep_signed_in));
        self.at_most(("sessions.keep_signed_in", s.keep_signed_in), ("sessions.absolute", s.absolute));
        self.life("sessions.authorize_request_ttl", s.authorize_request_ttl, seconds(60), hours(1));
    }
}
