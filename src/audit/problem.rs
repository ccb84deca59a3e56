//! What can be wrong with a chain, said so that a person knows what happened.

use std::fmt;

use serde::Serialize;

/// What is wrong. In JSON each has its name under `problem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Rows are gone from the middle, or from the beginning.
    RowsMissing {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// A number stands in two rows.
    NumberTwice {
        /// The number.
        number: i64,
        /// The second of the rows.
        id: String,
    },
    /// A row is not what was sealed.
    RowChanged {
        /// Its number.
        number: i64,
        /// The row.
        id: String,
    },
    /// A row is what was sealed, apart from actor, subject and data.
    PersonalPartChanged {
        /// Its number.
        number: i64,
        /// The row.
        id: String,
    },
    /// A row was given another place.
    OrderChanged {
        /// Where it stands.
        number: i64,
        /// Where it was sealed.
        belongs: i64,
        /// The row.
        id: String,
    },
    /// Two sound rows, of which the later was sealed after another one.
    HistoriesMixed {
        /// The number of the later one.
        number: i64,
    },
    /// A key was replaced, and what says where the chain stood by then is gone or forged.
    TurnMissing {
        /// The id of the former key.
        key_id: String,
    },
    /// The chain up to where a key was replaced is not the one that stood there.
    TurnDiffers {
        /// The number of the newest row by then.
        number: i64,
    },
    /// A row sealed by a former key after it was replaced.
    FormerKey {
        /// Its number.
        number: i64,
        /// The row.
        id: String,
    },
    /// Rows that another key sealed.
    AnotherKey {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
        /// The id of that key.
        key_id: String,
    },
    /// The newest rows are gone.
    EndMissing {
        /// What the chain ends with.
        last: i64,
        /// What it ended with when it was last sealed.
        head: i64,
    },
    /// What tells how far the chain goes is not as the last sealing left it.
    HeadChanged,
    /// A checkpoint names a row that is not there.
    CheckpointMissing {
        /// The row.
        number: i64,
        /// What the chain ends with.
        last: i64,
        /// Whether the signature is ours.
        signed: bool,
    },
    /// A checkpoint names another row than the one that is there.
    CheckpointDiffers {
        /// The row.
        number: i64,
        /// Whether the signature is ours.
        signed: bool,
    },
    /// The signature under a checkpoint is wrong.
    CheckpointForged {
        /// The row it names.
        number: i64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unproven = |signed: bool| {
            if signed {
                ""
            } else {
                "; who signed the checkpoint cannot be told any more, so it may be the checkpoint that is wrong"
            }
        };
        match self {
            Self::RowsMissing { from, to } if from == to => write!(f, "row {from} is missing"),
            Self::RowsMissing { from, to } => write!(f, "rows {from} to {to} are missing"),
            Self::NumberTwice { number, id } => write!(f, "row {number} is there twice, the second time as {id}"),
            Self::RowChanged { number, id } => {
                write!(f, "row {number} ({id}) was changed: its MAC fits neither what stands in it nor another place")
            }
            Self::PersonalPartChanged { number, id } => {
                write!(f, "row {number} ({id}) was changed: actor, subject, data or salt are not those that were sealed")
            }
            Self::OrderChanged { number, belongs, id } => {
                write!(f, "the order was changed: row {number} ({id}) was sealed as row {belongs}")
            }
            Self::HistoriesMixed { number } => write!(
                f,
                "row {number} was not sealed after the row before it: two histories were mixed, as when a part of a back-up is put back"
            ),
            Self::TurnMissing { key_id } => write!(
                f,
                "key {key_id:?} was replaced, and what says how far the chain went by then is gone or forged: whoever has that key may \
                 have written its rows anew"
            ),
            Self::TurnDiffers { number } => write!(
                f,
                "row {number} is not the one that was there when the key was replaced: the chain up to there was written anew with the \
                 former key"
            ),
            Self::FormerKey { number, id } => write!(
                f,
                "row {number} ({id}) was sealed with a key that had been replaced by then: whoever has that key wrote it"
            ),
            Self::AnotherKey { from, to, key_id } => write!(
                f,
                "rows {from} to {to} were sealed with another key ({key_id:?}): what they tell cannot be checked with this one"
            ),
            Self::EndMissing { last, head } => {
                write!(f, "the newest rows are missing: the chain ends with row {last} and went to row {head}")
            }
            Self::HeadChanged => {
                f.write_str("what tells how far the chain goes (audit_head) was changed; nothing is sealed as long as it does not fit")
            }
            Self::CheckpointMissing { number, last, signed } => write!(
                f,
                "a checkpoint names row {number}, which is not there; the chain ends with row {last}{}",
                unproven(*signed)
            ),
            Self::CheckpointDiffers { number, signed } => write!(
                f,
                "row {number} is not the one that a checkpoint names: the chain up to there was written anew, or is that of another database{}",
                unproven(*signed)
            ),
            Self::CheckpointForged { number } => {
                write!(f, "the checkpoint for row {number} does not bear the signature of the key it names: somebody has changed it")
            }
        }
    }
}
