//! Each change, by a program: `POST` to an address that names it, without a body.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::guard::Changes;
use super::not_found;
use crate::http::admin::deeds::{At, Deed};
use crate::http::reply::json::{self, Json, Refusal};
use crate::oauth::admin::acts::{self, NotDone};
use crate::oauth::admin::authority::Caller;

/// What came of a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Change {
    /// Whether anything is different now; otherwise it was so already.
    changed: bool,
}

/// Does it.
pub(in crate::http::admin) async fn change(deed: Deed, changes: Changes, at: At) -> Response {
    let Changes { doors, now, caller: Caller(actor) } = changes;
    match acts::perform(deed.act(at), actor, doors.provider(), now).await {
        Ok(Ok(changed)) => Json(Change { changed }).into_response(),
        Ok(Err(NotDone::NotFound)) => not_found(),
        Ok(Err(NotDone::LastAdmin)) => {
            conflict("last_admin", "this is the last person with the role admin who may sign in")
        }
        Ok(Err(NotDone::InTheWay(_))) => {
            conflict("in_the_way", "other apps took its place, the command line tells which")
        }
        Err(error) => Refusal::from(error).into_response(),
    }
}

fn conflict(error: &'static str, hint: &'static str) -> Response {
    json::error_body(StatusCode::CONFLICT, error, hint)
}

impl Deed {
    /// One line for the description of the API.
    pub(super) const fn summary(self) -> &'static str {
        match self {
            Self::SignOut => "Ends all sessions of a person, and what ends with them.",
            Self::EndPerson => "Ends all a person has, also what outlives sessions. They may sign in again.",
            Self::Disable => "Keeps a person from signing in, and ends all they have.",
            Self::Enable => "Lets a person sign in again.",
            Self::MakeAdmin => "Gives a person the role admin.",
            Self::UnmakeAdmin => "Takes the role admin back. The last admin keeps it.",
            Self::Withdraw => "Takes back what a person lets an app have.",
            Self::EndSession => "Ends a session.",
            Self::DisableApp => "Takes an app out of service, and ends all it was granted.",
            Self::EnableApp => "Puts an app into service again.",
            Self::EndApp => "Ends all an app was granted. It stays in service.",
        }
    }
}
