//! The cookies of a session: the one that opens it and, with session management, the one that scripts may read.

use std::time::Duration;

use axum::http::HeaderValue;

use super::doors::Doors;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::token::OpaqueToken;
use crate::oauth::session_state;

/// Hands a session to a browser; with an end of its own only if the person asked to stay signed in.
pub fn given(doors: &Doors, session: &Session, secret: &OpaqueToken, now: Timestamp) -> Vec<HeaderValue> {
    let cookie = doors.cookies().session(secret.expose(), left(session, now));
    [Some(cookie), state(doors, session, now)].into_iter().flatten().collect()
}

/// What scripts may know of a session, with session management.
pub fn state(doors: &Doors, session: &Session, now: Timestamp) -> Option<HeaderValue> {
    let state = session_state::browser_state(&session.id, doors.provider())?;
    Some(doors.cookies().session_state(&state, left(session, now)))
}

/// Takes them away.
pub fn taken(doors: &Doors) -> Vec<HeaderValue> {
    let state = doors.provider().config.features.session_management;
    let state = state.then(|| doors.cookies().session_state("", Some(Duration::ZERO)));
    [Some(doors.cookies().clear_session()), state].into_iter().flatten().collect()
}

fn left(session: &Session, now: Timestamp) -> Option<Duration> {
    session.persistent.then(|| Duration::from_secs(session.expires_at.seconds_since(now)))
}
