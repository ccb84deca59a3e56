//! Each change: a page that says what will happen, and the form on it that does it. Both stand at one address.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::audit::plain;
use super::guard::{Admin, AdminForm, ElevatedForm};
use super::sessions::{device, href};
use super::{not_found, room};
use crate::domain::id::{ClientId, SessionId, UserId};
use crate::http::pages::admin::Notice;
pub(super) use crate::http::pages::admin::confirm::Deed;
use crate::http::pages::admin::confirm::{ConfirmView, Refused};
use crate::http::people::account::apps::percent;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::visit::Visitor;
use crate::oauth::admin::acts::{self, Act, NotDone};
use crate::oauth::error::OAuthError;
use crate::store::{clients, sessions, users};

/// What varies in the address of a change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Parts {
    id: String,
    #[serde(default)]
    client: String,
}

/// What an address says.
pub(super) type At = Result<Path<Parts>, PathRejection>;

macro_rules! addresses {
    ($($deed:ident $name:literal $rest:literal),* $(,)?) => {
        impl Deed {
            /// The name in addresses.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$deed => $name),* }
            }

            /// The page that asks, and takes the form.
            pub(super) const fn page(self) -> &'static str {
                match self { $(Self::$deed => concat!("/admin", $rest, $name)),* }
            }

            /// The same for programs.
            pub(super) const fn endpoint(self) -> &'static str {
                match self { $(Self::$deed => concat!("/admin/api/v1", $rest, $name)),* }
            }
        }
    };
}

addresses! {
    SignOut "sign-out" "/people/{id}/",
    EndPerson "end" "/people/{id}/",
    Disable "disable" "/people/{id}/",
    Enable "enable" "/people/{id}/",
    MakeAdmin "make-admin" "/people/{id}/",
    UnmakeAdmin "unmake-admin" "/people/{id}/",
    Withdraw "withdraw" "/people/{id}/apps/{client}/",
    EndSession "end" "/sessions/{id}/",
    DisableApp "disable" "/apps/{id}/",
    EnableApp "enable" "/apps/{id}/",
    EndApp "end" "/apps/{id}/",
}

impl Deed {
    /// The act.
    pub(super) fn act(self, at: At) -> Act {
        let (id, client) = at.map_or_else(|_| Default::default(), |Path(at)| (plain(&at.id), plain(&at.client)));
        match self {
            Self::SignOut => Act::SignOut(UserId::new(id)),
            Self::EndPerson => Act::EndPerson(UserId::new(id)),
            Self::Disable => Act::Disable(UserId::new(id)),
            Self::Enable => Act::Enable(UserId::new(id)),
            Self::MakeAdmin => Act::MakeAdmin(UserId::new(id)),
            Self::UnmakeAdmin => Act::UnmakeAdmin(UserId::new(id)),
            Self::Withdraw => Act::Withdraw(UserId::new(id), ClientId::new(client)),
            Self::EndSession => Act::EndSession(SessionId::new(id)),
            Self::DisableApp => Act::DisableApp(ClientId::new(id)),
            Self::EnableApp => Act::EnableApp(ClientId::new(id)),
            Self::EndApp => Act::EndApp(ClientId::new(id)),
        }
    }
}

/// The address of the page that asks.
pub(super) fn path(deed: Deed, id: &str, client: Option<&str>) -> String {
    deed.page().replace("{id}", &percent(id)).replace("{client}", &percent(client.unwrap_or_default()))
}

/// What came of a change, told on the page after it.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    done: String,
    #[serde(default)]
    already: String,
}

impl Told {
    /// What is told. The thing is known from where it is told, so a name that two deeds share is enough.
    pub(super) fn notice(&self) -> Option<Notice> {
        if !self.already.is_empty() {
            return Some(Notice::Already);
        }
        Deed::ALL.into_iter().find(|deed| deed.token() == self.done).map(Notice::Done)
    }
}

impl Deed {
    /// Tells it apart from all others.
    fn token(self) -> String {
        let thing = self.page().trim_start_matches("/admin/").split('/').next().unwrap_or_default();
        format!("{thing}-{}", self.name())
    }
}

/// To what it is done.
struct About {
    act: Act,
    name: String,
    whose: Option<String>,
    own: bool,
    action: String,
    back: String,
}

/// Says what will happen.
pub(super) async fn ask(deed: Deed, admin: Admin, at: At) -> Response {
    match about(deed, &admin, at).await {
        Ok(Some(about)) => page(deed, admin, about, None).await,
        Ok(None) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&error),
    }
}

/// Does it.
pub(super) async fn change(deed: Deed, ElevatedForm(form): ElevatedForm, at: At) -> Response {
    let AdminForm { admin, params: _ } = form;
    let about = match about(deed, &admin, at).await {
        Ok(Some(about)) => about,
        Ok(None) => return not_found(admin.visitor),
        Err(error) => return admin.visitor.fault(&error),
    };
    let Visitor { doors, now, .. } = &admin.visitor;
    let actor = format!("user:{}", admin.user.id);
    match acts::perform(about.act.clone(), actor, doors.provider(), *now).await {
        Ok(Ok(true)) => admin.visitor.answer(SeeOther::within(&format!("{}?done={}", about.back, deed.token()))),
        Ok(Ok(false)) => admin.visitor.answer(SeeOther::within(&format!("{}?already=1", about.back))),
        Ok(Err(NotDone::NotFound)) => not_found(admin.visitor),
        Ok(Err(NotDone::LastAdmin)) => page(deed, admin, about, Some(Refused::LastAdmin)).await,
        Ok(Err(NotDone::InTheWay(errors))) => {
            let refused = Refused::InTheWay(errors.iter().map(ToString::to_string).collect());
            page(deed, admin, about, Some(refused)).await
        }
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn about(deed: Deed, admin: &Admin, at: At) -> Result<Option<About>, OAuthError> {
    let act = deed.act(at);
    let mut db = admin.visitor.doors.app().store.read().await?;
    let (name, whose, own, back, action);
    match &act {
        Act::SignOut(id)
        | Act::EndPerson(id)
        | Act::Disable(id)
        | Act::Enable(id)
        | Act::MakeAdmin(id)
        | Act::UnmakeAdmin(id) => {
            let Some(user) = users::find(&mut db, id).await? else { return Ok(None) };
            name = user.display_name().to_owned();
            (whose, own, back) = (None, *id == admin.user.id, href(id));
            action = path(deed, id.as_str(), None);
        }
        Act::Withdraw(id, client) => {
            let Some(user) = users::find(&mut db, id).await? else { return Ok(None) };
            let found = clients::find(&mut db, client).await?;
            name = found.map_or_else(|| client.as_str().to_owned(), |client| client.display_name().to_owned());
            (whose, own, back) = (Some(user.display_name().to_owned()), false, href(id));
            action = path(deed, id.as_str(), Some(client.as_str()));
        }
        Act::EndSession(id) => {
            let Some((session, _)) = sessions::find(&mut db, id).await? else { return Ok(None) };
            let Some(user) = users::find(&mut db, &session.user_id).await? else { return Ok(None) };
            name = device(&session).name(&admin.visitor.language).into_owned();
            (whose, own, back) = (Some(user.display_name().to_owned()), *id == admin.session.id, href(&user.id));
            action = path(deed, id.as_str(), None);
        }
        Act::DisableApp(id) | Act::EnableApp(id) | Act::EndApp(id) => {
            let Some(client) = clients::find(&mut db, id).await? else { return Ok(None) };
            name = client.display_name().to_owned();
            (whose, own, back) = (None, false, format!("/admin/apps/{}", percent(id.as_str())));
            action = path(deed, id.as_str(), None);
        }
    }
    Ok(Some(About { act, name, whose, own, action, back }))
}

async fn page(deed: Deed, mut admin: Admin, about: About, refused: Option<Refused>) -> Response {
    let room = match room(&mut admin, None).await {
        Ok(room) => room,
        Err(error) => return admin.visitor.fault(&error),
    };
    let status = if refused.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    let view = ConfirmView {
        t: admin.visitor.language,
        brand: admin.visitor.brand(),
        room,
        deed,
        name: about.name,
        whose: about.whose,
        own: about.own && deed != Deed::Enable && deed != Deed::MakeAdmin,
        action: about.action,
        back: about.back,
        refused,
    };
    admin.visitor.answer(PageReply::new(&view).with_status(status))
}
