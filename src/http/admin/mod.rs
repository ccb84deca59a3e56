//! `/admin`: the admin's room.
//!
//! | file           | says                                                                        |
//! |----------------|-----------------------------------------------------------------------------|
//! | `table.rs`     | every door of the room, with the right that it asks for                     |
//! | `guard.rs`     | who may come in: a person at a page, and with a form                        |
//! | `elevation.rs` | the password once more before anything is changed                           |
//! | `deeds.rs`     | each change: asked first, then done                                         |
//! | others         | one page each                                                               |
//! | `api/`         | the same for programs                                                       |

pub mod elevation;
pub mod table;

mod api;
mod apps;
mod audit;
mod canary;
mod deeds;
mod elevate;
mod guard;
mod keys;
mod overview;
mod people;
mod sessions;

use std::collections::BTreeMap;

use axum::response::Response;

use super::pages::admin::{Notice, Room};
use super::pages::error::{Trouble, WayBack};
use super::trouble;
use super::visit::{Visitor, shown};
use crate::domain::id::UserId;
use crate::oauth::error::OAuthError;
use crate::store::{Db, users};
use guard::Admin;

/// How many rows a list of a page shows.
const ROWS: u32 = 50;

/// What stands around each page.
async fn room(admin: &mut Admin, notice: Option<Notice>) -> Result<Room, OAuthError> {
    let csrf = admin.visitor.csrf().await?;
    Ok(Room {
        person: shown(&admin.user),
        csrf,
        sign_out: "/logout".to_owned(),
        notice,
        now: admin.visitor.now.as_seconds(),
    })
}

/// There is nothing of that identity.
fn not_found(visitor: Visitor) -> Response {
    let back = WayBack::Admin("/admin".to_owned());
    let page = trouble::page_back_to(&visitor, Trouble::NotFound, "not_found", None, back);
    visitor.answer(page)
}

/// The user names of those people, as far as they are still there.
async fn names_of(db: &mut Db, ids: Vec<UserId>) -> Result<BTreeMap<UserId, String>, OAuthError> {
    let mut names = BTreeMap::new();
    for id in ids {
        if !names.contains_key(&id)
            && let Some(user) = users::find(db, &id).await?
        {
            names.insert(id, user.username.as_str().to_owned());
        }
    }
    Ok(names)
}
