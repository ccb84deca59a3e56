//! The bounds of each setting, and what settings must hold together.

mod amounts;
mod gateway;
mod lifetimes;
mod server;

use std::time::Duration;

use super::Config;
use super::duration::{self, seconds};
use super::reader::Reading;
use super::setting::Setting;

/// Finds everything that is wrong with `config`; `reading` knows where it was written.
pub(super) fn check(config: &Config, reading: &mut Reading) {
    let mut check = Check { config, reading };
    check.server();
    check.database();
    check.keys();
    check.key_windows();
    check.tokens();
    check.sessions();
    check.password_hashing();
    check.password_attempts();
    check.limits();
    check.outbound();
    check.gateway();
    check.pages();
}

struct Check<'a> {
    config: &'a Config,
    reading: &'a mut Reading,
}

impl Check<'_> {
    fn within<T: Setting + PartialOrd + Copy>(&mut self, key: &str, value: T, least: T, most: T) {
        let bounds = format!("Write a value from {} to {}.", shown(&least), shown(&most));
        if value < least {
            self.reading.report(&[key], format!("{} is less than {}", shown(&value), shown(&least)), bounds);
        } else if value > most {
            self.reading.report(&[key], format!("{} is more than {}", shown(&value), shown(&most)), bounds);
        }
    }

    /// Bounds of a length of time that is stored or sent in seconds.
    fn life(&mut self, key: &str, value: Duration, least: Duration, most: Duration) {
        self.within(key, value, least, most);
        self.whole_seconds(key, value);
    }

    fn whole_seconds(&mut self, key: &str, value: Duration) {
        if value.subsec_nanos() != 0 {
            self.reading.report(
                &[key],
                format!("{} is not in whole seconds", shown(&value)),
                format!("Write \"{}\".", duration::print(seconds(value.as_secs().max(1)))),
            );
        }
    }

    /// Reports when `small` is above `large`, which would have no effect.
    fn at_most<T: Setting + PartialOrd + Copy>(&mut self, small: (&str, T), large: (&str, T)) {
        if small.1 > large.1 {
            self.reading.report(
                &[small.0, large.0],
                format!("{} is more than {} = {}", shown(&small.1), large.0, shown(&large.1)),
                format!("Write at most {}, or raise {}.", shown(&large.1), large.0),
            );
        }
    }
}

/// A value as it stands in the file.
fn shown<T: Setting>(value: &T) -> String {
    value.shown().map(|value| value.to_string()).unwrap_or_default()
}
