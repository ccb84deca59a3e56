//! In which place an address of the network is, if the operator has given a database of places (`pages.places_file`). We bring none, and
//! ask nobody else: whose address it is stays in this house.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

use super::language::Language;
use super::pages::seen_from::SeenFrom;

/// A database of places, in the memory of this process.
#[derive(Debug)]
pub struct Whereabouts(Option<Reader<Vec<u8>>>);

/// Of a record of the kind "City" or "Country", what we show.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    city: Named<'a>,
    #[serde(borrow, default)]
    country: Named<'a>,
}

#[derive(Default, Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    names: BTreeMap<&'a str, &'a str>,
}

impl Whereabouts {
    /// Knows no place.
    #[must_use]
    pub fn unknown() -> Self {
        Self(None)
    }

    /// Reads a file in `MaxMind`'s format, whose records have `city` or `country` with `names`.
    ///
    /// # Errors
    /// The file cannot be read, or is no such database.
    pub fn read(file: &Path) -> Result<Self, MaxMindDbError> {
        Reader::open_readfile(file).map(|reader| Self(Some(reader)))
    }

    /// Where somebody with this address is. `None` without an address.
    #[must_use]
    pub fn of(&self, address: &str, language: Language) -> Option<SeenFrom> {
        let place = address.parse().ok().and_then(|address| self.place(address, language));
        (!address.is_empty()).then(|| SeenFrom { address: address.to_owned(), place })
    }

    fn place(&self, address: IpAddr, language: Language) -> Option<String> {
        let found = self.0.as_ref()?.lookup(address).ok()?;
        // A record that cannot be read says as much as none.
        let record: Record<'_> = found.decode().ok()??;
        let names: Vec<&str> = [record.city, record.country].iter().filter_map(|one| one.name(language)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

impl<'a> Named<'a> {
    /// In the language of the page, else in English.
    fn name(&self, language: Language) -> Option<&'a str> {
        self.names.get(language.tag().as_str()).or_else(|| self.names.get("en")).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Whereabouts {
        Whereabouts::read(Path::new("tests/fixtures/places.mmdb")).unwrap()
    }

    #[test]
    fn an_address_is_in_a_town_and_a_country_as_far_as_the_database_knows() {
        for (address, place) in [
            ("203.0.113.7", Some("Vienna, Austria")),
            ("2001:db8:1234:5678::1", Some("Oxford, United Kingdom")),
            ("198.51.100.23", Some("Japan")),
            // A country without a name.
            ("198.51.100.200", None),
            ("192.0.2.1", None),
            ("no address", None),
        ] {
            let seen = places().of(address, Language::english()).unwrap();
            assert_eq!((seen.address.as_str(), seen.place.as_deref()), (address, place));
        }
        assert_eq!(places().of("", Language::english()), None);
    }

    #[test]
    fn without_a_database_an_address_is_an_address() {
        let seen = Whereabouts::unknown().of("203.0.113.7", Language::english()).unwrap();
        assert_eq!(seen, SeenFrom { address: "203.0.113.7".into(), place: None });
    }

    #[test]
    fn what_is_no_database_is_refused_and_a_damaged_one_harms_nobody() {
        assert!(Whereabouts::read(Path::new("tests/fixtures/none.mmdb")).is_err());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("places.mmdb");
        let whole = std::fs::read("tests/fixtures/places.mmdb").unwrap();
        for end in [0, 1, 100] {
            std::fs::write(&file, &whole[..end]).unwrap();
            assert!(Whereabouts::read(&file).is_err(), "{end} bytes");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            std::fs::write(&file, &damaged).unwrap();
            let Ok(places) = Whereabouts::read(&file) else { continue };
            for address in ["203.0.113.7", "2001:db8:1234::1", "255.255.255.255"] {
                assert!(places.of(address, Language::english()).is_some(), "{at}");
            }
        }
    }
}
