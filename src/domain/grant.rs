//! Grants: one authorization, until it is ended.

use super::claims::ClaimsRequest;
use super::client::Delivery;
use super::id::{ClientId, GrantId, SessionId, Sid, UserId};
use super::scope::ScopeSet;
use super::status::StatusIndex;
use super::time::Timestamp;

/// One authorization of one person for one client.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The row; access tokens carry it as `gid`.
    pub id: GrantId,
    /// The person.
    pub user_id: UserId,
    /// The client.
    pub client_id: ClientId,
    /// The session it was given in.
    pub session_id: SessionId,
    /// The name of that session for this client.
    pub sid: Sid,
    /// Whether it ends with the session. Only `offline_access`, consented to, outlives it.
    pub session_linked: bool,
    /// What was granted.
    pub scope: ScopeSet,
    /// The resources named in the request (RFC 8707); empty if none was.
    pub resources: Vec<String>,
    /// Claims asked for by name (OIDC Core §5.5) and allowed.
    pub claims: ClaimsRequest,
    /// When the person proved who they are.
    pub auth_time: Timestamp,
    /// How strongly.
    pub acr: String,
    /// By which means, apart by spaces.
    pub amr: String,
    /// How its refresh token travels.
    pub delivery: Delivery,
    /// Where its bit stands.
    pub status: StatusIndex,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

impl Grant {
    /// The columns that never change, for the MAC that keeps someone who can write the database from turning his own grant
    /// into another person's.
    #[must_use]
    pub fn immutable_fields(&self) -> Vec<String> {
        vec![
            self.id.as_str().to_owned(),
            self.user_id.as_str().to_owned(),
            self.client_id.as_str().to_owned(),
            self.session_id.as_str().to_owned(),
            self.sid.as_str().to_owned(),
            self.session_linked.to_string(),
            self.scope.to_string(),
            self.resources.join(" "),
            self.claims.to_text(),
            self.auth_time.as_seconds().to_string(),
            self.acr.clone(),
            self.amr.clone(),
            self.delivery.as_str().to_owned(),
            self.expires_at.as_seconds().to_string(),
        ]
    }
}

/// Why something was ended. Stands in rows and in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The person signed out.
    SignedOut,
    /// Another person signed in at the same browser.
    OtherPerson,
    /// The password was changed.
    PasswordChanged,
    /// The person was disabled or removed.
    UserDisabled,
    /// The client was disabled or removed.
    ClientDisabled,
    /// The person withdrew the consent.
    ConsentWithdrawn,
    /// A newer sign-in of the same browser app took its place.
    Replaced,
    /// The client gave it back (RFC 7009).
    Revoked,
    /// Its code was used twice.
    CodeReuse,
    /// An old generation of its refresh token came back.
    RefreshReuse,
    /// An answer was lost and could not be repeated.
    LostAnswer,
    /// Too many retries from more than one place.
    Retries,
    /// The person or the consent is no longer fit for it.
    Subject,
    /// An administrator ended it.
    Admin,
    /// It was about when a machine of ours was lost.
    HostLost,
    /// What it hung on had ended, and it was left over.
    Orphaned,
}

impl EndReason {
    /// The text for a row.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::OtherPerson => "other_person",
            Self::PasswordChanged => "password_changed",
            Self::UserDisabled => "user_disabled",
            Self::ClientDisabled => "client_disabled",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
            Self::CodeReuse => "code_reuse",
            Self::RefreshReuse => "refresh_reuse",
            Self::LostAnswer => "lost_answer",
            Self::Retries => "retries",
            Self::Subject => "subject",
            Self::Admin => "admin",
            Self::HostLost => "host_lost",
            Self::Orphaned => "orphaned",
        }
    }

    /// Whether it tells of a copy in foreign hands, so that someone should know.
    #[must_use]
    pub const fn is_alarm(self) -> bool {
        matches!(self, Self::CodeReuse | Self::RefreshReuse | Self::Retries)
    }
}
