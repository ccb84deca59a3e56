//! `/admin/keys`: the keys that sign tokens, when they turn and who is ready; turning one, and throwing one out.

use std::str::FromStr as _;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::audit::plain;
use super::guard::{Admin, AdminForm, Elevated, ElevatedForm};
use super::{not_found, room};
use crate::app::key_policy;
use crate::domain::alg::Alg;
use crate::domain::id::ClientId;
use crate::domain::time::Timestamp;
use crate::http::doors::Doors;
use crate::http::pages::admin::key_rotate::RotateView;
use crate::http::pages::admin::keys::{
    AppShown, CanaryShown, KeyRow, KeysView, RevokeView, RingShown, Said, StrangerShown, Wrong,
};
use crate::http::people::account::apps::percent;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::visit::Visitor;
use crate::keys::KeysError;
use crate::keys::policy::KeyPolicy;
use crate::keys::propagation::Propagation;
use crate::keys::record::KeyRecord;
use crate::keys::state::KeyState;
use crate::oauth::error::OAuthError;
use crate::tokens::consequences::{Lost, Report};
use crate::tokens::key_desk::{KeyDesk, reason_fits};

/// How many others who fetch the key set are shown.
const STRANGERS: usize = 20;
/// Keys that turn more often than daily have a timeline of moments and not of dates.
const DAY: Duration = Duration::from_secs(86_400);
/// So many characters of a key's name are typed to throw it out.
const TYPED: usize = 8;

type At = Result<Path<String>, PathRejection>;

/// What is told on the page after an act.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    said: String,
}

/// What was lost, on the way to the page that asks.
#[derive(Debug, Deserialize)]
pub(super) struct WhatWasLost {
    #[serde(default)]
    lost: String,
}

/// The desk of somebody in the room.
pub(super) fn desk<'d>(doors: &'d Doors, actor: &'d str, now: Timestamp) -> KeyDesk<'d> {
    let app = doors.app();
    let config = app.config();
    KeyDesk {
        store: &app.store,
        vault: &app.vault,
        policy: key_policy(config),
        data_folder: config.data_folder(),
        actor,
        now,
        clock: &app.clock,
    }
}

/// A fault of ours. What an admin wants and cannot have is told by the callers before.
pub(super) fn fault(error: KeysError) -> OAuthError {
    match error {
        KeysError::Store(error) => error.into(),
        other => OAuthError::fault(other),
    }
}

/// All keys.
pub(super) async fn list(mut admin: Admin, Query(told): Query<Told>) -> Response {
    match view(&mut admin, &told).await {
        Ok(view) => admin.visitor.answer(PageReply::new(&view)),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn view(admin: &mut Admin, told: &Told) -> Result<KeysView, OAuthError> {
    let room = room(admin, None).await?;
    let Visitor { doors, now, .. } = &admin.visitor;
    let desk = desk(doors, "", *now);
    let (records, forged) = desk.records().await?;
    let known = desk.propagation().await?;
    let singing = desk.canaries().await?;
    let ring = |alg: &Alg| RingShown {
        canaries: next_of(&records, *alg).map(|next| CanaryShown::of(&singing, next.kid())).unwrap_or_default(),
        ..ring(*alg, &records, &known, &desk.policy, *now)
    };
    let rings = desk.policy.algorithms.iter().map(ring).collect();
    let lagging = known.lagging(records.iter(), *now);
    let apps = known.apps().iter().filter(|(_, app)| app.is_at_work(*now)).map(|(id, app)| AppShown {
        id: id.as_str().to_owned(),
        href: format!("/admin/apps/{}", percent(id.as_str())),
        algs: app.algs.iter().map(|alg| alg.as_str()).collect::<Vec<_>>().join(" "),
        seen: app.seen.map(Timestamp::as_seconds),
        claimed: app.claimed,
        lags: lagging.values().any(|apps| apps.contains(id)),
    });
    let strangers = known.strangers().iter().take(STRANGERS).map(|stranger| StrangerShown {
        origin: stranger.origin.clone(),
        agent: stranger.agent.clone(),
        claim: stranger.claim.clone(),
        seen: stranger.seen.as_seconds(),
    });
    Ok(KeysView {
        t: admin.visitor.language,
        brand: admin.visitor.brand(),
        room,
        said: match told.said.as_str() {
            "turned" => Some(Said::Turned),
            "planned" => Some(Said::Planned),
            "revoked" => Some(Said::Revoked),
            "canary" => Some(Said::Canary),
            "canary-ended" => Some(Said::CanaryEnded),
            "all-revoked" => Some(Said::AllRevoked),
            _ => None,
        },
        rings,
        forged,
        apps: apps.collect(),
        strangers: strangers.collect(),
    })
}

fn ring(alg: Alg, records: &[KeyRecord], known: &Propagation, policy: &KeyPolicy, now: Timestamp) -> RingShown {
    let mut own: Vec<&KeyRecord> = records.iter().filter(|record| record.alg() == alg).collect();
    own.sort_by_key(|record| (record.state.order(), std::cmp::Reverse(record.activate_at)));
    let next = next_of(records, alg);
    let line = Timeline { now, reach: policy.period.as_secs().max(1) };
    RingShown {
        alg: alg.as_str(),
        next: next.map(|key| key.activate_at.as_seconds()),
        late: next.is_some_and(|key| key.activate_at.has_passed(now)),
        patient_until: next.map_or(now, |key| policy.patient_until(key.activate_at)).as_seconds(),
        waiting_for: next.map(|key| names(&known.waiting_for(key, now))).unwrap_or_default(),
        rotate: format!("/admin/keys/{alg}/rotate"),
        canary: format!("/admin/keys/{alg}/canary"),
        canaries: Vec::new(),
        now: line.at(now),
        begins: line.edge(-1),
        ends: line.edge(1),
        daily: policy.period >= DAY,
        keys: own.iter().map(|key| row(key, next, policy, &line)).collect(),
    }
}

fn row(key: &KeyRecord, next: Option<&KeyRecord>, policy: &KeyPolicy, line: &Timeline) -> KeyRow {
    // What waits has not begun, however long ago that was planned.
    let began = if key.state == KeyState::Pending { key.activate_at.max(line.now) } else { key.activate_at };
    // When it stopped signing, or will.
    let stops = match key.state {
        KeyState::Pending => began.plus(policy.period),
        KeyState::Active => next.map_or(began.plus(policy.period), |next| next.activate_at.max(line.now)),
        KeyState::Retiring | KeyState::Retired => {
            key.retire_at.map_or(key.changed_at, |at| at.minus(policy.retire_window))
        }
        KeyState::Revoked => key.changed_at,
    };
    let leaves = match key.state {
        KeyState::Pending | KeyState::Active => stops.plus(policy.retire_window),
        KeyState::Retiring | KeyState::Retired => key.retire_at.unwrap_or(key.changed_at),
        KeyState::Revoked => key.changed_at,
    };
    let signs = if stops > began { line.span(began, stops) } else { (0, 0) };
    KeyRow {
        kid: key.kid().to_string(),
        alg: key.alg().as_str(),
        state: key.state,
        // A key that was thrown out while it waited never signed.
        signs_from: (key.state != KeyState::Revoked || stops > began).then(|| key.activate_at.as_seconds()),
        leaves_at: key.retire_at.map(Timestamp::as_seconds),
        reason: key.reason.clone(),
        revoke: (key.state != KeyState::Revoked).then(|| format!("/admin/keys/{}/revoke", key.kid())),
        published: line.span(key.published_at, leaves),
        signs,
    }
}

/// From a period and a half ago to a period and a half from now, in a thousand parts.
struct Timeline {
    now: Timestamp,
    reach: u64,
}

impl Timeline {
    fn at(&self, moment: Timestamp) -> u32 {
        let whole = i128::from(self.reach) * 3;
        let since = i128::from(moment.as_seconds()) - i128::from(self.now.as_seconds()) + whole / 2;
        u32::try_from((since * 1_000 / whole.max(1)).clamp(0, 1_000)).unwrap_or_default()
    }

    /// Its left or right end, in Unix seconds.
    fn edge(&self, side: i64) -> i64 {
        let half = i64::try_from(self.reach / 2 * 3 + self.reach % 2).unwrap_or(i64::MAX);
        self.now.as_seconds().saturating_add(half.saturating_mul(side))
    }

    /// Where a span begins, and how long it is.
    fn span(&self, from: Timestamp, until: Timestamp) -> (u32, u32) {
        let (from, until) = (self.at(from), self.at(until));
        (from, until.saturating_sub(from))
    }
}

/// The key of an algorithm that takes over next.
pub(super) fn next_of(records: &[KeyRecord], alg: Alg) -> Option<&KeyRecord> {
    let waiting = records.iter().filter(|key| key.alg() == alg && key.state == KeyState::Pending);
    waiting.min_by_key(|key| key.published_at)
}

fn names(ids: &[ClientId]) -> Vec<String> {
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

/// The algorithm that an address names.
pub(super) fn alg_at(at: At) -> Option<Alg> {
    Alg::from_str(&plain(&at.ok()?.0)).ok()
}

/// Says what turning an algorithm's key means.
pub(super) async fn ask_rotate(Elevated(mut admin): Elevated, at: At) -> Response {
    let Some(alg) = alg_at(at) else { return not_found(admin.visitor) };
    let view = async {
        let room = room(&mut admin, None).await?;
        let Visitor { doors, now, .. } = &admin.visitor;
        let desk = desk(doors, "", *now);
        let (records, _) = desk.records().await?;
        let Some(next) = next_of(&records, alg).filter(|_| desk.policy.algorithms.contains(&alg)) else {
            return Ok(None);
        };
        let safe_from = desk.policy.safe_from(next.published_at);
        Ok::<_, OAuthError>(Some(RotateView {
            t: admin.visitor.language,
            brand: admin.visitor.brand(),
            room,
            alg: alg.as_str(),
            kid: next.kid().to_string(),
            safe_from: safe_from.as_seconds(),
            too_early: !safe_from.has_passed(*now),
            waiting_for: names(&desk.propagation().await?.waiting_for(next, *now)),
            patient_until: desk.policy.patient_until(safe_from.max(*now).min(next.activate_at)).as_seconds(),
            action: format!("/admin/keys/{alg}/rotate"),
        }))
    };
    match view.await {
        Ok(Some(view)) => admin.visitor.answer(PageReply::new(&view)),
        Ok(None) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&error),
    }
}

/// Turns it.
pub(super) async fn rotate(at: At, ElevatedForm(AdminForm { admin, params }): ElevatedForm) -> Response {
    let Some(alg) = alg_at(at) else { return not_found(admin.visitor) };
    let Visitor { doors, now, .. } = &admin.visitor;
    let actor = format!("user:{}", admin.user.id);
    match desk(doors, &actor, *now).rotate(&[alg], params.get("now").is_some()).await {
        Ok(rotated) => {
            follow(doors).await;
            let said = if rotated.iter().all(|one| one.active) { "turned" } else { "planned" };
            admin.visitor.answer(SeeOther::within(&format!("/admin/keys?said={said}")))
        }
        Err(KeysError::Refused(_)) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&fault(error)),
    }
}

/// Says what throwing a key out means.
pub(super) async fn ask_revoke(Elevated(admin): Elevated, at: At, Query(what): Query<WhatWasLost>) -> Response {
    let kid = at.map(|Path(kid)| plain(&kid)).unwrap_or_default();
    revoke_page(admin, kid, lost_as(&what.lost), None, String::new()).await
}

/// Only the word itself replaces everything.
fn lost_as(text: &str) -> Lost {
    text.parse().unwrap_or_default()
}

/// Throws it out, if its name and a reason were typed; with it all others, if the host was lost.
pub(super) async fn revoke(at: At, ElevatedForm(AdminForm { admin, params }): ElevatedForm) -> Response {
    let kid = at.map(|Path(kid)| plain(&kid)).unwrap_or_default();
    let reason = params.get("reason").unwrap_or_default().trim().to_owned();
    let lost = lost_as(params.get("lost").unwrap_or_default());
    let typed = params.get("kid").unwrap_or_default().trim();
    if !reason_fits(&reason) {
        return revoke_page(admin, kid, lost, Some(Wrong::Reason), reason).await;
    }
    if typed != word(&kid, lost) && (typed != kid || lost == Lost::Host) {
        return revoke_page(admin, kid, lost, Some(Wrong::Word), reason).await;
    }
    let Visitor { doors, now, .. } = &admin.visitor;
    let actor = format!("user:{}", admin.user.id);
    match desk(doors, &actor, *now).revoke(&kid, lost, &reason).await {
        Ok(_) => {
            follow(doors).await;
            let said = if lost == Lost::Host { "all-revoked" } else { "revoked" };
            admin.visitor.answer(SeeOther::within(&format!("/admin/keys?said={said}")))
        }
        Err(KeysError::Refused(_)) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&fault(error)),
    }
}

async fn revoke_page(mut admin: Admin, kid: String, lost: Lost, wrong: Option<Wrong>, reason: String) -> Response {
    let view = async {
        let room = room(&mut admin, None).await?;
        let Visitor { doors, now, .. } = &admin.visitor;
        let report = desk(doors, "", *now).consequences(&kid, lost).await?;
        let Some(report) = report.filter(|report| report.state != KeyState::Revoked) else { return Ok(None) };
        let Report { alg, live_tokens, people, sessions, client_ids, not_ready, recovered_by, .. } = report;
        Ok::<_, OAuthError>(Some(RevokeView {
            t: admin.visitor.language,
            brand: admin.visitor.brand(),
            room,
            alg: alg.as_str(),
            word: word(&kid, lost),
            host: lost == Lost::Host,
            sessions,
            live_tokens,
            people,
            apps: client_ids,
            not_ready,
            recovered_by: recovered_by.parse().map_or(0, Timestamp::as_seconds),
            reason,
            wrong,
            action: format!("/admin/keys/{}/revoke", percent(&kid)),
            kid,
        }))
    };
    match view.await {
        Ok(Some(view)) => {
            let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            admin.visitor.answer(PageReply::new(&view).with_status(status))
        }
        Ok(None) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&error),
    }
}

/// What is typed to go on.
fn word(kid: &str, lost: Lost) -> String {
    match lost {
        Lost::Key => kid.chars().take(TYPED).collect(),
        Lost::Host => "host".to_owned(),
    }
}

/// This process does not wait for its next look.
pub(super) async fn follow(doors: &Doors) {
    if let Err(error) = doors.app().follow_changes().await {
        tracing::warn!(%error, "the ring will be read again at the next look");
    }
}
