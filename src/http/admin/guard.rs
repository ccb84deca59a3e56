//! Who may come in. Every page takes [`Admin`] or [`Elevated`], every form [`AdminForm`] or [`ElevatedForm`]: there is no other way
//! to be told who is there. A form that is refused is audited if somebody is known to have sent it.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::Response;

use super::elevate;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::http::csrf::PostRefusal;
use crate::http::doors::Doors;
use crate::http::layers::Visit;
use crate::http::pages::error::Trouble;
use crate::http::reply::Remark;
use crate::http::reply::redirect::SeeOther;
use crate::http::return_to::ReturnTo;
use crate::http::submission::{self, Reading, Submission};
use crate::http::trouble;
use crate::http::visit::Visitor;
use crate::oauth::admin::{self, RefusedTry};
use crate::oauth::params::Params;

/// An admin at a page.
#[derive(Debug)]
pub(super) struct Admin {
    /// The visitor.
    pub(super) visitor: Visitor,
    /// The session they are signed in by.
    pub(super) session: Session,
    /// Who it is.
    pub(super) user: User,
}

/// An admin who has just proven who they are.
#[derive(Debug)]
pub(super) struct Elevated(pub(super) Admin);

/// An admin's form, from our own page in the same browser.
#[derive(Debug)]
pub(super) struct AdminForm {
    pub(super) admin: Admin,
    pub(super) params: Params,
}

/// The same of an admin who has just proven who they are.
#[derive(Debug)]
pub(super) struct ElevatedForm(pub(super) AdminForm);

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Nobody is signed in, or only at the form of an app: sign in, and come back.
    SignedOut,
    /// The person is no admin.
    Role,
    /// The proof of who one is is missing, or too old.
    Elevation,
}

impl Refusal {
    const fn guard(self) -> &'static str {
        match self {
            Self::SignedOut => "session",
            Self::Role => "role",
            Self::Elevation => "elevation",
        }
    }
}

impl Admin {
    fn of(visitor: Visitor) -> Result<Self, (Box<Visitor>, Refusal)> {
        match visitor.signed_in.clone() {
            Some((session, _)) if session.direct => Err((Box::new(visitor), Refusal::SignedOut)),
            None => Err((Box::new(visitor), Refusal::SignedOut)),
            Some((_, user)) if !user.is_admin() => Err((Box::new(visitor), Refusal::Role)),
            Some((session, user)) => Ok(Self { visitor, session, user }),
        }
    }

    fn is_elevated(&self) -> bool {
        let presented = self.visitor.elevated.as_deref();
        self.visitor.doors.elevation().holds(presented, &self.session, self.visitor.now)
    }

    fn elevated(self) -> Result<Self, (Box<Visitor>, Refusal)> {
        if self.is_elevated() { Ok(self) } else { Err((Box::new(self.visitor), Refusal::Elevation)) }
    }
}

impl FromRequestParts<Doors> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, doors).await?;
        Self::of(visitor).map_err(|(visitor, refusal)| answer(*visitor, refusal, &parts.uri))
    }
}

impl FromRequestParts<Doors> for Elevated {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Response> {
        let admin = Admin::from_request_parts(parts, doors).await?;
        admin.elevated().map(Self).map_err(|(visitor, refusal)| answer(*visitor, refusal, &parts.uri))
    }
}

impl FromRequest<Doors> for AdminForm {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let knock = Knock::of(&request);
        let (visitor, params) = knock.read(request, doors).await?;
        match Admin::of(visitor) {
            Ok(admin) => Ok(Self { admin, params }),
            Err((visitor, refusal)) => Err(knock.refuse(*visitor, refusal).await),
        }
    }
}

impl FromRequest<Doors> for ElevatedForm {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let knock = Knock::of(&request);
        let (visitor, params) = knock.read(request, doors).await?;
        match Admin::of(visitor).and_then(Admin::elevated) {
            Ok(admin) => Ok(Self(AdminForm { admin, params })),
            Err((visitor, refusal)) => Err(knock.refuse(*visitor, refusal).await),
        }
    }
}

/// What is known of a request that wants to change something, whatever comes of it.
struct Knock {
    uri: Uri,
    visit: Option<Visit>,
}

impl Knock {
    fn of(request: &Request) -> Self {
        debug_assert_eq!(request.method(), Method::POST);
        Self { uri: request.uri().clone(), visit: request.extensions().get::<Visit>().copied() }
    }

    async fn read(&self, request: Request, doors: &Doors) -> Result<(Visitor, Params), Response> {
        match submission::read(request, doors).await? {
            Reading::Good(submission) => {
                let Submission { visitor, params } = *submission;
                Ok((visitor, params))
            }
            Reading::Refused(visitor, refused, _) => {
                if let Err(fault) = self.record(&visitor, refused.as_str()).await {
                    return Err(visitor.fault(&fault));
                }
                Err(submission::foreign(*visitor, refused))
            }
            Reading::TooLarge(visitor) => {
                if let Err(fault) = self.record(&visitor, PostRefusal::Value.as_str()).await {
                    return Err(visitor.fault(&fault));
                }
                Err(submission::too_large(*visitor))
            }
        }
    }

    async fn refuse(&self, visitor: Visitor, refusal: Refusal) -> Response {
        match self.record(&visitor, refusal.guard()).await {
            Ok(()) => answer(visitor, refusal, &self.uri),
            Err(fault) => visitor.fault(&fault),
        }
    }

    /// Records the try, if somebody is known to have made it. That leaves a row for ever, so it takes a permit of the network that
    /// is not given back.
    async fn record(&self, visitor: &Visitor, guard: &'static str) -> Result<(), crate::oauth::error::OAuthError> {
        let Some((_, user)) = &visitor.signed_in else { return Ok(()) };
        if let Some(visit) = &self.visit {
            let _kept = visitor.doors.limits().enter(visit, visitor.now)?;
        }
        let actor = format!("user:{}", user.id);
        let refused = RefusedTry { actor: &actor, address: self.uri.path(), guard };
        Ok(admin::record_refused(&visitor.doors.app().store, refused, visitor.now).await?)
    }
}

/// Where somebody goes who is not let in.
fn answer(visitor: Visitor, refusal: Refusal, uri: &Uri) -> Response {
    let wanted = uri.path_and_query().and_then(|wanted| ReturnTo::parse(wanted.as_str()));
    let leads_to = |page: &str| wanted.as_ref().map_or_else(|| page.to_owned(), |wanted| wanted.behind(page));
    match refusal {
        Refusal::SignedOut => visitor.answer(SeeOther::within(&leads_to("/login"))),
        Refusal::Elevation => visitor.answer(SeeOther::within(&leads_to(elevate::PATH))),
        Refusal::Role => {
            let remark = Remark { error: "access_denied", hint: "the person is no admin" };
            let page = trouble::page(&visitor, Trouble::Forbidden, remark.error, None).with_remark(remark);
            visitor.answer(page)
        }
    }
}
