//! Where a sign-in leads back to, where no app asked for it: a page of the admin's room, and nothing else. Who makes the address
//! can choose no other site and no other room.

/// A path of the admin's room, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

/// Longer addresses than any of ours.
const LONGEST: usize = 1_024;

impl ReturnTo {
    /// Takes the address if it is one of ours.
    #[must_use]
    pub fn parse(address: &str) -> Option<Self> {
        let rest = address.strip_prefix("/admin")?;
        let path = address.split('?').next()?;
        let starts = rest.is_empty() || rest.starts_with(['/', '?']);
        let plain = address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%?&=+:@!$'()*,;".contains(&byte));
        let straight = !path.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."));
        (starts && plain && straight && address.len() <= LONGEST).then(|| Self(address.to_owned()))
    }

    /// Where the room begins.
    #[must_use]
    pub fn start() -> Self {
        Self("/admin".to_owned())
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An address of ours that leads back to this one: `page?to=…`.
    #[must_use]
    pub fn behind(&self, page: &str) -> String {
        format!("{page}?to={}", url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_admins_room_is_returned_to() {
        for address in
            ["/admin", "/admin?done=x", "/admin/people?find=a%20b&after=c", "/admin/apps/https%3A%2F%2Fa.example"]
        {
            assert_eq!(ReturnTo::parse(address).as_ref().map(ReturnTo::as_str), Some(address));
        }
        for address in [
            "",
            "/",
            "admin",
            "/account",
            "/administrator",
            "/admin.evil.test",
            "/admin@evil.test",
            "//admin",
            "/admin//evil.test",
            "/admin/../account",
            "/admin/./x",
            "/admin/\\evil.test",
            "/admin\\",
            "https://evil.test/admin",
            "/admin/\r\nset-cookie: a=b",
            "/admin/a b",
            "/admin/ä",
            "/admin#x",
            "javascript:/admin",
        ] {
            assert_eq!(ReturnTo::parse(address), None, "{address:?}");
        }
        assert_eq!(ReturnTo::parse(&format!("/admin/{}", "a".repeat(2_000))), None);
    }

    #[test]
    fn an_address_rides_along_as_one_parameter() {
        let to = ReturnTo::parse("/admin/people?find=a&after=b").unwrap();
        assert_eq!(to.behind("/login"), "/login?to=%2Fadmin%2Fpeople%3Ffind%3Da%26after%3Db");
    }
}
