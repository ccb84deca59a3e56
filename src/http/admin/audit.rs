//! `/admin/audit`: who did what.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::guard::Admin;
use super::{ROWS, names_of, room};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::http::pages::admin::audit::{AuditView, EventRow};
use crate::http::people::account::apps::percent;
use crate::http::reply::page::PageReply;
use crate::oauth::error::OAuthError;
use crate::store::Db;
use crate::store::audit::Recorded;
use crate::store::audit_page::{self, Filter};

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    action: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    before: String,
}

/// The newest events that fit.
pub(super) async fn list(mut admin: Admin, Query(wanted): Query<Wanted>) -> Response {
    match view(&mut admin, wanted).await {
        Ok(view) => admin.visitor.answer(PageReply::new(&view)),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn view(admin: &mut Admin, wanted: Wanted) -> Result<AuditView, OAuthError> {
    let room = room(admin, None).await?;
    let visitor = &admin.visitor;
    let filter = filter(&wanted.action, &wanted.about);
    let mut db = visitor.doors.app().store.read().await?;
    let (events, last) = rows(&mut db, &filter, &plain(&wanted.before), ROWS).await?;
    let next = last.map(|last| {
        let (action, about) = (percent(&filter.action), percent(&filter.about));
        format!("/admin/audit?action={action}&about={about}&before={}", percent(&last))
    });
    Ok(AuditView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        action: filter.action,
        about: filter.about,
        events,
        next,
    })
}

/// What was typed, as it is looked for.
pub(super) fn filter(action: &str, about: &str) -> Filter {
    Filter { action: plain(action), about: plain(about) }
}

/// PostgreSQL refuses a NUL, and nothing of ours holds one.
pub(super) fn plain(typed: &str) -> String {
    typed.trim().replace('\0', "")
}

/// The events that fit, as they are shown, and where the next page begins if there is one.
pub(super) async fn rows(
    db: &mut Db,
    filter: &Filter,
    before: &str,
    most: u32,
) -> Result<(Vec<EventRow>, Option<String>), OAuthError> {
    let mut found = audit_page::page(db, filter, before, most + 1).await?;
    let more = found.len() > most as usize;
    found.truncate(most as usize);
    let next = found.last().filter(|_| more).map(|last| last.id.clone());
    let mut people = Vec::new();
    for entry in &found {
        people.extend(actor_of(entry));
        people.push(UserId::new(entry.subject.as_str()));
    }
    let names = names_of(db, people).await?;
    Ok((found.into_iter().map(|entry| row(entry, &names)).collect(), next))
}

/// The person who did it, if it was one.
fn actor_of(entry: &Recorded) -> Option<UserId> {
    entry.actor.strip_prefix("user:").map(UserId::new)
}

fn row(event: Recorded, names: &BTreeMap<UserId, String>) -> EventRow {
    let shown =
        |id: UserId| names.get(&id).map(|name| (name.clone(), format!("/admin/people/{}", percent(id.as_str()))));
    let person = actor_of(&event).and_then(shown);
    EventRow {
        at: event.at.as_seconds(),
        person,
        subject_person: shown(UserId::new(event.subject.as_str())),
        actor: event.actor,
        action: event.action,
        subject: event.subject,
        data: members(&event.data),
    }
}

/// What is told beside it, a name and a value each. Empty lists and texts tell nothing. Moments stand there in seconds.
fn members(data: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(members)) = serde_json::from_str(data) else { return Vec::new() };
    let text = |name: &str, value: Value| match value {
        Value::String(text) => text,
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Number(seconds) if name.ends_with("_at") || name == "until" => {
            seconds.as_i64().map_or_else(|| seconds.to_string(), |at| Timestamp::from_seconds(at).to_string())
        }
        other => other.to_string(),
    };
    let told = members.into_iter().map(|(name, value)| {
        let value = text(&name, value);
        (name, value)
    });
    told.filter(|(_, value)| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_an_event_is_told_for_people() {
        let told = members(r#"{"alg":"ES256","until":1800000000,"retire_at":1800000001,"apps":[],"why":"","times":3}"#);
        let expected = [
            ("alg", "ES256"),
            ("retire_at", "2027-01-15T08:00:01Z"),
            ("times", "3"),
            ("until", "2027-01-15T08:00:00Z"),
        ];
        assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(members("no object"), []);
    }
}
