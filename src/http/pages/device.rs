//! Which browser on which system a session lives in, as far as its `User-Agent` says.

use std::borrow::Cow;

use crate::http::language::Language;

/// A device as people would name it. What it says comes from the browser and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    browser: Option<&'static str>,
    system: Option<&'static str>,
}

/// In this order: most browsers also claim to be the ones below them.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

impl Device {
    /// The device behind a `User-Agent` header; an unknown one when there is none.
    pub fn from_user_agent(header: Option<&str>) -> Self {
        let header = header.unwrap_or_default();
        let find = |names: &[(&str, &'static str)]| {
            names.iter().find(|(sign, _)| header.contains(sign)).map(|(_, name)| *name)
        };
        let safari = || (header.contains("Safari/") && header.contains("Version/")).then_some("Safari");
        Self { browser: find(&BROWSERS).or_else(safari), system: find(&SYSTEMS) }
    }

    /// Its name, such as "Firefox on Linux".
    pub fn name(&self, t: &Language) -> Cow<'static, str> {
        match (self.browser, self.system) {
            (Some(browser), Some(system)) => {
                t.fill("device-browser-on-system", &[("browser", browser.to_owned()), ("system", system.to_owned())])
            }
            (Some(name), None) | (None, Some(name)) => Cow::Borrowed(name),
            (None, None) => t.get("device-unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart_although_they_claim_to_be_each_other() {
        let name = |header: &str| {
            let name = Device::from_user_agent(Some(header)).name(&Language::english());
            name.replace(['\u{2068}', '\u{2069}'], "")
        };
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36";
        assert_eq!(name(chrome), "Chrome on Linux");
        assert_eq!(
            name(
                &chrome
                    .replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64")
                    .replace("537.36 (", "537 Edg/149 (")
            ),
            "Edge on Windows"
        );
        assert_eq!(
            name("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:151.0) Gecko/20100101 Firefox/151.0"),
            "Firefox on macOS"
        );
        assert_eq!(
            name(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
            ),
            "Safari on iPhone"
        );
        assert_eq!(name("Mozilla/5.0 (Android 15; Mobile; rv:151.0) Gecko/151.0 Firefox/151.0"), "Firefox on Android");
        assert_eq!(name("curl/8.5.0"), "Unknown device");
        assert_eq!(Device::from_user_agent(None).name(&Language::english()), "Unknown device");
    }
}
