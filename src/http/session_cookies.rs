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
    let known = session_state::browser_state(&session.id, doors.provider());
    let known = known.map(|known| state(doors, &known, session, now));
    [Some(cookie), known].into_iter().flatten().collect()
}

/// Hands out what scripts may know of a session.
pub fn state(doors: &Doors, known: &str, session: &Session, now: Timestamp) -> HeaderValue {
    doors.cookies().session_state(known, left(session, now))
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
