//! Every door of the admin's room. The router is made from this table and nothing else leads here, so that what is tested of the
//! table is true of the room.

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};

use super::deeds::{self, At, Deed};
use super::guard::{Elevated, ElevatedForm};
use super::{api, apps, audit, canary, elevate, keys, overview, people, sessions};
use crate::http::doors::Doors;

/// What a door asks of who comes. `tests/provider/security/admin_doors.rs` tries every door without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// A page: an admin, signed in at the real page.
    Look,
    /// A page that asks before a change: the admin has just proven who they are.
    Ask,
    /// A form that changes something: the same, from that page.
    Change,
    /// The form with the proof itself.
    Prove,
    /// The API: an access token with the scope.
    ApiLook,
    /// The API: the same, and a sign-in that is fresh.
    ApiChange,
}

/// A door: a method at a path.
#[derive(Debug)]
pub struct Door {
    /// The method.
    pub method: Method,
    /// The path, with what varies in braces.
    pub path: &'static str,
    /// What it asks.
    pub right: Right,
    handler: MethodRouter<Doors>,
}

/// Where the next key of an algorithm is made to sign, for all or for one app, and where a key is thrown out.
const ROTATE: &str = "/admin/keys/{id}/rotate";
const CANARY: &str = "/admin/keys/{id}/canary";
const REVOKE: &str = "/admin/keys/{id}/revoke";

/// All of them.
#[must_use]
pub fn doors() -> Vec<Door> {
    let look = |path, handler| Door { method: Method::GET, path, right: Right::Look, handler };
    let api_look = |path, handler| Door { method: Method::GET, path, right: Right::ApiLook, handler };
    let api_change = |path, handler| Door { method: Method::POST, path, right: Right::ApiChange, handler };
    let mut doors = vec![
        look("/admin", get(overview::show)),
        look("/admin/people", get(people::list)),
        look("/admin/people/{id}", get(people::one)),
        look("/admin/apps", get(apps::list)),
        look("/admin/apps/{id}", get(apps::one)),
        look("/admin/sessions", get(sessions::list)),
        look("/admin/keys", get(keys::list)),
        Door { method: Method::GET, path: ROTATE, right: Right::Ask, handler: get(keys::ask_rotate) },
        Door { method: Method::POST, path: ROTATE, right: Right::Change, handler: post(keys::rotate) },
        Door { method: Method::GET, path: CANARY, right: Right::Ask, handler: get(canary::ask) },
        Door { method: Method::POST, path: CANARY, right: Right::Change, handler: post(canary::change) },
        Door { method: Method::GET, path: REVOKE, right: Right::Ask, handler: get(keys::ask_revoke) },
        Door { method: Method::POST, path: REVOKE, right: Right::Change, handler: post(keys::revoke) },
        look("/admin/audit", get(audit::list)),
        look(elevate::PATH, get(elevate::show)),
        Door { method: Method::POST, path: elevate::PATH, right: Right::Prove, handler: post(elevate::submit) },
        api_look("/admin/api/openapi.json", get(api::document)),
        api_look("/admin/api/v1/people", get(api::people::list)),
        api_look("/admin/api/v1/people/{id}", get(api::people::one)),
        api_look("/admin/api/v1/people/{id}/sessions", get(api::people::sessions_of)),
        api_look("/admin/api/v1/people/{id}/apps", get(api::people::apps_of)),
        api_look("/admin/api/v1/apps", get(api::apps::list)),
        api_look("/admin/api/v1/apps/{id}", get(api::apps::one)),
        api_look("/admin/api/v1/resources", get(api::apps::resources)),
        api_look("/admin/api/v1/sessions", get(api::sessions::list)),
        api_look("/admin/api/v1/keys", get(api::keys::list)),
        api_change("/admin/api/v1/keys/{id}/rotate", post(api::keys::rotate)),
        api_change("/admin/api/v1/keys/{id}/canary", post(api::keys::canary)),
        api_change("/admin/api/v1/keys/{id}/revoke", post(api::keys::revoke)),
        api_change("/admin/api/v1/keys/{id}/drill", post(api::keys::drill)),
        api_look("/admin/api/v1/audit", get(api::audit::list)),
    ];
    for deed in Deed::ALL {
        let ask = get(move |Elevated(admin): Elevated, at: At| deeds::ask(deed, admin, at));
        let change = post(move |at: At, form: ElevatedForm| deeds::change(deed, form, at));
        let by_program = post(move |caller: api::Changes, at: At| api::deeds::change(deed, caller, at));
        doors.extend([
            Door { method: Method::GET, path: deed.page(), right: Right::Ask, handler: ask },
            Door { method: Method::POST, path: deed.page(), right: Right::Change, handler: change },
            Door { method: Method::POST, path: deed.endpoint(), right: Right::ApiChange, handler: by_program },
        ]);
    }
    doors
}

/// The room.
pub(in crate::http) fn routes() -> Router<Doors> {
    doors().into_iter().fold(Router::new(), |router, door| router.route(door.path, door.handler))
}
