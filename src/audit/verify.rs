//! The walk through the chain that finds what is wrong with it.
//!
//! It goes in pages and beside a server that seals: what was sealed before it began must be there to the end.

use super::chain::{ChainKey, Flaw};
use super::checkpoint::{Kept, Vouched};
use super::problem::Problem;
use crate::domain::time::Timestamp;
use crate::store::audit_chain::{self, Head, SealedRow, Waiting};
use crate::store::audit_turns::{self, Turn};
use crate::store::{Store, StoreError};

const PAGE: u32 = 1_000;
/// Problems that are told. A chain in which more is wrong is not better understood by more of them.
const MOST: usize = 100;
/// Numbers of missing rows that are tried for rows that stand elsewhere.
const TRIED: i64 = 1_000;

/// What the walk has found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rows with a number.
    pub sealed: u64,
    /// Of these, rows of which parts were erased.
    pub erased: u64,
    /// Rows without a number.
    pub unsealed: i64,
    /// When the oldest of them happened.
    pub oldest_unsealed: Option<Timestamp>,
    /// Number and MAC of the newest row; `None` in an empty chain.
    pub head: Option<(i64, String)>,
    /// Checkpoints that the chain still holds.
    pub checkpoints: u64,
    /// Of these, those of which nobody can tell any more who signed them.
    pub unproven_checkpoints: u64,
    /// What is wrong, the first of it.
    pub problems: Vec<Problem>,
    /// How much more is wrong.
    pub more_problems: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, problem: Problem) {
        if self.problems.len() < MOST { self.problems.push(problem) } else { self.more_problems += 1 }
    }
}

/// Walks through the whole chain and compares it with the checkpoints.
///
/// # Errors
/// If the database refuses.
pub async fn verify(store: &Store, key: &ChainKey, kept: &[Kept]) -> Result<Report, StoreError> {
    // Read first: what is sealed from here on may be there or not.
    let head = audit_chain::head(&mut store.read().await?).await?;
    let turns = audit_turns::list(&mut store.read().await?).await?;
    let mut walk = Walk {
        key,
        kept,
        head: head.as_ref(),
        report: Report::default(),
        last: None,
        held: vec![false; kept.len()],
        head_fits: false,
        changed: Vec::new(),
        turns: turns.into_iter().map(|turn| (turn, false)).collect(),
    };
    walk.look_at_turns();
    let (mut number, mut id) = (i64::MIN, String::new());
    loop {
        // A connection for each page: nobody waits for the end of a long walk.
        let page = audit_chain::following(&mut store.read().await?, (number, &id), PAGE).await?;
        let Some(last) = page.last() else { break };
        (number, id) = (last.seal.number, last.event.id.clone());
        for row in page {
            walk.step(row);
        }
    }
    let head_at_end = audit_chain::head(&mut store.read().await?).await?;
    let waiting = audit_chain::waiting(&mut store.read().await?).await?;
    Ok(walk.end(head_at_end.as_ref(), waiting))
}

struct Walk<'w> {
    key: &'w ChainKey,
    kept: &'w [Kept],
    /// Where the chain ended before the walk began.
    head: Option<&'w Head>,
    report: Report,
    last: Option<Last>,
    /// Which of the checkpoints were met.
    held: Vec<bool>,
    head_fits: bool,
    /// Rows whose MAC does not fit, for a second look when all are known.
    changed: Vec<SealedRow>,
    /// Where the chain stood when a key was replaced, and whether that row was met.
    turns: Vec<(Turn, bool)>,
}

/// The row before.
struct Last {
    number: i64,
    mac: String,
    /// Whether the MAC is its own, so that the next row must name it.
    sound: bool,
}

impl Walk<'_> {
    fn step(&mut self, row: SealedRow) {
        let number = row.seal.number;
        self.report.sealed += 1;
        self.report.erased += u64::from(!row.seal.erased.is_empty());
        let before = self.last.as_ref().map_or(0, |last| last.number);
        let twice = self.last.is_some() && before == number;
        let expected = before.saturating_add(1);
        if twice {
            self.report.add(Problem::NumberTwice { number, id: row.event.id.clone() });
        } else if number > expected {
            self.report.add(Problem::RowsMissing { from: expected, to: number.saturating_sub(1) });
        }
        let flaw = self.key.check(&row).err();
        let sound = matches!(flaw, None | Some(Flaw::PersonalPart));
        if sound && !twice && number == expected && !self.follows(&row) {
            self.report.add(Problem::HistoriesMixed { number });
        }
        if self.turns.iter().any(|(turn, _)| sound && turn.key_id == row.seal.key_id && number > turn.number) {
            self.report.add(Problem::FormerKey { number, id: row.event.id.clone() });
        }
        for (turn, met) in &mut self.turns {
            *met |= turn.number == number && turn.mac == row.seal.mac;
        }
        // A changed row is told of already; that the head does not know it says nothing more.
        self.head_fits |= self.head.is_some_and(|head| head.number == number && (!sound || head.mac == row.seal.mac));
        for (turn, met) in std::mem::take(&mut self.turns) {
            if !met && turn.number > 0 {
                self.report.add(Problem::TurnDiffers { number: turn.number });
            }
        }
        for (kept, held) in self.kept.iter().zip(&mut self.held) {
            *held |= kept.number == number && kept.mac == row.seal.mac;
        }
        // Of two rows with one number the sound one counts.
        if !twice || sound {
            self.last = Some(Last { number, mac: row.seal.mac.clone(), sound });
        }
        if let Some(flaw) = flaw {
            self.tell(flaw, row);
        }
    }

    /// Each key that was replaced must have a row that says where, vouched for by a key that came after.
    fn look_at_turns(&mut self) {
        let key = self.key;
        self.turns.retain(|(turn, _)| key.vouches(turn));
        for key_id in key.ended() {
            if !self.turns.iter().any(|(turn, _)| turn.key_id == key_id) {
                self.report.add(Problem::TurnMissing { key_id: key_id.to_owned() });
            }
        }
    }

    /// Whether a row names the one before it, as far as that one can be told.
    fn follows(&self, row: &SealedRow) -> bool {
        match &self.last {
            None => row.seal.previous.is_empty(),
            Some(last) => !last.sound || last.mac == row.seal.previous,
        }
    }

    fn tell(&mut self, flaw: Flaw, row: SealedRow) {
        let (number, id) = (row.seal.number, row.event.id.clone());
        match flaw {
            Flaw::OtherKey => {
                // Thousands in a row are one problem.
                if let Some(Problem::AnotherKey { to, key_id, .. }) = self.report.problems.last_mut()
                    && *to == number.saturating_sub(1)
                    && *key_id == row.seal.key_id
                {
                    *to = number;
                } else {
                    self.report.add(Problem::AnotherKey { from: number, to: number, key_id: row.seal.key_id });
                }
            }
            Flaw::PersonalPart => self.report.add(Problem::PersonalPartChanged { number, id }),
            Flaw::Changed => {
                self.report.add(Problem::RowChanged { number, id });
                if self.changed.len() < MOST {
                    self.changed.push(row);
                }
            }
        }
    }

    /// Whether rows that do not fit where they stand fit elsewhere: where another such row stands, or where one is missing.
    fn look_again(&mut self) {
        let mut places: Vec<i64> = self.changed.iter().map(|row| row.seal.number).collect();
        for problem in &self.report.problems {
            if let Problem::RowsMissing { from, to } = problem {
                places.extend(*from..=(*to).min(from.saturating_add(TRIED)));
            }
        }
        for row in &self.changed {
            let mut moved = row.clone();
            let belongs = places.iter().find(|place| {
                moved.seal.number = **place;
                self.key.check(&moved) != Err(Flaw::Changed)
            });
            let was = Problem::RowChanged { number: row.seal.number, id: row.event.id.clone() };
            if let (Some(belongs), Some(told)) = (belongs, self.report.problems.iter_mut().find(|told| **told == was)) {
                *told = Problem::OrderChanged { number: row.seal.number, belongs: *belongs, id: row.event.id.clone() };
            }
        }
    }

    fn end(mut self, head_at_end: Option<&Head>, waiting: Waiting) -> Report {
        self.look_again();
        let last = self.last.as_ref().map_or(0, |last| last.number);
        // The head moves with every sealing, so it is never behind a row that was seen.
        let is_behind = head_at_end.is_none_or(|head| head.number < last);
        let key_of_head_counts =
            self.head.is_some_and(|head| self.key.ended().next().is_none() || head.key_id == self.key.id());
        match self.head {
            Some(head) if head.number > last => self.report.add(Problem::EndMissing { last, head: head.number }),
            Some(head)
                if key_of_head_counts
                    && !is_behind
                    && (self.head_fits || (head.number == 0 && head.mac.is_empty())) => {}
            _ => self.report.add(Problem::HeadChanged),
        }
        for (kept, held) in self.kept.iter().zip(self.held) {
            let (number, signed) = (kept.number, kept.vouched == Vouched::Signed);
            if kept.vouched == Vouched::Forged {
                self.report.add(Problem::CheckpointForged { number });
            } else if held {
                self.report.checkpoints += 1;
                self.report.unproven_checkpoints += u64::from(!signed);
            } else if number > last {
                self.report.add(Problem::CheckpointMissing { number, last, signed });
            } else {
                self.report.add(Problem::CheckpointDiffers { number, signed });
            }
        }
        self.report.head = self.last.map(|last| (last.number, last.mac));
        self.report.unsealed = waiting.count;
        self.report.oldest_unsealed = waiting.oldest;
        self.report
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
