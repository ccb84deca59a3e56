//! A person's browser: keeps cookies as browsers do, follows redirects within the issuer, fills in forms.

use std::net::SocketAddr;
use std::sync::Mutex;

use axum::extract::ConnectInfo;
use axum::http::Method;
use cookie::{Cookie, SameSite};

use super::asking::build_request;
use super::provider::HOME;
use super::{Answer, PASSWORD, TestProvider, encode};

/// A browser.
#[derive(Debug)]
pub(crate) struct Browser {
    provider: TestProvider,
    jar: Mutex<Vec<Kept>>,
    address: SocketAddr,
    agent: String,
}

#[derive(Debug, Clone)]
struct Kept {
    name: String,
    value: String,
    strict: bool,
    until: Option<i64>,
}

/// From where a request starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// A page of ours, or the address bar.
    Here,
    /// A page of another site: Strict cookies stay at home, and with POST the Lax ones too.
    OtherSite,
}

/// Where a walk ended: on a page of ours, or on the way to somebody else.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Path and query of ours.
    pub(crate) path: String,
    /// The last answer of ours.
    pub(crate) answer: Answer,
    /// The foreign address that the last redirect names.
    pub(crate) away: Option<String>,
}

impl Page {
    /// The foreign address it led to.
    #[track_caller]
    pub(crate) fn left_for(&self) -> &str {
        self.away.as_deref().unwrap_or_else(|| panic!("still here: {self:#?}"))
    }

    /// Fails unless it is the page at this path.
    #[track_caller]
    pub(crate) fn expect_at(self, path: &str) -> Self {
        assert!(self.away.is_none() && self.path.split('?').next() == Some(path), "{self:#?}");
        self
    }

    /// Fails unless the page's status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.answer.status.as_u16(), status, "{self:#?}");
        self
    }

    /// Fails unless it is our error page with this code, which sends nobody anywhere.
    #[track_caller]
    pub(crate) fn expect_error_page(self, code: &str) -> Self {
        assert!(self.away.is_none() && self.answer.header("location").is_empty(), "{self:#?}");
        self.expect(400)
            .expect_text("id=\"error-page\"")
            .expect_text(&format!("<code id=\"error-code\" dir=\"ltr\">{code}</code>"))
    }

    /// Fails unless the text stands on the page.
    #[track_caller]
    pub(crate) fn expect_text(self, text: &str) -> Self {
        assert!(self.answer.body.contains(text), "{text:?} is not on the page: {self:#?}");
        self
    }

    /// The hidden fields of the form with this action, in their order.
    #[track_caller]
    pub(crate) fn form(&self, action: &str) -> Vec<(String, String)> {
        let forms = self.answer.body.split("<form ").skip(1);
        let form = forms
            .map(|rest| rest.split("</form>").next().unwrap())
            .find(|form| attribute(form.split('>').next().unwrap(), "action").as_deref() == Some(action))
            .unwrap_or_else(|| panic!("no form leads to {action}: {self:#?}"));
        form.split("<input ")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap())
            .filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"))
            .map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap_or_default()))
            .collect()
    }

    /// Where the links on the page lead, in their order.
    pub(crate) fn links(&self) -> Vec<String> {
        let tags = self.answer.body.split("<a ").skip(1).map(|rest| rest.split('>').next().unwrap());
        tags.filter_map(|tag| attribute(tag, "href")).collect()
    }

    /// A hidden field of the form with this action.
    #[track_caller]
    pub(crate) fn hidden(&self, action: &str, name: &str) -> String {
        let fields = self.form(action);
        fields.into_iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("no {name}: {self:#?}")).1
    }
}

impl Browser {
    pub(super) fn new(provider: &TestProvider) -> Self {
        Self {
            provider: provider.clone(),
            jar: Mutex::default(),
            address: HOME.parse().unwrap(),
            agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        }
    }

    /// The same browser at another address.
    pub(crate) fn at(mut self, address: &str) -> Self {
        self.address = format!("{address}:40000").parse().unwrap();
        self
    }

    /// A thief's copy: all cookies, elsewhere.
    pub(crate) fn copied_to(&self, address: &str) -> Self {
        let copy = Self::new(&self.provider).at(address);
        *copy.jar.lock().unwrap() = self.jar.lock().unwrap().clone();
        copy
    }

    /// Goes to an address of ours and follows redirects.
    pub(crate) async fn go(&self, path: &str) -> Page {
        self.walk(Method::GET, path, None, From::Here).await
    }

    /// Comes by a link on another site.
    pub(crate) async fn come(&self, path: &str) -> Page {
        self.walk(Method::GET, path, None, From::OtherSite).await
    }

    /// A page of another site posts a form to us.
    pub(crate) async fn posted_from_elsewhere(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.walk(Method::POST, path, Some(encode(fields)), From::OtherSite).await
    }

    /// Fills in the form with this action, and sends it.
    pub(crate) async fn submit(&self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let hidden = page.form(action);
        let mut all: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !fields.iter().any(|(own, _)| own == name))
            .collect();
        all.extend_from_slice(fields);
        self.walk(Method::POST, action, Some(encode(&all)), From::Here).await
    }

    /// Signs in at the sign-in page, without any app.
    pub(crate) async fn sign_in(&self, name: &str) -> Page {
        let page = self.go("/login").await;
        self.submit(&page, "/login", &[("username", name), ("password", PASSWORD)]).await.expect_at("/account")
    }

    /// Tries a name and a password at the sign-in page, and tells where that led.
    pub(crate) async fn try_to_sign_in(&self, name: &str, password: &str) -> Page {
        let page = self.go("/login").await;
        self.submit(&page, "/login", &[("username", name), ("password", password)]).await
    }

    /// Answers every page in between until it leads away: signs in as this person, continues, accepts.
    pub(crate) async fn answer_all(&self, mut page: Page, name: &str) -> Page {
        for _ in 0..6 {
            if page.away.is_some() {
                return page;
            }
            let path = page.path.split('?').next().unwrap().to_owned();
            page = match path.as_str() {
                "/login" | "/login/other" => {
                    self.submit(&page, &path, &[("username", name), ("password", PASSWORD)]).await
                }
                "/login/again" => self.submit(&page, &path, &[("password", PASSWORD)]).await,
                "/login/choose" => self.submit(&page, &path, &[("choice", "continue")]).await,
                "/consent" => self.submit(&page, &path, &[("decision", "accept")]).await,
                _ => return page,
            };
        }
        panic!("this leads nowhere: {page:#?}");
    }

    /// A fetch by the script of a page on another origin, with credentials.
    pub(crate) async fn fetch(&self, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        self.request(Method::POST, path, headers, body, From::Here).await
    }

    /// A cookie whose name ends so.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let now = self.provider.now();
        let jar = self.jar.lock().unwrap();
        let kept = jar.iter().find(|kept| kept.name.ends_with(name) && kept.until.is_none_or(|until| until > now));
        kept.map(|kept| kept.value.clone())
    }

    /// The names of all cookies, sorted.
    pub(crate) fn cookie_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.jar.lock().unwrap().iter().map(|kept| kept.name.clone()).collect();
        names.sort();
        names
    }

    /// All cookies as a header, as a browser that knows nothing of SameSite sends them.
    pub(crate) fn all_cookies(&self) -> String {
        self.cookies_for(&Method::GET, From::Here)
    }

    /// The name of the refresh cookie; there is one.
    pub(crate) fn refresh_cookie_name(&self) -> String {
        self.cookie_names().into_iter().find(|name| name.contains("rt.")).expect("a refresh cookie")
    }

    /// Loses cookies whose name ends so.
    pub(crate) fn forget(&self, name: &str) {
        self.jar.lock().unwrap().retain(|kept| !kept.name.ends_with(name));
    }

    /// Puts another value into a cookie that is there.
    pub(crate) fn plant(&self, name: &str, value: &str) {
        let mut jar = self.jar.lock().unwrap();
        jar.iter_mut().find(|kept| kept.name.ends_with(name)).expect("the cookie").value = value.to_owned();
    }

    async fn walk(&self, method: Method, path: &str, form: Option<String>, from: From) -> Page {
        let (mut method, mut path, mut form, mut from) = (method, self.within(path).unwrap(), form, from);
        for _ in 0..12 {
            let own = self.provider.issuer().to_owned();
            let mut headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
            headers.push(("sec-fetch-site", if from == From::Here { "same-origin" } else { "cross-site" }));
            if method == Method::POST {
                headers.push(("content-type", "application/x-www-form-urlencoded"));
                headers.push(("origin", if from == From::Here { &own } else { "https://elsewhere.example" }));
            }
            let answer = self.request(method, &path, &headers, form.take().unwrap_or_default(), from).await;
            if answer.status != 303 {
                return Page { path, answer, away: None };
            }
            let location = answer.header("location").to_owned();
            match self.within(&location) {
                Some(next) => path = next,
                None => return Page { path, answer, away: Some(location) },
            }
            // What our own answer redirects to is still the other site's doing, except that cookies set meanwhile are there.
            method = Method::GET;
            from = if from == From::OtherSite { From::OtherSite } else { From::Here };
        }
        panic!("redirects without end at {path}");
    }

    async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String, from: From) -> Answer {
        let cookies = self.cookies_for(&method, from);
        let mut all = vec![("user-agent", self.agent.as_str())];
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        all.extend_from_slice(headers);
        let mut request = build_request(method, path, &all, body);
        request.extensions_mut().insert(ConnectInfo(self.address));
        let answer = self.provider.send(request).await;
        for line in answer.set_cookies() {
            self.keep(&line);
        }
        answer
    }

    /// Path and query if the address is ours.
    fn within(&self, address: &str) -> Option<String> {
        if address.starts_with('/') && !address.starts_with("//") {
            return Some(address.to_owned());
        }
        address.strip_prefix(self.provider.issuer()).filter(|rest| rest.starts_with('/')).map(str::to_owned)
    }

    fn cookies_for(&self, method: &Method, from: From) -> String {
        let now = self.provider.now();
        let mut jar = self.jar.lock().unwrap();
        jar.retain(|kept| kept.until.is_none_or(|until| until > now));
        let sent = jar.iter().filter(|kept| match from {
            From::Here => true,
            From::OtherSite => !kept.strict && *method == Method::GET,
        });
        sent.map(|kept| format!("{}={}", kept.name, kept.value)).collect::<Vec<_>>().join("; ")
    }

    fn keep(&self, line: &str) {
        let cookie = Cookie::parse(line.to_owned()).unwrap();
        assert_eq!(cookie.path(), Some("/"), "{line}");
        // The one that scripts of our frame read.
        let for_scripts = cookie.name().ends_with("-session-state");
        assert_eq!(cookie.http_only().unwrap_or_default(), !for_scripts, "{line}");
        assert_eq!(cookie.domain(), None, "{line}");
        let secure = self.provider.issuer().starts_with("https");
        assert_eq!(cookie.secure().unwrap_or_default(), secure, "{line}");
        let prefix = if for_scripts { "__Host-" } else { "__Host-Http-" };
        assert_eq!(cookie.name().starts_with(prefix), secure, "{line}");
        let until = cookie.max_age().map(|age| self.provider.now() + age.whole_seconds());
        let mut jar = self.jar.lock().unwrap();
        jar.retain(|kept| kept.name != cookie.name());
        if until.is_none_or(|until| until > self.provider.now()) {
            jar.push(Kept {
                name: cookie.name().to_owned(),
                value: cookie.value().to_owned(),
                strict: cookie.same_site() == Some(SameSite::Strict),
                until,
            });
        }
    }
}

/// The value of an attribute in a tag, with its entities resolved.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let raw = tag[start..].split('"').next()?;
    let mut text = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        let (entity, after) = rest[at + 1..].split_once(';')?;
        text.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}
