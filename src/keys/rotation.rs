//! How the ring turns: a pure function of what is, so that years of it are one fast test. Nothing here looks at a clock, a
//! database or a key.
//!
//! The planner and the acts of admins speak the same [`Move`]s. `turning.rs` carries them out.

use std::collections::BTreeSet;
use std::fmt;

use super::policy::KeyPolicy;
use super::record::KeyRecord;
use super::state::KeyState;
use crate::domain::alg::Alg;
use crate::domain::id::{ClientId, KeyId};
use crate::domain::time::Timestamp;

/// What the planner knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The name.
    pub kid: KeyId,
    /// The algorithm.
    pub alg: Alg,
    /// The state.
    pub state: KeyState,
    /// Since when it stands in the key set.
    pub published_at: Timestamp,
    /// When it shall sign, or began to.
    pub activate_at: Timestamp,
    /// When it leaves the key set.
    pub retire_at: Option<Timestamp>,
}

impl From<&KeyRecord> for Standing {
    fn from(record: &KeyRecord) -> Self {
        Self {
            kid: record.kid().clone(),
            alg: record.alg(),
            state: record.state,
            published_at: record.published_at,
            activate_at: record.activate_at,
            retire_at: record.retire_at,
        }
    }
}

/// One step of the ring. Steps are carried out in their order, all in one unit of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// A new key is published; `active`: it signs at once, since there is nothing else that could.
    Create {
        /// Its algorithm.
        alg: Alg,
        /// Whether it signs at once.
        active: bool,
        /// When it shall sign.
        activate_at: Timestamp,
    },
    /// A pending key gets another moment to sign from.
    Schedule {
        /// The key.
        kid: KeyId,
        /// The moment.
        activate_at: Timestamp,
    },
    /// A pending key signs from now on.
    Activate {
        /// The key.
        kid: KeyId,
    },
    /// An active key signs no more; its private half is erased.
    Retire {
        /// The key.
        kid: KeyId,
        /// When it leaves the key set.
        retire_at: Timestamp,
    },
    /// A retiring key leaves the key set.
    Remove {
        /// The key.
        kid: KeyId,
    },
    /// A key is not trusted any more, whatever it was.
    Revoke {
        /// The key.
        kid: KeyId,
    },
}

/// Why an admin's act is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no key of this name.
    UnknownKey(String),
    /// The algorithm is not among `keys.algorithms`.
    UnknownAlg(Alg),
    /// No key signs with the algorithm.
    NoActive(Alg),
    /// It was revoked before.
    AlreadyRevoked(KeyId),
    /// No key waits to take over; the next run of the job makes one.
    NoSpare(Alg),
    /// The key that waits has not been published for long enough to sign for anyone.
    TooYoung {
        /// The key.
        kid: KeyId,
        /// From when on it may.
        from: Timestamp,
    },
    /// No waiting key signs for this app.
    NoCanary(ClientId),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(kid) => write!(f, "there is no key {kid:?}; `frontdesk keys list` shows all"),
            Self::UnknownAlg(alg) => write!(f, "{alg} is not among keys.algorithms"),
            Self::NoActive(alg) => write!(f, "no {alg} key signs"),
            Self::AlreadyRevoked(kid) => write!(f, "key {kid} was revoked before"),
            Self::NoSpare(alg) => {
                write!(f, "no {alg} key waits to take over; a running server makes one within seconds")
            }
            Self::TooYoung { kid, from } => write!(
                f,
                "key {kid} has not been published for long enough: apps that keep the key set do not know it before {from}"
            ),
            Self::NoCanary(client) => write!(f, "no waiting key signs for {client} now"),
        }
    }
}

impl std::error::Error for Refused {}

/// What is to be done now. `lagging` are pending keys that some app which needs them was not yet seen to have. Doing it twice
/// does nothing the second time.
///
/// A key whose algorithm is no longer among the settings is left alone but for its removal: another process may still have the
/// old settings.
#[must_use]
pub fn plan(keys: &[Standing], policy: &KeyPolicy, lagging: &BTreeSet<KeyId>, now: Timestamp) -> Vec<Move> {
    let mut moves = Vec::new();
    for key in keys.iter().filter(|key| key.state == KeyState::Retiring) {
        // A retiring key always knows when it goes. One that does not stays, which breaks nobody.
        if key.retire_at.is_some_and(|at| at.has_passed(now)) {
            moves.push(Move::Remove { kid: key.kid.clone() });
        }
    }
    // Each algorithm sees what was decided for those before it: their turns shall lie apart.
    let mut keys = keys.to_vec();
    for alg in &policy.algorithms {
        let decided = plan_for(*alg, &keys, policy, lagging, now);
        decided.iter().for_each(|step| carry_out(&mut keys, step, KeyId::new(format!("next {alg}")), now));
        moves.extend(decided);
    }
    moves
}

/// What is to be done now for one algorithm, apart from removals.
pub(super) fn plan_for(
    alg: Alg,
    keys: &[Standing],
    policy: &KeyPolicy,
    lagging: &BTreeSet<KeyId>,
    now: Timestamp,
) -> Vec<Move> {
    let active = active(keys, alg);
    let Some(spare) = spare(keys, alg) else {
        let since = active.map_or(now, |key| key.activate_at);
        let first = active.is_none().then_some(Move::Create { alg, active: true, activate_at: now });
        return first.into_iter().chain([new_spare(keys, policy, alg, since, now)]).collect();
    };
    let due = spare.activate_at.has_passed(now) && policy.safe_from(spare.published_at).has_passed(now);
    let awaited = lagging.contains(&spare.kid) && !policy.patient_until(spare.activate_at).has_passed(now);
    if active.is_none() || (due && !awaited) { hand_over(keys, policy, spare, active, now) } else { Vec::new() }
}

/// What a step makes of the ring. A key that is created gets the name `new`.
pub(super) fn carry_out(keys: &mut Vec<Standing>, step: &Move, new: KeyId, now: Timestamp) {
    let change = |keys: &mut Vec<Standing>, kid: &KeyId, change: &dyn Fn(&mut Standing)| {
        keys.iter_mut().filter(|key| key.kid == *kid).for_each(change);
    };
    match step {
        Move::Create { alg, active, activate_at } => keys.push(Standing {
            kid: new,
            alg: *alg,
            state: if *active { KeyState::Active } else { KeyState::Pending },
            published_at: now,
            activate_at: *activate_at,
            retire_at: None,
        }),
        Move::Schedule { kid, activate_at } => change(keys, kid, &|key| key.activate_at = *activate_at),
        Move::Activate { kid } => change(keys, kid, &|key| {
            key.state = KeyState::Active;
            key.activate_at = now;
        }),
        Move::Retire { kid, retire_at } => change(keys, kid, &|key| {
            key.state = KeyState::Retiring;
            key.retire_at = Some(*retire_at);
        }),
        Move::Remove { kid } => change(keys, kid, &|key| key.state = KeyState::Retired),
        Move::Revoke { kid } => change(keys, kid, &|key| key.state = KeyState::Revoked),
    }
}

/// What an admin's wish to turn an algorithm's key means. Without `at_once` the key that waits takes over as early as is safe,
/// and by the planner, so that apps which lag are waited for; with it, now, whatever that breaks.
///
/// # Errors
/// [`Refused`].
pub fn rotate(
    keys: &[Standing],
    policy: &KeyPolicy,
    alg: Alg,
    at_once: bool,
    now: Timestamp,
) -> Result<Vec<Move>, Refused> {
    if !policy.algorithms.contains(&alg) {
        return Err(Refused::UnknownAlg(alg));
    }
    let spare = spare(keys, alg).ok_or(Refused::NoSpare(alg))?;
    if at_once {
        return Ok(hand_over(keys, policy, spare, active(keys, alg), now));
    }
    let earliest = policy.safe_from(spare.published_at).max(now);
    // Asked twice, the first moment stays: patience counts from there.
    if spare.activate_at <= earliest {
        return Ok(Vec::new());
    }
    Ok(vec![Move::Schedule { kid: spare.kid.clone(), activate_at: earliest }])
}

/// What it means that a key was lost: it is revoked, and what it was is taken over at once.
///
/// # Errors
/// [`Refused`].
pub fn revoke(keys: &[Standing], policy: &KeyPolicy, kid: &str, now: Timestamp) -> Result<Vec<Move>, Refused> {
    let lost = keys.iter().find(|key| key.kid.as_str() == kid).ok_or_else(|| Refused::UnknownKey(kid.to_owned()))?;
    if lost.state == KeyState::Revoked {
        return Err(Refused::AlreadyRevoked(lost.kid.clone()));
    }
    let left: Vec<Standing> = keys.iter().filter(|key| key.kid != lost.kid).cloned().collect();
    let mut moves = vec![Move::Revoke { kid: lost.kid.clone() }];
    match (lost.state, spare(&left, lost.alg)) {
        (KeyState::Active, Some(spare)) => moves.extend(hand_over(&left, policy, spare, None, now)),
        (KeyState::Active, None) => {
            moves.push(Move::Create { alg: lost.alg, active: true, activate_at: now });
            moves.push(new_spare(&left, policy, lost.alg, now, now));
        }
        (KeyState::Pending, None) => {
            let since = active(&left, lost.alg).map_or(now, |key| key.activate_at);
            moves.push(new_spare(&left, policy, lost.alg, since, now));
        }
        (KeyState::Pending | KeyState::Retiring | KeyState::Retired | KeyState::Revoked, _) => {}
    }
    Ok(moves)
}

/// What it means that all keys were lost: every one is revoked, and each algorithm begins anew.
#[must_use]
pub fn revoke_all(keys: &[Standing], policy: &KeyPolicy, now: Timestamp) -> Vec<Move> {
    let mut moves: Vec<Move> = keys
        .iter()
        .filter(|key| key.state != KeyState::Revoked)
        .map(|key| Move::Revoke { kid: key.kid.clone() })
        .collect();
    moves.extend(plan(&[], policy, &BTreeSet::new(), now));
    moves
}

/// Whether the key that waits may sign for one app ahead of its turn.
///
/// # Errors
/// [`Refused`].
pub fn may_try(keys: &[Standing], policy: &KeyPolicy, alg: Alg, now: Timestamp) -> Result<KeyId, Refused> {
    let spare = spare(keys, alg).ok_or(Refused::NoSpare(alg))?;
    let from = policy.safe_from(spare.published_at);
    if from.has_passed(now) { Ok(spare.kid.clone()) } else { Err(Refused::TooYoung { kid: spare.kid.clone(), from }) }
}

/// The key that signs with an algorithm.
#[must_use]
pub fn active(keys: &[Standing], alg: Alg) -> Option<&Standing> {
    keys.iter().find(|key| key.alg == alg && key.state == KeyState::Active)
}

/// The key that takes over next, in a turn or in an emergency: the one that has been published longest.
#[must_use]
pub fn spare(keys: &[Standing], alg: Alg) -> Option<&Standing> {
    keys.iter()
        .filter(|key| key.alg == alg && key.state == KeyState::Pending)
        .min_by(|one, other| (one.published_at, &one.kid).cmp(&(other.published_at, &other.kid)))
}

/// The spare signs, the active key retires, and the next spare is published, so that there always is one.
fn hand_over(
    keys: &[Standing],
    policy: &KeyPolicy,
    spare: &Standing,
    active: Option<&Standing>,
    now: Timestamp,
) -> Vec<Move> {
    let mut moves = Vec::new();
    if let Some(active) = active {
        moves.push(Move::Retire { kid: active.kid.clone(), retire_at: policy.retired_at(now) });
    }
    moves.push(Move::Activate { kid: spare.kid.clone() });
    let others = keys.iter().filter(|key| key.alg == spare.alg && key.state == KeyState::Pending).count();
    if others <= 1 {
        moves.push(new_spare(keys, policy, spare.alg, now, now));
    }
    moves
}

fn new_spare(keys: &[Standing], policy: &KeyPolicy, alg: Alg, since: Timestamp, now: Timestamp) -> Move {
    Move::Create { alg, active: false, activate_at: next_turn(keys, policy, alg, since, now) }
}

/// When an algorithm's key shall turn that began to sign at `since`: after a period, unless another algorithm turns about then;
/// then earlier, so that no two turn on one day. Never before the new key is safe.
fn next_turn(keys: &[Standing], policy: &KeyPolicy, alg: Alg, since: Timestamp, now: Timestamp) -> Timestamp {
    let earliest = policy.safe_from(now);
    let at = since.plus(policy.period);
    let share = policy.share();
    let near = |at: Timestamp| {
        policy.algorithms.iter().filter(|other| **other != alg).filter_map(|other| spare(keys, *other)).find(|other| {
            let apart = at.seconds_since(other.activate_at).max(other.activate_at.seconds_since(at));
            apart < share.as_secs() / 2
        })
    };
    let mut planned = at;
    // Each step goes one share back from a neighbour, and there are fewer neighbours than shares.
    for _ in &policy.algorithms {
        match near(planned) {
            Some(neighbour) => planned = neighbour.activate_at.minus(share),
            None => break,
        }
    }
    planned.max(earliest)
}

#[cfg(test)]
mod tests;
