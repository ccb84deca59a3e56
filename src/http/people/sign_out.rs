//! `/logout`: the confirmation, the sign-out itself and the page after it.

use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::session::Session;
use crate::domain::web_uri::WebUri;
use crate::http::pages::error::Trouble;
use crate::http::pages::leaving::LeavingView;
use crate::http::pages::logout::LogoutView;
use crate::http::pages::problem::Problems;
use crate::http::pages::signed_out::SignedOutView;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::session_cookies;
use crate::http::submission::Submission;
use crate::http::transaction;
use crate::http::trouble;
use crate::http::visit::{Visitor, shown};
use crate::oauth::end_session::{self, EndSessionRequest};
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;

/// Asks for confirmation without any app.
pub async fn show(visitor: Visitor) -> Response {
    let params = Params::default();
    match EndSessionRequest::check(&params, visitor.doors.provider(), visitor.now).await {
        Ok(request) if visitor.held.is_some() => confirm(visitor, &request, &params, AT_FIRST).await,
        Ok(request) => signed_out(visitor, &request),
        Err(error) => visitor.fault(&error),
    }
}

/// The form is shown for the first time.
pub const AT_FIRST: (Problems, StatusCode) = (Problems::none(), StatusCode::OK);

/// Shows the form again.
pub(super) async fn again(visitor: Visitor, params: &Params, what: (Problems, StatusCode)) -> Response {
    let asked = Params::parse(params.get("txn").unwrap_or_default().as_bytes());
    match EndSessionRequest::check(&asked, visitor.doors.provider(), visitor.now).await {
        Ok(request) if visitor.held.is_some() => confirm(visitor, &request, &asked, what).await,
        Ok(request) => signed_out(visitor, &request),
        Err(error) => visitor.fault(&error),
    }
}

/// Asks for confirmation. What the app asked rides along and is checked again when the form comes.
pub async fn confirm(
    mut visitor: Visitor,
    request: &EndSessionRequest,
    params: &Params,
    (problems, status): (Problems, StatusCode),
) -> Response {
    let csrf = match visitor.csrf().await {
        Ok(csrf) => csrf,
        Err(error) => return visitor.fault(&error),
    };
    let txn = Some(params.encoded()).filter(|encoded| !encoded.is_empty());
    let view = LogoutView {
        t: visitor.language,
        brand: visitor.brand(),
        action: "/logout".to_owned(),
        csrf,
        txn,
        person: visitor.held.as_ref().map(|(_, user)| shown(user)),
        app: request.client.as_ref().map(|client| transaction::app_shown(client, request.back_to.as_ref())),
        stay: "/account".to_owned(),
        problems,
    };
    let mut reply = PageReply::new(&view).with_status(status);
    if let (Some(client), Some(uri)) = (&request.client, &request.back_to) {
        reply = reply.with_form_action(transaction::form_action(client, uri));
    }
    visitor.answer(reply)
}

/// Takes the form.
pub async fn submit(Submission { visitor, params }: Submission) -> Response {
    let asked = Params::parse(params.get("txn").unwrap_or_default().as_bytes());
    let request = match EndSessionRequest::check(&asked, visitor.doors.provider(), visitor.now).await {
        Ok(request) => request,
        Err(error) => return refused(visitor, &error),
    };
    match visitor.held.as_ref().map(|(session, _)| session.clone()) {
        Some(session) => end(visitor, &session, &request).await,
        None => signed_out(visitor, &request),
    }
}

/// Ends the session and goes where the app asked, or to our own page. Where apps are to be told by the browser, a page does that on
/// the way.
pub async fn end(mut visitor: Visitor, session: &Session, request: &EndSessionRequest) -> Response {
    let frames = match finish(&mut visitor, session).await {
        Ok(frames) => frames,
        Err(reply) => return visitor.answer(*reply),
    };
    match (request.location(), &request.client) {
        (Some(location), Some(client)) if !frames.is_empty() => {
            let view = LeavingView {
                t: visitor.language,
                brand: visitor.brand(),
                frames: texts(&frames),
                app: transaction::app_shown(client, request.back_to.as_ref()),
                next: location,
            };
            let reply = PageReply::new(&view).with_frames(frames.iter().map(WebUri::origin));
            visitor.answer(reply)
        }
        (Some(location), _) => visitor.answer(SeeOther::to_client(location)),
        (None, _) => {
            let back = request.client.as_ref().and_then(|client| transaction::home_of(client));
            render(visitor, back, &frames)
        }
    }
}

fn texts(frames: &[WebUri]) -> Vec<String> {
    frames.iter().map(|frame| frame.as_str().to_owned()).collect()
}

/// Ends it. What the browser shall load so that apps hear of it.
async fn finish(visitor: &mut Visitor, session: &Session) -> Result<Vec<WebUri>, Box<Response>> {
    let (id, now) = (session.id.clone(), visitor.now);
    let actor = format!("user:{}", session.user_id);
    let store = visitor.doors.app().store.clone();
    let ended = store.write(async move |tx| end_session::end_session(tx, &id, &actor, now).await).await;
    match ended {
        Ok(ended) => {
            for client in &ended.refresh_of {
                let cookie = visitor.doors.cookies().clear_refresh(client);
                visitor.set_cookie(cookie);
            }
            for cookie in session_cookies::taken(&visitor.doors) {
                visitor.set_cookie(cookie);
            }
            if visitor.elevated.take().is_some() {
                let cookie = visitor.doors.cookies().clear_elevated();
                visitor.set_cookie(cookie);
            }
            visitor.signed_in = None;
            visitor.held = None;
            Ok(end_session::frames(&ended.clients, visitor.doors.provider()))
        }
        Err(error) => {
            use axum::response::IntoResponse as _;
            let page = trouble::fault(&error.into(), visitor.language, visitor.brand(), visitor.request_id.clone());
            Err(Box::new(page.into_response()))
        }
    }
}

/// Shows that the request breaks a rule: without proof nobody is led anywhere.
pub fn refused(visitor: Visitor, error: &OAuthError) -> Response {
    if error.cause().is_some() {
        return visitor.fault(error);
    }
    let page = trouble::page(&visitor, Trouble::LogoutRequest, error.code().as_str(), Some(error.hint()));
    visitor.answer(page)
}

/// Shows that nobody is signed in.
pub fn signed_out(visitor: Visitor, request: &EndSessionRequest) -> Response {
    let back = request.client.as_ref().and_then(|client| transaction::home_of(client));
    render(visitor, back, &[])
}

fn render(visitor: Visitor, back: Option<(crate::http::pages::AppShown, String)>, frames: &[WebUri]) -> Response {
    let view = SignedOutView {
        t: visitor.language,
        brand: visitor.brand(),
        back,
        sign_in: "/login".to_owned(),
        frames: texts(frames),
    };
    let reply = PageReply::new(&view).with_frames(frames.iter().map(WebUri::origin));
    visitor.answer(reply)
}
