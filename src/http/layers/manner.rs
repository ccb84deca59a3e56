//! How each route is treated by what surrounds it.

use super::line::Voice;

/// How a route is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// How loud its line in the log is.
    pub(super) voice: Voice,
    /// Who reads its errors.
    pub(super) readers: Readers,
    /// Whether bodies may be as large as the limit allows; others are small.
    pub(super) large: bool,
    /// Whether its answers differ by the origin that asks (Fetch Standard, CORS protocol).
    pub(super) by_origin: bool,
    /// Whether its answers reach browsers as those of somebody else's host, of which we say nothing.
    pub(super) for_others: bool,
}

/// Who reads the errors of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Programs: the error object of RFC 6749 §5.2.
    Programs,
    /// People with browsers, where the request asks for HTML.
    People,
    /// Whoever fetches a file: the status says it all.
    Anybody,
}

const DOCUMENT: Manner =
    Manner { voice: Voice::Document, readers: Readers::Anybody, large: false, by_origin: false, for_others: false };
const PAGE: Manner =
    Manner { voice: Voice::Page, readers: Readers::People, large: false, by_origin: false, for_others: false };
const CALL: Manner =
    Manner { voice: Voice::Call, readers: Readers::Programs, large: false, by_origin: true, for_others: false };
const ACT: Manner = Manner { voice: Voice::Page, ..CALL };
/// On the host of an app: none of our own pages may be seen there.
pub(super) const AT_APP: Manner = Manner { readers: Readers::Anybody, for_others: true, ..PAGE };

/// By the start of the path. The first that fits counts; what is not here is a page.
const MANNERS: [(&str, Manner); 18] = [
    ("/.well-known/", DOCUMENT),
    ("/status", DOCUMENT),
    ("/revocations/", Manner { by_origin: false, ..CALL }),
    ("/static/", DOCUMENT),
    ("/healthz", DOCUMENT),
    ("/readyz", DOCUMENT),
    ("/oauth2/token", Manner { large: true, ..CALL }),
    ("/oauth2/introspect", Manner { by_origin: false, ..CALL }),
    ("/oauth2/revoke", CALL),
    ("/oauth2/userinfo", CALL),
    ("/oauth2/authorize", Manner { large: true, ..PAGE }),
    ("/oauth2/logout", PAGE),
    ("/oauth2/", ACT),
    ("/auth/refresh", CALL),
    ("/auth/", ACT),
    ("/forward-auth/", Manner { by_origin: false, for_others: true, ..CALL }),
    ("/.frontdesk/", AT_APP),
    ("/admin/api/", Manner { by_origin: false, ..ACT }),
];

impl Manner {
    pub(super) fn of(path: &str) -> Self {
        MANNERS.iter().find(|(start, _)| path.starts_with(start)).map_or(PAGE, |(_, manner)| *manner)
    }
}
