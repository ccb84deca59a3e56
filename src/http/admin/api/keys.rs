//! `/admin/api/v1/keys`: the keys that sign tokens.

use std::str::FromStr as _;

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::guard::{Asked, Changes, Looks};
use super::{Refused, answer, not_found};
use crate::domain::alg::Alg;
use crate::http::admin::audit::plain;
use crate::http::admin::canary::registered;
use crate::http::admin::keys::{desk, fault, follow};
use crate::http::reply::json::{self, Json, Refusal};
use crate::keys::KeysError;
use crate::keys::rotation::Refused as Because;
use crate::oauth::admin::authority::Caller;
use crate::oauth::error::OAuthError;
use crate::tokens::consequences::{Lost, Report};
use crate::tokens::key_desk::{Listed, Trial, reason_fits};

/// The keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Keys {
    /// All of them, by algorithm, the oldest first.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Listed>,
    /// Apps that a waiting key signs for now.
    #[schema(value_type = Vec<Object>)]
    canaries: Vec<Trial>,
    /// Names of keys whose rows cannot be believed; nobody uses them.
    not_believed: Vec<String>,
}

/// How a key shall turn.
#[derive(Debug, Deserialize)]
pub(in crate::http::admin) struct How {
    /// At once, whatever that breaks; else as early as is safe for every app.
    #[serde(default)]
    now: bool,
}

/// Which app tries the next key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// The app.
    client_id: String,
    /// Whether it shall stop, before the hour is over.
    #[serde(default)]
    stop: bool,
}

/// Why a key is thrown out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// The reason, 1 to 200 characters; it is published in the key history.
    reason: String,
    /// What was lost: `key`, or `host`: then all keys and roots are replaced, and every session and grant from before ends.
    #[serde(default)]
    #[schema(value_type = String)]
    lost: Lost,
}

/// All keys: their states and times, and the apps that each waits for.
#[utoipa::path(get, operation_id = "keys_list", path = "/admin/api/v1/keys", tag = "keys",
    responses((status = 200, body = Keys), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn list(looks: Looks) -> Response {
    let told = async {
        let desk = desk(&looks.doors, "", looks.now);
        let (records, not_believed) = desk.records().await?;
        let known = desk.propagation().await?;
        let keys = records.iter().map(|key| Listed::of(key, known.waiting_for(key, looks.now))).collect();
        let canaries = desk.canaries().await?.iter().map(Trial::from).collect();
        Ok(Some(Keys { keys, canaries, not_believed }))
    };
    answer(told.await)
}

/// Has the next key of an algorithm sign.
#[utoipa::path(post, operation_id = "keys_rotate", path = "/admin/api/v1/keys/{id}/rotate", tag = "keys",
    params(("id" = String, Path, description = "The algorithm."), ("now" = Option<bool>, Query, description = "At once, whatever that breaks; else as early as is safe for every app.")),
    responses((status = 200, description = "It signs.", body = Object), (status = 202, description = "It will sign at that moment.", body = Object), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn rotate(
    changes: Changes,
    at: Result<Path<String>, PathRejection>,
    Asked(how): Asked<How>,
) -> Response {
    let Changes { doors, now, caller: Caller(actor) } = changes;
    let Some(alg) = alg_at(at) else { return not_found() };
    match desk(&doors, &actor, now).rotate(&[alg], how.now).await {
        Ok(mut rotated) => {
            follow(&doors).await;
            let Some(one) = rotated.pop() else { return not_found() };
            let status = if one.active { StatusCode::OK } else { StatusCode::ACCEPTED };
            (status, Json(one)).into_response()
        }
        Err(error) => refused(error),
    }
}

/// Has the next key of an algorithm sign for one app, for an hour, or stops that.
#[utoipa::path(post, operation_id = "keys_canary", path = "/admin/api/v1/keys/{id}/canary", tag = "keys",
    params(("id" = String, Path, description = "The algorithm.")), request_body = Which,
    responses((status = 200, description = "The app, the key and until when.", body = Object), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn canary(
    changes: Changes,
    at: Result<Path<String>, PathRejection>,
    body: Bytes,
) -> Response {
    let Changes { doors, now, caller: Caller(actor) } = changes;
    let Some(alg) = alg_at(at) else { return not_found() };
    let Ok(Which { client_id, stop }) = serde_json::from_slice(&body) else {
        let hint = "send {\"client_id\": \"…\"} of an app, and with it \"stop\": true to end what was begun";
        return json::error_body(StatusCode::BAD_REQUEST, "invalid_request", hint);
    };
    let client = match registered(&doors, &client_id).await {
        Ok(Some(client)) => client,
        Ok(None) => return not_found(),
        Err(error) => return Refusal::from(error).into_response(),
    };
    let desk = desk(&doors, &actor, now);
    let outcome = if stop { desk.end_canary(&client, &[alg]).await } else { desk.canary(&client, &[alg]).await };
    match outcome {
        Ok(trials) => {
            follow(&doors).await;
            Json(trials.first().map(Trial::from)).into_response()
        }
        Err(error) => refused(error),
    }
}

/// Throws a key out, and answers with what that meant.
#[utoipa::path(post, operation_id = "keys_revoke", path = "/admin/api/v1/keys/{id}/revoke", tag = "keys",
    params(("id" = String, Path, description = "The name of the key.")), request_body = Why,
    responses((status = 200, body = Object), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn revoke(
    changes: Changes,
    at: Result<Path<String>, PathRejection>,
    body: Bytes,
) -> Response {
    let Changes { doors, now, caller: Caller(actor) } = changes;
    let Ok(Path(kid)) = at else { return not_found() };
    let kid = plain(&kid);
    let why = serde_json::from_slice::<Why>(&body).ok().filter(|why| reason_fits(why.reason.trim()));
    let Some(Why { reason, lost }) = why else {
        let hint =
            "send {\"reason\": \"…\"} with 1 to 200 characters on one line, and \"lost\": \"host\" if all was lost";
        return json::error_body(StatusCode::BAD_REQUEST, "invalid_request", hint);
    };
    let desk = desk(&doors, &actor, now);
    let report = match desk.consequences(&kid, lost).await {
        Ok(report) => report,
        Err(error) => return Refusal::from(OAuthError::from(error)).into_response(),
    };
    match desk.revoke(&kid, lost, reason.trim()).await {
        Ok(_) => {
            follow(&doors).await;
            Json::<Option<Report>>(report).into_response()
        }
        Err(error) => refused(error),
    }
}

/// Says what losing the key that signs with an algorithm would mean. Nothing changes, but that it is recorded.
#[utoipa::path(post, operation_id = "keys_drill", path = "/admin/api/v1/keys/{id}/drill", tag = "keys",
    params(("id" = String, Path, description = "The algorithm.")),
    responses((status = 200, body = Object), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn drill(changes: Changes, at: Result<Path<String>, PathRejection>) -> Response {
    let Changes { doors, now, caller: Caller(actor) } = changes;
    let Some(alg) = alg_at(at) else { return not_found() };
    match desk(&doors, &actor, now).drill(alg).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => refused(error),
    }
}

fn alg_at(at: Result<Path<String>, PathRejection>) -> Option<Alg> {
    Alg::from_str(&plain(&at.ok()?.0)).ok()
}

fn refused(error: KeysError) -> Response {
    match error {
        KeysError::Refused(Because::UnknownKey(_)) => not_found(),
        KeysError::Refused(why) => json::error_body(
            StatusCode::CONFLICT,
            "not_possible",
            match why {
                Because::UnknownKey(_) => "there is no such key",
                Because::UnknownAlg(_) => "the algorithm is not among keys.algorithms",
                Because::NoActive(_) => "no key of the algorithm signs",
                Because::AlreadyRevoked(_) => "the key was revoked before",
                Because::NoSpare(_) => "no key waits to take over; a running server makes one within seconds",
                Because::NoCanary(_) => "no waiting key signs for this app now",
                Because::TooYoung { .. } => "the key that waits has not been published for long enough",
            },
        ),
        error => Refusal::from(fault(error)).into_response(),
    }
}
