//! `/setup/<token>`: the first admin.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::login::fault;
use crate::accounts::first_admin::{self, SetUp};
use crate::accounts::password_rules::WeakPassword;
use crate::accounts::people::PeopleError;
use crate::accounts::registration::{BadRegistration, Registration};
use crate::domain::secret::Secret;
use crate::domain::token::{Kind, OpaqueToken};
use crate::domain::user::{Username, is_email};
use crate::http::pages::problem::{Problem, Problems};
use crate::http::pages::setup::{SetupInvalidView, SetupView};
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::submission::Submission;
use crate::http::visit::Visitor;
use crate::oauth::params::Params;

/// What stands in the form when it is shown.
#[derive(Default)]
struct Filled {
    username: String,
    name: String,
    email: String,
    problems: Problems,
}

impl Filled {
    fn typed(params: &Params, problems: Problems) -> Self {
        let text = |name: &str| params.get(name).unwrap_or_default().trim().to_owned();
        Self { username: text("username"), name: text("name"), email: text("email"), problems }
    }
}

/// Shows the page. Looking does not use the link up.
pub async fn show(visitor: Visitor, Path(token): Path<String>) -> Response {
    let Some(link) = OpaqueToken::parse(Kind::Link, &token) else { return invalid(visitor) };
    match first_admin::is_open(&visitor.doors.app().store, &link, visitor.now).await {
        Ok(true) => render(visitor, &token, Filled::default(), StatusCode::OK).await,
        Ok(false) => invalid(visitor),
        Err(error) => visitor.fault(&error.into()),
    }
}

/// Takes the form and uses the link up.
pub async fn submit(Path(token): Path<String>, form: Submission) -> Response {
    let Submission { visitor, params } = form;
    let Some(link) = OpaqueToken::parse(Kind::Link, &token) else { return invalid(visitor) };
    let mut filled = Filled::typed(&params, Problems::default());
    let registration = match read(&params, &filled) {
        Ok(registration) => registration,
        Err(problems) => {
            filled.problems = problems;
            return render(visitor, &token, filled, StatusCode::BAD_REQUEST).await;
        }
    };
    let password = Secret::new(params.get("new_password").unwrap_or_default().to_owned());
    let accounts = visitor.doors.app().accounts.clone();
    let (problem, status) = match accounts.create_first_admin(link, registration, password, visitor.now).await {
        Ok(SetUp::Done) => {
            visitor.doors.app().forget_setup_link();
            return visitor.answer(SeeOther::within("/login"));
        }
        Ok(SetUp::LinkInvalid) => return invalid(visitor),
        Ok(SetUp::Refused(refused)) => (problem_of(&refused), StatusCode::BAD_REQUEST),
        Ok(SetUp::Weak(weak)) => (weak_password(weak), StatusCode::BAD_REQUEST),
        Ok(SetUp::Busy) => (Problem::Busy, StatusCode::SERVICE_UNAVAILABLE),
        Err(error) => return visitor.fault(&fault(error)),
    };
    filled.problems = problem.into();
    render(visitor, &token, filled, status).await
}

/// Shows the page again with what was typed, the passwords apart.
pub(super) async fn again(
    visitor: Visitor,
    token: &str,
    params: &Params,
    (problems, status): (Problems, StatusCode),
) -> Response {
    let Some(link) = OpaqueToken::parse(Kind::Link, token) else { return invalid(visitor) };
    match first_admin::is_open(&visitor.doors.app().store, &link, visitor.now).await {
        Ok(true) => render(visitor, token, Filled::typed(params, problems), status).await,
        Ok(false) => invalid(visitor),
        Err(error) => visitor.fault(&error.into()),
    }
}

fn read(params: &Params, filled: &Filled) -> Result<Registration, Problems> {
    let mut problems = Vec::new();
    let username = match Username::parse(&filled.username) {
        Ok(username) => Some(username),
        Err(_) if filled.username.is_empty() => {
            problems.push(Problem::NewUsernameMissing);
            None
        }
        Err(_) => {
            problems.push(Problem::UsernameInvalid);
            None
        }
    };
    if filled.name.is_empty() {
        problems.push(Problem::NameMissing);
    }
    if !is_email(&filled.email) {
        problems.push(Problem::EmailInvalid);
    }
    problems.extend(new_password_problems(params));
    match username {
        Some(username) if problems.is_empty() => {
            let mut claims = Map::new();
            claims.insert("name".to_owned(), Value::from(filled.name.as_str()));
            Ok(Registration {
                username,
                email: Some(filled.email.clone()),
                email_verified: false,
                claims,
                roles: Vec::new(),
                password: None,
            })
        }
        _ => Err(problems.into_iter().collect()),
    }
}

/// What is wrong with the two fields of a new password, before any rule is asked.
pub(super) fn new_password_problems(params: &Params) -> Vec<Problem> {
    match (params.get("new_password"), params.get("repeat_password")) {
        (None, _) => vec![Problem::NewPasswordMissing],
        (Some(new), Some(again)) if new == again => Vec::new(),
        _ => vec![Problem::RepeatDiffers],
    }
}

/// A weak password as the pages tell it.
pub(super) fn weak_password(weak: WeakPassword) -> Problem {
    let number = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
    match weak {
        WeakPassword::TooShort { least } => Problem::NewPasswordTooShort(number(least)),
        WeakPassword::TooLong { most } => Problem::NewPasswordTooLong(number(most)),
        WeakPassword::Common | WeakPassword::OwnName => Problem::NewPasswordTooEasy,
    }
}

fn problem_of(refused: &PeopleError) -> Problem {
    match refused {
        PeopleError::EmailTaken => Problem::EmailTaken,
        PeopleError::Bad(BadRegistration::Email) => Problem::EmailInvalid,
        // Of what is asked here only the name can be bad besides.
        PeopleError::Bad(_) => Problem::NameInvalid,
        _ => Problem::UsernameTaken,
    }
}

async fn render(mut visitor: Visitor, token: &str, filled: Filled, status: StatusCode) -> Response {
    let csrf = match visitor.csrf().await {
        Ok(csrf) => csrf,
        Err(error) => return visitor.fault(&error),
    };
    let view = SetupView {
        t: visitor.language,
        brand: visitor.brand(),
        action: format!("/setup/{token}"),
        csrf,
        username: filled.username,
        name: filled.name,
        email: filled.email,
        password_min: u64::from(visitor.doors.app().config().passwords.min_length),
        problems: filled.problems,
    };
    let mut reply = PageReply::new(&view).with_status(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply = reply.with_retry_after(1);
    }
    visitor.answer(reply)
}

fn invalid(visitor: Visitor) -> Response {
    let view = SetupInvalidView { t: visitor.language, brand: visitor.brand(), sign_in: "/login".to_owned() };
    let reply = PageReply::new(&view).with_status(StatusCode::NOT_FOUND);
    visitor.answer(reply)
}
