//! How much work a request may cause, and how often a password may be tried.

use std::time::Duration;

use super::Check;
use crate::config::duration::{days, minutes, seconds};

impl Check<'_> {
    pub(super) fn password_hashing(&mut self) {
        let p = &self.config.passwords;
        for (key, value, floor) in
            [("passwords.memory_kib", p.memory_kib, 19_456), ("passwords.iterations", p.iterations, 2)]
        {
            if value < floor {
                self.reading.report(
                    &[key],
                    format!("{value} would make stolen hashes quick to guess"),
                    format!("Write {floor} or more."),
                );
            }
        }
        self.within("passwords.memory_kib", p.memory_kib, 19_456, 4_194_304);
        self.within("passwords.iterations", p.iterations, 2, 100);
        self.within("passwords.parallelism", p.parallelism, 1, 64);
        self.within("passwords.threads", p.threads, 0, 1_024);
        self.within("passwords.queue", p.queue, 1, 100_000);
        self.within("passwords.min_length", p.min_length, 8, 64);
        // 64 characters must fit (ASVS 6.2.9), and a character may take four bytes.
        // And each byte may be sent as three, in a form that holds 8 KiB.
        self.within("passwords.max_length", p.max_length, 256, 2_048);
    }

    pub(super) fn password_attempts(&mut self) {
        let p = &self.config.passwords;
        let narrow = ("passwords.attempts_per_account_and_network", p.attempts_per_account_and_network);
        let account = ("passwords.attempts_per_account", p.attempts_per_account);
        let network = ("passwords.attempts_per_network", p.attempts_per_network);
        for (key, value) in [narrow, account, network] {
            self.within(key, value, 1, 100_000);
        }
        self.at_most(narrow, account);
        self.at_most(narrow, network);
        self.life("passwords.attempts_window", p.attempts_window, seconds(1), days(1));
    }

    pub(super) fn limits(&mut self) {
        let l = &self.config.limits;
        self.within("limits.body_bytes", l.body_bytes, 8_192, 1_048_576);
        self.within("limits.header_bytes", l.header_bytes, 8_192, 1_048_576);
        self.within("limits.request_timeout", l.request_timeout, seconds(1), minutes(5));
        self.within("limits.header_timeout", l.header_timeout, seconds(1), minutes(5));
        self.within("limits.idle_timeout", l.idle_timeout, seconds(1), minutes(10));
        // A request that is still worked on would be taken for one that stands still.
        self.at_most(("limits.request_timeout", l.request_timeout), ("limits.idle_timeout", l.idle_timeout));
        self.at_most(("limits.header_timeout", l.header_timeout), ("limits.idle_timeout", l.idle_timeout));
        self.within("limits.graceful_stop", l.graceful_stop, Duration::ZERO, minutes(10));
        self.within("limits.connections", l.connections, 16, 1_000_000);
        if l.connections_per_network != 0 {
            self.within("limits.connections_per_network", l.connections_per_network, 16, 1_000_000);
        }
        // Below that, a few people who sign in at the same moment would stop each other.
        for (key, value, least) in [
            ("limits.requests_per_network", l.requests_per_network, 60),
            ("limits.requests_per_client", l.requests_per_client, 60),
            ("limits.refreshes_per_family", l.refreshes_per_family, 20),
        ] {
            if value != 0 {
                self.within(key, value, least, 1_000_000_000);
            }
        }
        self.within("limits.streams_per_client", l.streams_per_client, 0, 1024);
        self.within("limits.change_poll", l.change_poll, Duration::from_millis(50), seconds(10));
        self.within("limits.stale_log", l.stale_log, Duration::from_millis(100), minutes(5));
        self.within("limits.stale_stop", l.stale_stop, seconds(1), minutes(15));
        self.at_most(("limits.change_poll", l.change_poll), ("limits.stale_log", l.stale_log));
        self.at_most(("limits.stale_log", l.stale_log), ("limits.stale_stop", l.stale_stop));
    }
}
