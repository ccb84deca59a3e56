//! What happens next: sign in, choose, ask consent, answer, or refuse. Pure, so that every case is a line of a test.

use super::Checked;
use super::request::Prompt;
use crate::domain::client::is_assured;
use crate::domain::consent::Consent;
use crate::domain::id::UserId;
use crate::domain::session::{ACR_VALUES, Session};
use crate::domain::time::Timestamp;
use crate::domain::user::User;
use crate::oauth::error::{ErrorCode, OAuthError};

/// Who is signed in at the browser that asks.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session, live.
    pub session: Session,
    /// The person, active.
    pub user: User,
    /// What this person lets this client have so far.
    pub consent: Option<Consent>,
}

/// What happened in this transaction so far.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Who proved who they are.
    pub authenticated: Option<UserId>,
    /// Who was chosen.
    pub chosen: Option<UserId>,
}

/// Why the sign-in page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInReason {
    /// Nobody is signed in.
    NotSignedIn,
    /// The person must prove again who they are.
    Again,
    /// Another person is meant than the one who is signed in.
    OtherPerson,
}

/// What happens next.
#[derive(Debug)]
pub enum Decision {
    /// Show the sign-in page.
    SignIn(SignInReason),
    /// Let the person choose an account.
    ChooseAccount,
    /// Ask for consent.
    AskConsent,
    /// Record the grant and answer.
    Answer,
    /// Refuse, by redirect.
    Refuse(OAuthError),
}

/// Decides.
#[must_use]
pub fn decide(checked: &Checked, signed_in: Option<&SignedIn>, progress: &Progress, now: Timestamp) -> Decision {
    let request = &checked.request;
    let silent = |code, hint, shown| {
        if request.is_silent() { Decision::Refuse(OAuthError::new(code, hint)) } else { shown }
    };
    let login_required =
        |reason| silent(ErrorCode::LoginRequired, "the person has to sign in", Decision::SignIn(reason));

    let wanted = request.claims.essential_acr();
    if !wanted.is_empty() && !wanted.iter().any(|acr| ACR_VALUES.contains(acr)) {
        return Decision::Refuse(OAuthError::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "none of the essential acr values can be met",
        ));
    }
    // A session of the JSON flow opens no other client without the real page.
    let Some(at) = signed_in.filter(|at| !at.session.direct) else {
        return login_required(SignInReason::NotSignedIn);
    };
    if !request.subjects.is_empty() && !request.subjects.contains(&at.user.sub) {
        return login_required(SignInReason::OtherPerson);
    }
    let proved_here = progress.authenticated.as_ref() == Some(&at.user.id);
    let too_old = request.max_age.is_some_and(|most| at.session.age(now) > most || most == 0);
    let again = request.prompt.contains(&Prompt::Login) || request.prompt.contains(&Prompt::Create) || too_old;
    if again && !proved_here {
        return login_required(SignInReason::Again);
    }
    let chosen_here = proved_here || progress.chosen.as_ref() == Some(&at.user.id);
    if request.prompt.contains(&Prompt::SelectAccount) && !chosen_here {
        return Decision::ChooseAccount;
    }
    if needs_consent(checked, at.consent.as_ref(), now) {
        return silent(ErrorCode::ConsentRequired, "the person has to give consent", Decision::AskConsent);
    }
    Decision::Answer
}

/// Whether the person has to be asked: not for the operator's own apps; always where it is not sure who gets the answer; else
/// for what was not allowed yet.
fn needs_consent(checked: &Checked, consent: Option<&Consent>, now: Timestamp) -> bool {
    let request = &checked.request;
    if request.prompt.contains(&Prompt::Consent) {
        return true;
    }
    if checked.client.settings.first_party {
        return false;
    }
    if !is_assured(checked.to.uri()) {
        return true;
    }
    !consent.is_some_and(|given| given.covers(&request.as_consent(now)))
}
