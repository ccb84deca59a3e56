//! Lengths of time written for people: `"15m"`, `"7d"`, `"1h30m"`, `"500ms"`.

use std::time::Duration;

/// Units from long to short, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A hundred years; more is a slip of the pen, and would overflow dates.
const LONGEST: Duration = days(36_500);

/// `n` seconds.
pub(super) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `n` minutes.
pub(super) const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// `n` hours.
pub(super) const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3_600)
}

/// `n` days.
pub(super) const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}

/// Reads parts of number and unit, long units first, each unit once. The error says what is wrong.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let mut rest = text;
    let mut longer_units = UNITS.as_slice();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split_at_end_of(rest, |c| c.is_ascii_digit());
        if number.is_empty() {
            return Err(format!("{text:?} is not a length of time"));
        }
        let (unit, after) = split_at_end_of(after, |c| !c.is_ascii_digit());
        if unit.is_empty() {
            return Err(format!("{text:?} has no unit after {number}"));
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(format!("{text:?} has the unknown unit {unit:?}"));
        }
        let Some(position) = longer_units.iter().position(|(name, _)| *name == unit) else {
            return Err(format!("{text:?} does not go from long units to short ones"));
        };
        let (here, shorter_units) = longer_units.split_at(position + 1);
        let length = here.last().map_or(0, |(_, length)| *length);
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(length))
            .and_then(|part| total.checked_add(part))
            .filter(|sum| Duration::from_millis(*sum) <= LONGEST)
            .ok_or_else(|| format!("{text:?} is longer than a hundred years"))?;
        longer_units = shorter_units;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// The shortest writing that [`parse`] reads back, in whole milliseconds.
pub(super) fn print(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, length) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split_at_end_of(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, expected) in [
            ("15m", minutes(15)),
            ("7d", days(7)),
            ("1h30m", minutes(90)),
            ("500ms", Duration::from_millis(500)),
            ("1d2h3m4s5ms", days(1) + hours(2) + minutes(3) + Duration::from_millis(4_005)),
            ("0s", Duration::ZERO),
            ("36500d", days(36_500)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_unclear() {
        for (text, reason) in [
            ("", "is empty"),
            ("15", "no unit"),
            ("m", "not a length"),
            ("-5m", "not a length"),
            ("5 m", "unknown unit"),
            ("1.5h", "unknown unit"),
            ("5y", "unknown unit"),
            ("5M", "unknown unit"),
            ("5m5m", "long units to short"),
            ("5s1h", "long units to short"),
            ("5ms5s", "long units to short"),
            ("36501d", "hundred years"),
            ("99999999999999999999d", "hundred years"),
            ("9999999999999999999d", "hundred years"),
            ("5µs", "unknown unit"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (minutes(90), "1h30m"),
            (hours(24), "1d"),
            (days(365), "365d"),
            (Duration::from_millis(61_001), "1m1s1ms"),
        ] {
            assert_eq!(print(duration), text);
            assert_eq!(parse(text), Ok(duration));
        }
    }
}
