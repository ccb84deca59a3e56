//! A browser without a window: cookies, redirects and forms, enough to sign in on pages that work without scripts.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use openidconnect::reqwest::blocking::Client;
use openidconnect::reqwest::redirect::Policy;
use openidconnect::url::Url;

use crate::settings::Settings;

const STEPS: usize = 12;

/// One person at one machine.
pub struct Browser<'s> {
    http: Client,
    settings: &'s Settings,
    cookies: BTreeMap<String, String>,
}

/// Where a visit ended.
pub struct Visit {
    /// The first address outside the issuer.
    pub url: Url,
    /// The pages on the way.
    pub pages: Vec<&'static str>,
}

impl Visit {
    /// A parameter of the answer.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

enum Loaded {
    Page { url: Url, status: u16, html: String },
    Left(Url),
}

impl<'s> Browser<'s> {
    pub fn new(settings: &'s Settings) -> Result<Self> {
        let http = Client::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { http, settings, cookies: BTreeMap::new() })
    }

    /// Acts as a person would (name and password, "allow", "sign out"), until the browser would leave the issuer.
    pub fn act(&mut self, start: Url) -> Result<Visit> {
        self.answer(start, "consent-accept")
    }

    /// The same, but says no to the app.
    pub fn refuse(&mut self, start: Url) -> Result<Visit> {
        self.answer(start, "consent-deny")
    }

    fn answer(&mut self, start: Url, consent: &str) -> Result<Visit> {
        let mut pages = Vec::new();
        let mut loaded = self.load(start, None)?;
        for _ in 0..STEPS {
            let (url, status, html) = match loaded {
                Loaded::Left(url) => return Ok(Visit { url, pages }),
                Loaded::Page { url, status, html } => (url, status, html),
            };
            ensure!(status == 200, "{url} answered {status}: {}", words(&html));
            let (kind, action, fields) = self.fill(&html, consent)?;
            ensure!(kind != "login" || !pages.contains(&"login"), "the sign-in was refused: {}", words(&html));
            pages.push(kind);
            loaded = self.load(url.join(&action)?, Some(&fields))?;
        }
        bail!("still not back after {STEPS} pages: {pages:?}")
    }

    fn fill(&self, html: &str, consent: &str) -> Result<(&'static str, String, Fields)> {
        for form in forms(html) {
            let pressed = |id: &str| form.buttons.iter().find(|button| button.get("id").is_some_and(|own| own == id));
            let (kind, button) = if let Some(button) = pressed("login-submit") {
                ("login", button)
            } else if let Some(button) = pressed(consent) {
                ("consent", button)
            } else if let Some(button) = pressed("logout-confirm") {
                ("logout", button)
            } else {
                continue;
            };
            let mut fields = form.fields.clone();
            if kind == "login" {
                for (name, value) in &mut fields {
                    if name == "username" || name == "password" {
                        *value = self.settings.get(name)?.to_owned();
                    }
                }
            }
            if let Some(name) = button.get("name") {
                fields.push((name.clone(), button.get("value").cloned().unwrap_or_default()));
            }
            return Ok((kind, form.action.clone(), fields));
        }
        bail!("nothing to do on this page: {}", words(html))
    }

    fn load(&mut self, start: Url, form: Option<&[(String, String)]>) -> Result<Loaded> {
        let issuer = self.settings.get("issuer")?;
        let mut url = start;
        let mut form = form;
        for _ in 0..STEPS {
            if url.origin().ascii_serialization() != issuer {
                return Ok(Loaded::Left(url));
            }
            let mut request = match form {
                Some(fields) => self
                    .http
                    .post(url.clone())
                    .header("origin", issuer)
                    .header("sec-fetch-site", "same-origin")
                    .form(fields),
                None => self.http.get(url.clone()),
            };
            request = request.header("accept", "text/html").header("accept-language", "en");
            if !self.cookies.is_empty() {
                let line: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
                request = request.header("cookie", line.join("; "));
            }
            let response = request.send()?;
            for line in response.headers().get_all("set-cookie") {
                self.remember(line.to_str()?);
            }
            let status = response.status().as_u16();
            if let Some(location) = response.headers().get("location") {
                ensure!(status == 303, "{url} redirects with {status}");
                url = url.join(location.to_str()?)?;
                form = None;
                continue;
            }
            return Ok(Loaded::Page { url, status, html: response.text()? });
        }
        bail!("too many redirects")
    }

    fn remember(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        if parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

type Fields = Vec<(String, String)>;
type Attributes = BTreeMap<String, String>;

#[derive(Default)]
struct Form {
    action: String,
    fields: Fields,
    buttons: Vec<Attributes>,
}

fn forms(html: &str) -> Vec<Form> {
    let mut found: Vec<Form> = Vec::new();
    let mut inside = false;
    for tag in html.split('<').skip(1) {
        let tag = tag.split_once('>').map_or(tag, |(tag, _)| tag);
        let name: String = tag.chars().take_while(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
        match (name.as_str(), found.last_mut()) {
            ("form", _) => {
                let action = attributes(tag).remove("action").unwrap_or_default();
                found.push(Form { action, ..Form::default() });
                inside = true;
            }
            ("/form", _) => inside = false,
            ("input", Some(form)) if inside => {
                let mut input = attributes(tag);
                let tick = matches!(input.get("type").map(String::as_str), Some("checkbox" | "radio"));
                if let Some(name) = input.remove("name").filter(|_| !tick || input.contains_key("checked")) {
                    let unset = if tick { "on" } else { "" };
                    form.fields.push((name, input.remove("value").unwrap_or_else(|| unset.to_owned())));
                }
            }
            ("button", Some(form)) if inside => form.buttons.push(attributes(tag)),
            _ => {}
        }
    }
    found
}

/// Attributes of a tag; ours are written with double quotes or without a value.
fn attributes(tag: &str) -> Attributes {
    let mut found = Attributes::new();
    let mut rest = tag.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let value;
        if let Some(quoted) = after.strip_prefix("=\"") {
            let (inner, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            (value, rest) = (inner, after);
        } else if let Some(bare) = after.strip_prefix('=') {
            let end = bare.find(char::is_whitespace).unwrap_or(bare.len());
            (value, rest) = bare.split_at(end);
        } else {
            (value, rest) = ("", after);
        }
        rest = rest.trim_start();
        found.insert(name.to_lowercase(), decode(value));
    }
    found
}

fn decode(text: &str) -> String {
    let plain = [("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&#60;", "<"), ("&lt;", "<")];
    let signs = [("&#62;", ">"), ("&gt;", ">"), ("&#38;", "&"), ("&amp;", "&")];
    plain.iter().chain(&signs).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn words(html: &str) -> String {
    let body = html.split_once("<body").map_or(html, |(_, body)| body);
    let text: Vec<&str> = body.split('<').filter_map(|tag| tag.split_once('>').map(|(_, text)| text.trim())).collect();
    text.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

/// The value of a parameter that must be there.
pub fn required(visit: &Visit, name: &str) -> Result<String> {
    visit.parameter(name).with_context(|| format!("no {name} in {}", visit.url))
}
