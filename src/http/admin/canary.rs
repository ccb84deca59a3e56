//! `/admin/keys/{alg}/canary`: the next key tried on one app, before it signs for all.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::Response;

use super::audit::plain;
use super::guard::{Admin, AdminForm, Elevated, ElevatedForm};
use super::keys::{alg_at, desk, fault, follow, next_of};
use super::{not_found, room};
use crate::domain::alg::Alg;
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::http::doors::Doors;
use crate::http::pages::admin::canary::{AppChoice, CanaryView};
use crate::http::pages::admin::keys::CanaryShown;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::visit::Visitor;
use crate::keys::KeysError;
use crate::keys::rotation::Refused;
use crate::oauth::error::OAuthError;
use crate::store::clients;

/// How many apps are offered. Every other can be typed.
const OFFERED: usize = 500;

type At = Result<Path<String>, PathRejection>;

/// The app of that name, if there is one.
pub(super) async fn registered(doors: &Doors, typed: &str) -> Result<Option<ClientId>, OAuthError> {
    let client = ClientId::new(plain(typed));
    let found = clients::find(&mut doors.app().store.read().await?, &client).await?;
    Ok(found.map(|client| client.id))
}

/// Says what it means, and asks for the app.
pub(super) async fn ask(Elevated(admin): Elevated, at: At) -> Response {
    let Some(alg) = alg_at(at) else { return not_found(admin.visitor) };
    page(admin, alg, None, StatusCode::OK).await
}

/// Begins it, or ends what was begun.
pub(super) async fn change(at: At, ElevatedForm(AdminForm { admin, params }): ElevatedForm) -> Response {
    let Some(alg) = alg_at(at) else { return not_found(admin.visitor) };
    let typed = params.get("client_id").unwrap_or_default().trim();
    let Visitor { doors, now, .. } = &admin.visitor;
    let client = match registered(doors, typed).await {
        Ok(Some(client)) => client,
        Ok(None) => return page(admin, alg, Some(typed.to_owned()), StatusCode::BAD_REQUEST).await,
        Err(error) => return admin.visitor.fault(&error),
    };
    let actor = format!("user:{}", admin.user.id);
    let desk = desk(doors, &actor, *now);
    let (outcome, said) = if params.get("stop").is_some() {
        (desk.end_canary(&client, &[alg]).await, "canary-ended")
    } else {
        (desk.canary(&client, &[alg]).await, "canary")
    };
    match outcome {
        Ok(_) => {
            follow(doors).await;
            admin.visitor.answer(SeeOther::within(&format!("/admin/keys?said={said}")))
        }
        Err(KeysError::Refused(Refused::TooYoung { .. } | Refused::NoCanary(_))) => {
            page(admin, alg, None, StatusCode::CONFLICT).await
        }
        Err(KeysError::Refused(_)) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&fault(error)),
    }
}

/// `unknown`: what was typed and is no app.
async fn page(mut admin: Admin, alg: Alg, unknown: Option<String>, status: StatusCode) -> Response {
    let view = async {
        let room = room(&mut admin, None).await?;
        let Visitor { doors, now, .. } = &admin.visitor;
        let desk = desk(doors, "", *now);
        let (records, _) = desk.records().await?;
        let Some(next) = next_of(&records, alg).filter(|_| desk.policy.algorithms.contains(&alg)) else {
            return Ok(None);
        };
        let singing = desk.canaries().await?;
        let from = desk.policy.safe_from(next.published_at);
        let mut apps = clients::list(&mut doors.app().store.read().await?).await?;
        apps.retain(Client::is_active);
        let apps = apps
            .iter()
            .take(OFFERED)
            .map(|client| AppChoice { id: client.id.as_str().to_owned(), name: client.display_name().to_owned() });
        Ok::<_, OAuthError>(Some(CanaryView {
            t: admin.visitor.language,
            brand: admin.visitor.brand(),
            room,
            alg: alg.as_str(),
            kid: next.kid().to_string(),
            from: (!from.has_passed(*now)).then(|| from.as_seconds()),
            running: CanaryShown::of(&singing, next.kid()),
            apps: apps.collect(),
            unknown,
            action: format!("/admin/keys/{alg}/canary"),
        }))
    };
    match view.await {
        Ok(Some(view)) => admin.visitor.answer(PageReply::new(&view).with_status(status)),
        Ok(None) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&error),
    }
}
