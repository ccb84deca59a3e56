//! What can be wrong with a form, in words that say what to do next.

use std::borrow::Cow;

use crate::http::language::Language;

/// One thing that is wrong with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No such person, or another password: one text for both.
    WrongCredentials,
    /// Too many tries; seconds until the next one.
    Throttled(u64),
    /// The server has no room for another password check now.
    Busy,
    /// The form was too old or came from elsewhere; nothing was done.
    FormExpired,
    /// The field `username` is empty.
    UsernameMissing,
    /// The field for a new username is empty.
    NewUsernameMissing,
    /// The username has more than 128 characters, or invisible ones.
    UsernameInvalid,
    /// Somebody else has this username.
    UsernameTaken,
    /// The field `name` is empty.
    NameMissing,
    /// The name holds invisible characters, or is too long.
    NameInvalid,
    /// The field `email` is empty or no address.
    EmailInvalid,
    /// Somebody else has this address.
    EmailTaken,
    /// The field `password` is empty.
    PasswordMissing,
    /// The field `current_password` is empty.
    CurrentPasswordMissing,
    /// The field `current_password` is not the password.
    CurrentPasswordWrong,
    /// The field `new_password` is empty.
    NewPasswordMissing,
    /// The new password has fewer characters than this.
    NewPasswordTooShort(u64),
    /// The new password has more characters than this.
    NewPasswordTooLong(u64),
    /// The new password is one that everybody tries first, or the username.
    NewPasswordTooEasy,
    /// The new password is the old one.
    NewPasswordUnchanged,
    /// The field `repeat_password` is not the same as the new password.
    RepeatDiffers,
}

/// Everything that is wrong with a form; empty when it is shown for the first time.
#[derive(Debug, Clone, Default)]
pub struct Problems(Vec<Problem>);

impl Problem {
    /// The field it is about; none when it is about the whole form.
    pub fn field(self) -> Option<&'static str> {
        match self {
            Self::Throttled(_) | Self::Busy | Self::FormExpired => None,
            Self::UsernameMissing | Self::NewUsernameMissing | Self::UsernameInvalid | Self::UsernameTaken => {
                Some("username")
            }
            Self::NameMissing | Self::NameInvalid => Some("name"),
            Self::EmailInvalid | Self::EmailTaken => Some("email"),
            Self::WrongCredentials | Self::PasswordMissing => Some("password"),
            Self::CurrentPasswordMissing | Self::CurrentPasswordWrong => Some("current_password"),
            Self::NewPasswordMissing
            | Self::NewPasswordTooShort(_)
            | Self::NewPasswordTooLong(_)
            | Self::NewPasswordTooEasy
            | Self::NewPasswordUnchanged => Some("new_password"),
            Self::RepeatDiffers => Some("repeat_password"),
        }
    }

    /// What stands next to the field: the same, save where the field is not to blame alone.
    pub fn note(self, t: &Language) -> Cow<'static, str> {
        match self {
            Self::WrongCredentials => t.get("problem-password-again"),
            _ => self.text(t),
        }
    }

    /// What to do about it.
    pub fn text(self, t: &Language) -> Cow<'static, str> {
        match self {
            Self::WrongCredentials => t.get("problem-wrong-credentials"),
            Self::Throttled(seconds) => t.count("problem-throttled", seconds.div_ceil(60).max(1)),
            Self::Busy => t.get("problem-busy"),
            Self::FormExpired => t.get("problem-form-expired"),
            Self::UsernameMissing => t.get("problem-username-missing"),
            Self::NewUsernameMissing => t.get("problem-new-username-missing"),
            Self::UsernameInvalid => t.get("problem-username-invalid"),
            Self::UsernameTaken => t.get("problem-username-taken"),
            Self::NameMissing => t.get("problem-name-missing"),
            Self::NameInvalid => t.get("problem-name-invalid"),
            Self::EmailInvalid => t.get("problem-email-invalid"),
            Self::EmailTaken => t.get("problem-email-taken"),
            Self::PasswordMissing => t.get("problem-password-missing"),
            Self::CurrentPasswordMissing => t.get("problem-current-password-missing"),
            Self::CurrentPasswordWrong => t.get("problem-current-password-wrong"),
            Self::NewPasswordMissing => t.get("problem-new-password-missing"),
            Self::NewPasswordTooShort(least) => t.count("problem-new-password-too-short", least),
            Self::NewPasswordTooLong(most) => t.count("problem-new-password-too-long", most),
            Self::NewPasswordTooEasy => t.get("problem-new-password-too-easy"),
            Self::NewPasswordUnchanged => t.get("problem-new-password-unchanged"),
            Self::RepeatDiffers => t.get("problem-repeat-differs"),
        }
    }
}

impl Problems {
    /// Nothing is wrong.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// In the order of the form.
    pub fn all(&self) -> &[Problem] {
        &self.0
    }

    /// The first one about this field.
    pub fn at(&self, field: &str) -> Option<Problem> {
        self.0.iter().copied().find(|problem| problem.field() == Some(field))
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}
