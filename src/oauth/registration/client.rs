//! A client by itself: defaults filled in, every rule that needs no other client.

use std::collections::HashSet;
use std::time::Duration;

use super::metadata::ClientMetadata;
use super::{ADMIN_SCOPE, Findings, House, REVOCATIONS_SCOPE, RegistrationError, logout};
use crate::domain::alg::Alg;
use crate::domain::claims::is_oidc_scope;
use crate::domain::client::{
    ApplicationType, AuthMethod, CallbackRedirects, Client, ClientSettings, Delivery, GrantType, RefreshIssuance,
};
use crate::domain::origin::Origin;
use crate::domain::redirect_uri::{RedirectUri, Target, is_loopback};
use crate::domain::refresh_family::Retry;
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeSet;

const MOST_ENTRIES: usize = 100;
const LONGEST_TEXT: usize = 128;
const LONGEST_URI: usize = 2048;
const LONGEST_GRACE: u64 = 60;
const SHORTEST_ACCESS_TOKEN: u64 = 60;
/// Families are finite: a year, the longest default of the house.
const LONGEST_REFRESH: u64 = 365 * 86_400;

/// Whether the text may be a `client_id`.
///
/// # Errors
/// What is wrong with it.
pub fn check_client_id(text: &str) -> Result<(), RegistrationError> {
    let wrong = |problem: &str, remedy: &str| {
        Err(RegistrationError { member: "client_id", problem: problem.to_owned(), remedy: remedy.to_owned() })
    };
    if text.is_empty() || text.len() > LONGEST_TEXT {
        return wrong("it has 1 to 128 characters", "choose a short name such as \"notes\"");
    }
    if text.starts_with("https://") {
        return wrong("ids that begin with https:// name documents of clients", "choose a name without a scheme");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:@".contains(&b)) {
        return wrong(
            "it holds a character that has a meaning in URLs or headers",
            "use letters, digits and - . _ ~ : @",
        );
    }
    if text.bytes().all(|b| b == b'.') {
        return wrong("a path of dots is changed by programs on the way", "use letters or digits too");
    }
    Ok(())
}

/// Fills in the defaults and checks what can be checked without other clients.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn check_client(
    house: &House,
    resources: &[Resource],
    metadata: &ClientMetadata,
) -> Result<ClientSettings, Vec<RegistrationError>> {
    let findings = &mut Findings::default();
    let settings = fill_in(house, metadata, findings);
    check_names(&settings, findings);
    check_kind(&settings, metadata, findings);
    check_redirect_uris(house, &settings, findings);
    logout::check(house, &settings, metadata, findings);
    check_scope(&settings, resources, findings);
    check_lives(house, &settings, findings);
    check_refresh(&settings, findings);
    if settings.is_cookie_mode() {
        check_cookie_mode(house, &settings, findings);
    }
    std::mem::take(findings).none_or(settings)
}

/// The defaults of RFC 7591 §2 where it has one, ours beyond. What cannot be read is left out and reported.
fn fill_in(house: &House, metadata: &ClientMetadata, findings: &mut Findings) -> ClientSettings {
    let kind = metadata.application_type.unwrap_or(ApplicationType::Web);
    let auth = metadata.token_endpoint_auth_method.unwrap_or(match kind {
        ApplicationType::Browser | ApplicationType::Native => AuthMethod::None,
        ApplicationType::Web | ApplicationType::Service => AuthMethod::ClientSecretBasic,
    });
    let delivery = metadata.refresh_token_delivery.unwrap_or(Delivery::Body);
    let default_grants = match (kind, delivery) {
        (ApplicationType::Service, _) => vec![GrantType::ClientCredentials],
        (_, Delivery::Cookie) => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        (_, Delivery::Body) => vec![GrantType::AuthorizationCode],
    };
    let default_scope = if kind == ApplicationType::Service { "" } else { "openid" };
    // OIDC Registration §2: RS256 unless the client says otherwise; a house without RS256 has but one to offer.
    let default_alg = if house.algorithms.contains(&Alg::RS256) {
        Alg::RS256
    } else {
        house.algorithms.first().copied().unwrap_or(Alg::ES256)
    };
    ClientSettings {
        client_name: metadata.client_name.clone().unwrap_or_default(),
        application_type: kind,
        token_endpoint_auth_method: auth,
        redirect_uris: uris("redirect_uris", metadata.redirect_uris.as_deref(), findings),
        post_logout_redirect_uris: uris(
            "post_logout_redirect_uris",
            metadata.post_logout_redirect_uris.as_deref(),
            findings,
        ),
        backchannel_logout_uri: logout::uri(
            "backchannel_logout_uri",
            metadata.backchannel_logout_uri.as_deref(),
            findings,
        ),
        backchannel_logout_session_required: metadata.backchannel_logout_session_required.unwrap_or(false),
        frontchannel_logout_uri: logout::uri(
            "frontchannel_logout_uri",
            metadata.frontchannel_logout_uri.as_deref(),
            findings,
        ),
        frontchannel_logout_session_required: metadata.frontchannel_logout_session_required.unwrap_or(false),
        allowed_origins: origins(metadata.allowed_origins.as_deref(), findings),
        grant_types: without_duplicates(metadata.grant_types.clone().unwrap_or(default_grants)),
        scope: scope(metadata.scope.as_deref().unwrap_or(default_scope), findings),
        client_uri: metadata.client_uri.clone(),
        policy_uri: metadata.policy_uri.clone(),
        tos_uri: metadata.tos_uri.clone(),
        contacts: metadata.contacts.clone().unwrap_or_default(),
        id_token_signed_response_alg: metadata.id_token_signed_response_alg.unwrap_or(default_alg),
        default_max_age: metadata.default_max_age.map(|age| age.0),
        require_auth_time: metadata.require_auth_time.unwrap_or(false),
        first_party: metadata.first_party.unwrap_or(false),
        require_pkce: metadata.require_pkce.unwrap_or(true),
        direct_login: metadata.direct_login.unwrap_or(false),
        refresh_token_delivery: delivery,
        refresh_token_issuance: metadata.refresh_token_issuance.unwrap_or(match kind {
            ApplicationType::Browser => RefreshIssuance::Always,
            _ => RefreshIssuance::OfflineAccess,
        }),
        refresh_retry: metadata.refresh_retry.unwrap_or(match auth {
            AuthMethod::None => Retry::Grace,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => Retry::UntilSuccessorUsed,
        }),
        refresh_grace: metadata.refresh_grace.map(|grace| grace.0),
        refresh_lifetime: metadata.refresh_lifetime.map(|life| life.0),
        access_token_ttl: metadata.access_token_ttl.map(|life| life.0),
        callback_redirects: metadata.callback_redirects.unwrap_or(CallbackRedirects::SameSite),
        admin_api: metadata.admin_api.unwrap_or(false),
        owner: metadata.owner.clone(),
    }
}

fn uris(member: &'static str, texts: Option<&[String]>, findings: &mut Findings) -> Vec<RedirectUri> {
    let texts = limited(member, texts, findings);
    let mut good = Vec::new();
    for text in texts {
        match RedirectUri::register(text) {
            Ok(uri) => good.push(uri),
            Err(error) => findings.add(member, format!("{text:?} cannot be registered"), error.to_string()),
        }
    }
    good
}

fn origins(texts: Option<&[String]>, findings: &mut Findings) -> Vec<Origin> {
    let texts = limited("allowed_origins", texts, findings);
    let mut good = Vec::new();
    for text in texts {
        match Origin::parse(text) {
            Ok(origin) => good.push(origin),
            Err(error) => findings.add("allowed_origins", format!("{text:?} is no origin"), error.to_string()),
        }
    }
    good
}

fn limited<'a>(member: &'static str, texts: Option<&'a [String]>, findings: &mut Findings) -> &'a [String] {
    let texts = texts.unwrap_or_default();
    if texts.len() > MOST_ENTRIES {
        findings.add(member, format!("there are {}", texts.len()), format!("register at most {MOST_ENTRIES}"));
        return &[];
    }
    let mut seen = HashSet::new();
    if let Some(twice) = texts.iter().find(|text| !seen.insert(*text)) {
        findings.add(member, format!("{twice:?} stands there twice"), "leave one out");
    }
    texts
}

fn scope(text: &str, findings: &mut Findings) -> ScopeSet {
    ScopeSet::parse(text).unwrap_or_else(|error| {
        findings.add("scope", format!("{text:?} is no scope"), error.to_string());
        ScopeSet::default()
    })
}

fn without_duplicates(grants: Vec<GrantType>) -> Vec<GrantType> {
    let mut seen = Vec::new();
    for grant in grants {
        if !seen.contains(&grant) {
            seen.push(grant);
        }
    }
    seen
}

fn check_names(settings: &ClientSettings, findings: &mut Findings) {
    let short = |text: &str| text.chars().count() <= LONGEST_TEXT && !text.chars().any(char::is_control);
    if !short(&settings.client_name) {
        findings.add(
            "client_name",
            "it is longer than 128 characters or holds control characters",
            "choose a short name",
        );
    }
    if settings.owner.as_deref().is_some_and(|owner| owner.is_empty() || !short(owner)) {
        findings.add(
            "owner",
            "it is empty, too long or holds control characters",
            "write a short name or leave it out",
        );
    }
    if settings.contacts.len() > MOST_ENTRIES || !settings.contacts.iter().all(|contact| short(contact)) {
        findings.add("contacts", "an entry is too long or holds control characters", "write e-mail addresses");
    }
    for (member, uri) in
        [("client_uri", &settings.client_uri), ("policy_uri", &settings.policy_uri), ("tos_uri", &settings.tos_uri)]
    {
        if uri.as_deref().is_some_and(|uri| !is_https_url(uri)) {
            findings.add(member, "people are led there, so it must be an https URL", "write https://… or leave it out");
        }
    }
}

fn is_https_url(text: &str) -> bool {
    let plain = text.len() <= LONGEST_URI && text.bytes().all(|b| b > b' ' && b < 0x7f && !b"\"<>\\^`{|}".contains(&b));
    plain
        && text.starts_with("https://")
        && url::Url::parse(text)
            .is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

/// What kind of program it is decides how it may prove itself and what it may ask for (RFC 6749 §2.1, RFC 8252, RFC 10017).
fn check_kind(settings: &ClientSettings, metadata: &ClientMetadata, findings: &mut Findings) {
    let has = |grant| settings.grant_types.contains(&grant);
    let kind = settings.application_type;
    let public = settings.is_public();
    if kind == ApplicationType::Browser && !public {
        findings.add(
            "token_endpoint_auth_method",
            "a program in a browser cannot keep a secret",
            "write \"none\", or application_type = \"web\" if a server of yours talks to us",
        );
    }
    if kind == ApplicationType::Service && public {
        findings.add(
            "token_endpoint_auth_method",
            "a service has nothing but its secret",
            "write \"client_secret_basic\"",
        );
    }
    if kind == ApplicationType::Service && settings.grant_types != [GrantType::ClientCredentials] {
        findings.add(
            "grant_types",
            "a service acts for itself, without people",
            "write [\"client_credentials\"], or application_type = \"web\"",
        );
    }
    if settings.grant_types.is_empty() {
        findings.add("grant_types", "without one there is no way to a token", "name at least one, or leave it out");
    }
    if has(GrantType::RefreshToken) && !has(GrantType::AuthorizationCode) {
        findings.add("grant_types", "a refresh token comes with a code", "add \"authorization_code\"");
    }
    if has(GrantType::ClientCredentials) && public {
        findings.add(
            "grant_types",
            "client_credentials needs a client that proves itself",
            "take it out, or write token_endpoint_auth_method = \"client_secret_basic\"",
        );
    }
    if has(GrantType::AuthorizationCode) && settings.redirect_uris.is_empty() && metadata.redirect_uris.is_none() {
        findings.add("redirect_uris", "a code is sent to a redirect URI", "register at least one");
    } else if has(GrantType::AuthorizationCode) && metadata.redirect_uris.as_ref().is_some_and(Vec::is_empty) {
        findings.add(
            "redirect_uris",
            "the list is empty, and a code is sent to a redirect URI",
            "register at least one",
        );
    }
    if !has(GrantType::AuthorizationCode) && !settings.redirect_uris.is_empty() {
        findings.add(
            "redirect_uris",
            "nothing is ever sent there",
            "leave it out, or add the grant \"authorization_code\"",
        );
    }
    if metadata.response_types.as_ref().is_some_and(|types| types.iter().any(|kind| kind != "code")) {
        findings.add("response_types", "only the code flow is offered", "write [\"code\"] or leave it out");
    }
    if kind != ApplicationType::Browser && !settings.allowed_origins.is_empty() {
        findings.add(
            "allowed_origins",
            "only programs in browsers send an origin",
            "leave it out, or write application_type = \"browser\"",
        );
    }
    if public && !settings.require_pkce {
        findings.add(
            "require_pkce",
            "a public client has no other proof for its code (RFC 9700 §2.1.1)",
            "leave it out",
        );
    }
    if settings.direct_login && !(settings.first_party && settings.is_cookie_mode()) {
        findings.add(
            "direct_login",
            "passwords are typed into the app itself",
            "it needs first_party = true and refresh_token_delivery = \"cookie\"",
        );
    }
}

fn check_redirect_uris(house: &House, settings: &ClientSettings, findings: &mut Findings) {
    let lists = [
        ("redirect_uris", &settings.redirect_uris),
        ("post_logout_redirect_uris", &settings.post_logout_redirect_uris),
    ];
    if settings.application_type == ApplicationType::Native {
        return;
    }
    for (member, uris) in lists {
        for uri in uris {
            match uri.target() {
                Target::Https { host, .. } if !is_loopback(host) => {}
                Target::Https { .. } | Target::Loopback { .. } if house.development => {}
                Target::Https { .. } | Target::Loopback { .. } => findings.add(
                    member,
                    format!("{} leads to the person's own machine", uri.as_str()),
                    "use the app's https address, or application_type = \"native\"",
                ),
                Target::PrivateUse { .. } => findings.add(
                    member,
                    format!("{} is for programs installed on a device", uri.as_str()),
                    "use the app's https address, or application_type = \"native\"",
                ),
            }
        }
    }
}

fn check_scope(settings: &ClientSettings, resources: &[Resource], findings: &mut Findings) {
    let mut owners: Vec<&str> = resources
        .iter()
        .filter(|resource| settings.scope.iter().any(|word| resource.scopes.contains(word)))
        .map(|resource| resource.identifier.as_str())
        .collect();
    owners.dedup();
    if settings.direct_login && owners.len() > 1 {
        findings.add(
            "direct_login",
            format!("its scope belongs to several resources ({}), and /auth/login names none", owners.join(", ")),
            "keep the scopes of one resource, or leave direct_login out",
        );
    }
    for word in settings.scope.iter() {
        if word == ADMIN_SCOPE {
            if !settings.admin_api {
                findings.add("scope", "frontdesk:admin opens the admin API", "write admin_api = true if that is meant");
            }
        } else if word == REVOCATIONS_SCOPE {
            if settings.is_public() || !settings.grant_types.contains(&GrantType::ClientCredentials) {
                findings.add(
                    "scope",
                    "frontdesk:revocations is for an API that listens by a token of its own",
                    "give the client a secret and the grant type client_credentials, or leave it out",
                );
            }
        } else if is_oidc_scope(word) {
            if settings.application_type == ApplicationType::Service {
                findings.add("scope", format!("{word} tells about people, and a service has none"), "leave it out");
            }
        } else if !resources.iter().any(|resource| resource.scopes.contains(word)) {
            findings.add(
                "scope",
                format!("{word} belongs to no resource"),
                "register the resource that owns it, or leave it out",
            );
        }
    }
}

fn check_lives(house: &House, settings: &ClientSettings, findings: &mut Findings) {
    let longest = house.longest_access_token.as_secs();
    if settings.access_token_ttl.is_some_and(|life| !(SHORTEST_ACCESS_TOKEN..=longest).contains(&life)) {
        findings.add(
            "access_token_ttl",
            "it is out of bounds",
            format!("choose {SHORTEST_ACCESS_TOKEN} to {longest} seconds"),
        );
    }
    if settings.refresh_grace.is_some_and(|grace| grace > LONGEST_GRACE) {
        findings.add("refresh_grace", "it is out of bounds", "choose 0 to 60 seconds");
    }
    let access_token = settings.access_token_ttl.map_or(house.access_token, Duration::from_secs);
    let longest = Client::longest_cookie_grace(access_token).as_secs();
    if settings.is_cookie_mode() && settings.refresh_grace.is_some_and(|grace| grace > longest) {
        findings.add(
            "refresh_grace",
            format!(
                "the tabs of an app spread their refreshes over twice that time only where access tokens live ten times as \
                 long, and theirs live {} seconds",
                access_token.as_secs()
            ),
            format!("choose 0 to {longest} seconds"),
        );
    }
    if settings.refresh_lifetime.is_some_and(|life| !(1..=LONGEST_REFRESH).contains(&life)) {
        findings.add("refresh_lifetime", "it is out of bounds", "choose 1 second to 365 days");
    }
    if settings.default_max_age.is_some_and(|age| age > LONGEST_REFRESH) {
        findings.add("default_max_age", "it is out of bounds", "choose at most 365 days");
    }
    if !house.algorithms.contains(&settings.id_token_signed_response_alg) {
        findings.add(
            "id_token_signed_response_alg",
            format!("there is no key for {}", settings.id_token_signed_response_alg),
            "name one of keys.algorithms",
        );
    }
}

/// Lax retry rules only where whoever presents a token also proves to be its client.
fn check_refresh(settings: &ClientSettings, findings: &mut Findings) {
    let lax = settings.refresh_retry != Retry::Grace;
    if lax && settings.is_public() {
        findings.add(
            "refresh_retry",
            "a client that proves nothing could replay a stolen token for ever",
            "write \"grace\", or give the client a secret",
        );
    } else if lax && settings.is_cookie_mode() {
        findings.add("refresh_retry", "cookies are retried within the grace only", "write \"grace\"");
    }
}

/// The preconditions of cookie mode: the browser sends our cookie only if app and issuer are one site, and the answer may be
/// read only by the app itself.
fn check_cookie_mode(house: &House, settings: &ClientSettings, findings: &mut Findings) {
    if settings.application_type != ApplicationType::Browser {
        findings.add(
            "refresh_token_delivery",
            "only browsers keep cookies",
            "write application_type = \"browser\", or \"body\"",
        );
    }
    if !settings.grant_types.contains(&GrantType::RefreshToken) {
        findings.add("grant_types", "the cookie is a refresh token", "add \"refresh_token\"");
    }
    if settings.allowed_origins.is_empty() {
        findings.add(
            "allowed_origins",
            "nobody could read the answers",
            "list the app's origin, such as \"https://app.example.com\"",
        );
    }
    for origin in &settings.allowed_origins {
        let safe = origin.scheme() == "https" || (house.development && is_loopback(origin.host()));
        if !safe {
            findings.add("allowed_origins", format!("{} is not https", origin.as_str()), "serve the app over https");
        } else if !origin.is_same_site(&house.issuer) {
            findings.add(
                "allowed_origins",
                format!(
                    "{} and the issuer {} are not the same site, so the browser would not send the cookie",
                    origin.as_str(),
                    house.issuer.as_str()
                ),
                "give the issuer a host under the app's domain, let a server of yours hold the tokens, or write \
                 refresh_token_delivery = \"body\"",
            );
        }
    }
    for uri in &settings.redirect_uris {
        match uri.target() {
            Target::Https { origin, .. } | Target::Loopback { origin, .. } => {
                if !settings.allows_origin(origin) {
                    findings.add(
                        "allowed_origins",
                        format!("the origin of {} is not among them", uri.as_str()),
                        format!("add {origin:?}"),
                    );
                }
            }
            // Reported with the redirect URIs already.
            Target::PrivateUse { .. } => {}
        }
    }
}
