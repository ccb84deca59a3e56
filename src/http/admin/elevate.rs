//! `/admin/elevate`: the password once more, and on to what was wanted.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::elevation::Elevation;
use super::guard::{Admin, AdminForm};
use super::room;
use crate::accounts::sign_in::{Outcome, SignIn, SignedIn};
use crate::domain::secret::Secret;
use crate::http::pages::admin::elevate::ElevateView;
use crate::http::pages::problem::{Problem, Problems};
use crate::http::people::login::{fault, set_session_cookies};
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::return_to::ReturnTo;
use crate::oauth::error::OAuthError;
use crate::store::Tx;
use crate::store::audit::{self, Event};

/// Where it is.
pub(super) const PATH: &str = "/admin/elevate";

/// Where to go on.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    to: Option<String>,
}

/// Asks for the password.
pub(super) async fn show(admin: Admin, Query(wanted): Query<Wanted>) -> Response {
    page(admin, destination(wanted.to.as_deref()), Problems::default(), (StatusCode::OK, None)).await
}

/// Takes the password. Right, it is a sign-in like any other, by the same person in the same session; its moment is what the cookie
/// is bound to.
pub(super) async fn submit(AdminForm { mut admin, params }: AdminForm) -> Response {
    let to = destination(params.get("to"));
    let Some(password) = params.get("current_password").filter(|typed| !typed.is_empty()) else {
        let missing = Problem::CurrentPasswordMissing.into();
        return page(admin, to, missing, (StatusCode::BAD_REQUEST, None)).await;
    };
    let browser = match admin.visitor.browser_id().await {
        Ok(browser) => browser,
        Err(error) => return admin.visitor.fault(&error),
    };
    let wish = SignIn {
        username: admin.user.username.as_str().to_owned(),
        password: Secret::new(password.to_owned()),
        browser,
        address: admin.visitor.address,
        device: admin.visitor.device.clone(),
        keep: admin.session.persistent,
        direct: false,
        cookie: None,
        expected_user: Some(admin.user.id.clone()),
    };
    let (problem, status) = match prove(&admin, wish).await {
        Ok(Ok(signed_in)) => return go_on(admin, &signed_in, &to),
        Ok(Err(Outcome::Throttled { retry_after_seconds: seconds })) => {
            (Problem::Throttled(seconds), (StatusCode::TOO_MANY_REQUESTS, Some(seconds)))
        }
        Ok(Err(Outcome::Busy)) => (Problem::Busy, (StatusCode::SERVICE_UNAVAILABLE, Some(1))),
        Ok(Err(_)) => (Problem::CurrentPasswordWrong, (StatusCode::OK, None)),
        Err(error) => return admin.visitor.fault(&error),
    };
    page(admin, to, problem.into(), status).await
}

async fn prove(admin: &Admin, wish: SignIn) -> Result<Result<SignedIn, Outcome>, OAuthError> {
    let (accounts, now) = (&admin.visitor.doors.app().accounts, admin.visitor.now);
    let proven = match accounts.prove_sign_in(wish, now).await.map_err(fault)? {
        Ok(proven) => proven,
        Err(refused) => return Ok(Err(refused)),
    };
    let noted = async move |tx: &mut Tx, signed_in: &SignedIn| {
        let actor = format!("user:{}", signed_in.user.id);
        let subject = signed_in.session.id.as_str();
        let event = Event { actor: &actor, action: "admin.elevate", subject, data: serde_json::json!({}) };
        audit::record(tx, &event, now).await
    };
    let opened = accounts.open_and(proven, noted, now).await.map_err(fault)?;
    Ok(opened.map(|(signed_in, ())| signed_in).ok_or(Outcome::WrongCredentials))
}

fn go_on(mut admin: Admin, signed_in: &SignedIn, to: &ReturnTo) -> Response {
    set_session_cookies(&mut admin.visitor, signed_in);
    let value = admin.visitor.doors.elevation().value(&signed_in.session);
    let cookie = admin.visitor.doors.cookies().elevated(&value, Elevation::LASTS);
    admin.visitor.set_cookie(cookie);
    admin.visitor.answer(SeeOther::within(to.as_str()))
}

fn destination(to: Option<&str>) -> ReturnTo {
    to.and_then(ReturnTo::parse).unwrap_or_else(ReturnTo::start)
}

async fn page(
    mut admin: Admin,
    to: ReturnTo,
    problems: Problems,
    (status, retry_after): (StatusCode, Option<u64>),
) -> Response {
    let room = match room(&mut admin, None).await {
        Ok(room) => room,
        Err(error) => return admin.visitor.fault(&error),
    };
    let view = ElevateView {
        t: admin.visitor.language,
        brand: admin.visitor.brand(),
        room,
        action: PATH.to_owned(),
        to: to.as_str().to_owned(),
        problems,
    };
    let mut reply = PageReply::new(&view).with_status(status);
    if let Some(seconds) = retry_after {
        reply = reply.with_retry_after(seconds);
    }
    admin.visitor.answer(reply)
}
