//! What an app may see of a person, in plain words and with the actual values.

use std::borrow::Cow;

use crate::http::language::Language;

/// One thing an app may see, with what it would see now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    kind: Kind,
    /// The actual value; none when the person has not told us any.
    pub value: Option<String>,
}

/// A resource and the scopes of it that an app may use.
#[derive(Debug, Clone)]
pub struct ResourceShown {
    /// The resource's name, or its identifier when it has none.
    pub name: String,
    /// The scopes, as they are written.
    pub scopes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Subject,
    Name,
    GivenName,
    FamilyName,
    MiddleName,
    Nickname,
    Username,
    ProfilePage,
    Picture,
    Website,
    Email,
    Gender,
    Birthdate,
    TimeZone,
    Locale,
    Phone,
    Address,
}

impl Detail {
    /// The detail behind a claim (OpenID Connect Core 5.1); none for claims that tell nothing of their own about a
    /// person (`email_verified`, `updated_at`) and for those we do not know.
    pub fn from_claim(claim: &str, value: Option<String>) -> Option<Self> {
        let kind = match claim {
            "sub" => Kind::Subject,
            "name" => Kind::Name,
            "given_name" => Kind::GivenName,
            "family_name" => Kind::FamilyName,
            "middle_name" => Kind::MiddleName,
            "nickname" => Kind::Nickname,
            "preferred_username" => Kind::Username,
            "profile" => Kind::ProfilePage,
            "picture" => Kind::Picture,
            "website" => Kind::Website,
            "email" => Kind::Email,
            "gender" => Kind::Gender,
            "birthdate" => Kind::Birthdate,
            "zoneinfo" => Kind::TimeZone,
            "locale" => Kind::Locale,
            "phone_number" => Kind::Phone,
            "address" => Kind::Address,
            _ => return None,
        };
        Some(Self { kind, value })
    }

    /// Whether the app would see something now.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        // The identifier is made for everybody; a page may be silent about it.
        self.value.is_some() || self.kind == Kind::Subject
    }

    /// What it is called.
    pub fn label(&self, t: &Language) -> Cow<'static, str> {
        match self.kind {
            Kind::Subject => t.get("detail-subject"),
            Kind::Name => t.get("detail-name"),
            Kind::GivenName => t.get("detail-given-name"),
            Kind::FamilyName => t.get("detail-family-name"),
            Kind::MiddleName => t.get("detail-middle-name"),
            Kind::Nickname => t.get("detail-nickname"),
            Kind::Username => t.get("detail-username"),
            Kind::ProfilePage => t.get("detail-profile-page"),
            Kind::Picture => t.get("detail-picture"),
            Kind::Website => t.get("detail-website"),
            Kind::Email => t.get("detail-email"),
            Kind::Gender => t.get("detail-gender"),
            Kind::Birthdate => t.get("detail-birthdate"),
            Kind::TimeZone => t.get("detail-time-zone"),
            Kind::Locale => t.get("detail-locale"),
            Kind::Phone => t.get("detail-phone"),
            Kind::Address => t.get("detail-address"),
        }
    }

    /// What stands beside it: the value; for the identifier, what it is for; else that we have none.
    pub fn shown(&self, t: &Language) -> Cow<'_, str> {
        match (&self.value, self.kind) {
            (_, Kind::Subject) => t.get("detail-subject-why"),
            (Some(value), _) => Cow::Borrowed(value),
            (None, _) => t.get("detail-none"),
        }
    }
}

/// Those that the app may see as soon as something is stored.
#[must_use]
pub fn not_stored(details: &[Detail]) -> Vec<&Detail> {
    details.iter().filter(|detail| !detail.is_stored()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: [&str; 17] = [
        "sub",
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "email",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "address",
    ];

    #[test]
    fn every_claim_has_its_own_words() {
        let en = Language::english();
        let mut labels: Vec<_> =
            CLAIMS.iter().map(|claim| Detail::from_claim(claim, None).unwrap().label(&en)).collect();
        assert!(labels.iter().all(|label| !label.contains('⟦')), "{labels:?}");
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), CLAIMS.len());
        assert_eq!(Detail::from_claim("email_verified", None), None);
    }

    #[test]
    fn the_actual_value_is_shown() {
        let en = Language::english();
        let email = Detail::from_claim("email", Some("alice@example.com".into())).unwrap();
        assert_eq!(email.shown(&en), "alice@example.com");
        assert_ne!(Detail::from_claim("email", None).unwrap().shown(&en), "");
    }
}
