//! Identities. Each kind is a type of its own, so that one cannot be taken for another.

use std::fmt;

/// Declares identities: text that is parsed, printed and compared, nothing more.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text of an identity as it stands in the database or a request.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

id! {
    /// A relying app: the `client_id` of RFC 6749 §2.2.
    ClientId,
    /// A person's row. Never leaves the house; outside stands [`Subject`].
    UserId,
    /// The `sub` of a person: random, not ordered by time.
    Subject,
    /// A session's row.
    SessionId,
    /// A browser's row.
    BrowserId,
    /// A grant's row; access tokens carry it as `gid`.
    GrantId,
    /// A code's row.
    CodeId,
    /// A parked authorization request's row.
    RequestId,
    /// A refresh family's row: the base64url form of its 16 bytes.
    FamilyId,
    /// A signing key: its RFC 7638 thumbprint.
    KeyId,
    /// The `sid` claim: one per session and client (OIDC Back-Channel Logout §2.1).
    Sid,
    /// The row of somebody signed in at an app behind a proxy.
    AppSessionId,
    /// The row of a sign-in at such an app that is on its way.
    AppFlowId,
}

/// Declares how identities of rows are made: time-ordered, so that new rows stand at the right edge of the index.
macro_rules! time_ordered {
    ($($name:ident),*) => {$(
        impl $name {
            /// A fresh identity (UUID version 7, 32 hexadecimal digits).
            #[must_use]
            pub fn fresh() -> Self {
                Self(uuid::Uuid::now_v7().simple().to_string())
            }
        }
    )*};
}

time_ordered!(UserId, GrantId);

impl Subject {
    /// A fresh random subject: 128 bits.
    #[must_use]
    pub fn fresh() -> Self {
        Self(crate::crypto::encoding::b64u(crate::crypto::random::bytes::<16>()))
    }
}
