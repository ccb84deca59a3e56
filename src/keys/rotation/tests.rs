//! Years of turns under clocks that disagree, processes that come and go, and admins who act at any moment.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SKEW: i64 = 60;
const POLL: i64 = 1;
const STALE: i64 = 30;
const MAX_AGE: i64 = 300;
const LONGEST_TOKEN: i64 = 3_600;

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn policy() -> KeyPolicy {
    KeyPolicy {
        algorithms: vec![Alg::ES256, Alg::RS256],
        rsa_bits: 2048,
        period: seconds(30 * 86_400),
        publish_ahead: seconds(MAX_AGE + POLL + SKEW),
        retire_window: seconds(LONGEST_TOKEN + SKEW + MAX_AGE),
        patience: seconds(3 * 86_400),
        skew: seconds(SKEW),
        jwks_max_age: seconds(MAX_AGE),
        longest_token: seconds(LONGEST_TOKEN),
        usual_token: Duration::from_secs(900),
    }
}

/// What may happen, after how many seconds.
#[derive(Debug, Clone)]
enum Event {
    /// A process runs its job.
    Job(usize),
    /// A process reads the ring and signs.
    Sign(usize, Alg),
    /// A process that has not been able to read the ring for a while signs all the same.
    SignStale(usize, Alg),
    /// A process starts anew, with a clock that is off by so much.
    Restart(usize, i64),
    /// The clock of a process jumps.
    Jump(usize, i64),
    /// Apps are seen to have every key, or to lack the pending ones.
    Lag(bool),
    Rotate(Alg, usize),
    RotateNow(Alg, usize),
    /// The key at this place of the ring is lost.
    Revoke(usize, usize),
}

fn event() -> impl Strategy<Value = (i64, Event)> {
    let alg = || prop_oneof![Just(Alg::ES256), Just(Alg::RS256)];
    let process = 0..3_usize;
    let wait = prop_oneof![4 => 0..120_i64, 3 => 0..7_200_i64, 3 => 0..(5 * 86_400_i64), 1 => 0..(60 * 86_400_i64)];
    let what = prop_oneof![
        8 => process.clone().prop_map(Event::Job),
        6 => (process.clone(), alg()).prop_map(|(process, alg)| Event::Sign(process, alg)),
        3 => (process.clone(), alg()).prop_map(|(process, alg)| Event::SignStale(process, alg)),
        1 => (process.clone(), 0..=SKEW).prop_map(|(process, off)| Event::Restart(process, off)),
        2 => (process.clone(), 0..=SKEW).prop_map(|(process, off)| Event::Jump(process, off)),
        1 => any::<bool>().prop_map(Event::Lag),
        1 => (alg(), process.clone()).prop_map(|(alg, process)| Event::Rotate(alg, process)),
        1 => (alg(), process.clone()).prop_map(|(alg, process)| Event::RotateNow(alg, process)),
        1 => (0..12_usize, process).prop_map(|(key, process)| Event::Revoke(key, process)),
    ];
    (wait, what)
}

/// The house and the world around it, in true time.
struct World {
    now: i64,
    policy: KeyPolicy,
    ring: Vec<Standing>,
    made: usize,
    /// By how much each process is ahead of the true time, and the ring it holds.
    processes: [(i64, Vec<Standing>); 3],
    /// The ring as it was at true times, to be read late.
    past: Vec<(i64, Vec<Standing>)>,
    lagging: bool,
    published: HashMap<KeyId, i64>,
    /// Until when in true time a verifier may meet a token of a key.
    alive: HashMap<KeyId, i64>,
    /// Keys that were made to sign before their time: by an admin, or since nothing else was left.
    hurried: BTreeSet<KeyId>,
    left_set: HashMap<KeyId, i64>,
}

impl World {
    fn new(policy: KeyPolicy) -> Self {
        let mut world = Self {
            now: 1_800_000_000,
            policy,
            ring: Vec::new(),
            made: 0,
            processes: [(0, Vec::new()), (SKEW / 2, Vec::new()), (SKEW, Vec::new())],
            past: Vec::new(),
            lagging: false,
            published: HashMap::new(),
            alive: HashMap::new(),
            hurried: BTreeSet::new(),
            left_set: HashMap::new(),
        };
        world.job(0);
        let first = world.ring.iter().map(|key| key.kid.clone()).collect::<Vec<_>>();
        world.hurried.extend(first);
        world
    }

    fn clock(&self, process: usize) -> Timestamp {
        at(self.now + self.processes[process].0)
    }

    fn carry_out(&mut self, moves: &[Move], process: usize) {
        let now = self.clock(process);
        for step in moves {
            self.made += 1;
            let new = KeyId::new(format!("key {}", self.made));
            if let Move::Activate { kid } = step
                && self.ring.iter().all(|key| key.state != KeyState::Active || key.alg != self.alg_of(kid))
                && self.now - self.published[kid] < MAX_AGE + POLL
                && moves.iter().any(|step| matches!(step, Move::Revoke { .. }))
            {
                // The spare of an emergency that follows on an emergency.
                self.hurried.insert(kid.clone());
            }
            if matches!(step, Move::Create { active: true, .. }) {
                self.hurried.insert(new.clone());
            }
            if matches!(step, Move::Create { .. }) {
                self.published.insert(new.clone(), self.now);
            }
            if let Move::Remove { kid } = step {
                self.left_set.insert(kid.clone(), self.now);
            }
            carry_out(&mut self.ring, step, new, now);
        }
        if !moves.is_empty() {
            self.past.push((self.now, self.ring.clone()));
        }
    }

    fn alg_of(&self, kid: &KeyId) -> Alg {
        self.ring.iter().find(|key| key.kid == *kid).unwrap().alg
    }

    fn job(&mut self, process: usize) {
        let lagging = self.ring.iter().filter(|key| self.lagging && key.state == KeyState::Pending);
        let lagging = lagging.map(|key| key.kid.clone()).collect();
        let moves = plan(&self.ring, &self.policy, &lagging, self.clock(process));
        self.carry_out(&moves, process);
        let again = plan(&self.ring, &self.policy, &lagging, self.clock(process));
        assert_eq!(again, [], "doing it again does nothing");
    }

    /// Signs with what the process holds.
    fn sign(&mut self, process: usize, alg: Alg) {
        let clock = self.clock(process).as_seconds();
        let Some(key) = active(&self.processes[process].1, alg) else { return };
        let kid = key.kid.clone();
        let state = self.ring.iter().find(|own| own.kid == kid).unwrap().state;
        if !self.hurried.contains(&kid) {
            let known_for = self.now - self.published[&kid];
            assert!(known_for >= MAX_AGE + POLL, "{kid} signs {known_for} s after it was published");
        }
        if state == KeyState::Revoked {
            return;
        }
        // A verifier's clock may be behind that of the process that signed.
        let ends = (clock + LONGEST_TOKEN).max(self.now + LONGEST_TOKEN);
        let alive = self.alive.entry(kid).or_default();
        *alive = (*alive).max(ends);
    }

    fn read(&mut self, process: usize, at: i64) {
        let ring = self.past.iter().rev().find(|(since, _)| *since <= at).map(|(_, ring)| ring.clone());
        if let Some(ring) = ring {
            self.processes[process].1 = ring;
        }
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Job(process) => self.job(*process),
            Event::Sign(process, alg) => {
                self.read(*process, self.now);
                self.sign(*process, *alg);
            }
            Event::SignStale(process, alg) => {
                self.read(*process, self.now - STALE);
                self.sign(*process, *alg);
            }
            Event::Restart(process, off) => {
                self.processes[*process].0 = *off;
                self.job(*process);
                self.read(*process, self.now);
            }
            Event::Jump(process, off) => self.processes[*process].0 = *off,
            Event::Lag(lagging) => self.lagging = *lagging,
            Event::Rotate(alg, process) => {
                let moves = rotate(&self.ring, &self.policy, *alg, false, self.clock(*process)).unwrap();
                self.carry_out(&moves, *process);
                self.job(*process);
            }
            Event::RotateNow(alg, process) => {
                let spare = spare(&self.ring, *alg).unwrap().kid.clone();
                if self.now - self.published[&spare] < MAX_AGE + POLL {
                    self.hurried.insert(spare);
                }
                let moves = rotate(&self.ring, &self.policy, *alg, true, self.clock(*process)).unwrap();
                self.carry_out(&moves, *process);
            }
            Event::Revoke(key, process) => {
                let Some(kid) = self.ring.get(*key).map(|key| key.kid.clone()) else { return };
                match revoke(&self.ring, &self.policy, kid.as_str(), self.clock(*process)) {
                    Ok(moves) => self.carry_out(&moves, *process),
                    Err(refused) => assert_eq!(refused, Refused::AlreadyRevoked(kid)),
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        for alg in &self.policy.algorithms {
            let count = |state| self.ring.iter().filter(|key| key.alg == *alg && key.state == state).count();
            assert_eq!(count(KeyState::Active), 1, "{alg}");
            assert_eq!(count(KeyState::Pending), 1, "{alg}");
        }
        for key in self.ring.iter().filter(|key| key.state == KeyState::Retired) {
            let (left, alive) = (self.left_set[&key.kid], self.alive.get(&key.kid).copied().unwrap_or(0));
            assert!(left >= alive, "{} left the key set {} s before its last token ended", key.kid, alive - left);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn years_of_turns_break_nobody(events in prop::collection::vec(event(), 1..400)) {
        let mut world = World::new(policy());
        world.check();
        for (wait, event) in &events {
            world.now += wait;
            world.happens(event);
        }
    }

    #[test]
    fn turns_of_the_two_algorithms_stay_apart(days in prop::collection::vec((1..40_i64, any::<bool>()), 1..40)) {
        let mut world = World::new(policy());
        for (wait, by_hand) in days {
            if by_hand {
                world.happens(&Event::RotateNow(Alg::ES256, 0));
            }
            for _ in 0..wait * 4 {
                world.now += 21_600;
                world.job(0);
            }
            // A key may have been made to sign late in the other's share; the one made after that keeps its distance again.
            let turns: BTreeMap<Alg, i64> = Alg::ALL
                .iter()
                .map(|alg| (*alg, spare(&world.ring, *alg).unwrap().activate_at.as_seconds()))
                .collect();
            let apart = (turns[&Alg::ES256] - turns[&Alg::RS256]).abs();
            prop_assert!(apart >= 86_400, "turns {} h apart", apart / 3_600);
        }
    }
}

#[test]
fn a_year_without_anybody_turns_each_key_every_month_fifteen_days_apart() {
    let mut world = World::new(policy());
    let mut turned: Vec<(i64, Alg)> = Vec::new();
    let began = world.now;
    let mut signing = Alg::ALL.map(|alg| active(&world.ring, alg).unwrap().kid.clone());
    for hour in 1..=(365 * 24) {
        world.now = began + hour * 3_600;
        world.job(usize::try_from(hour % 3).unwrap());
        world.check();
        for (signing, alg) in signing.iter_mut().zip(Alg::ALL) {
            let now = active(&world.ring, alg).unwrap().kid.clone();
            if now != *signing {
                *signing = now;
                turned.push((hour / 24, alg));
            }
        }
    }
    assert!((23..=25).contains(&turned.len()), "{turned:?}");
    for pair in turned.windows(2) {
        assert_ne!(pair[0].1, pair[1].1);
        assert!((14..=16).contains(&(pair[1].0 - pair[0].0)), "{turned:?}");
    }
}

#[test]
fn a_turn_waits_for_apps_until_the_patience_is_over() {
    let mut world = World::new(policy());
    let first = active(&world.ring, Alg::RS256).unwrap().kid.clone();
    let planned = spare(&world.ring, Alg::RS256).unwrap().activate_at;
    world.lagging = true;
    world.now = planned.as_seconds();
    world.job(0);
    assert_eq!(active(&world.ring, Alg::RS256).unwrap().kid, first);
    world.now = planned.as_seconds() + 3 * 86_400 - 1;
    world.job(0);
    assert_eq!(active(&world.ring, Alg::RS256).unwrap().kid, first);
    world.now += 1;
    world.job(0);
    assert_ne!(active(&world.ring, Alg::RS256).unwrap().kid, first);
}

#[test]
fn a_turn_by_hand_comes_as_early_as_is_safe() {
    let policy = policy();
    let mut world = World::new(policy.clone());
    let published = spare(&world.ring, Alg::ES256).unwrap().published_at;
    let safe = policy.safe_from(published);
    assert_eq!(safe, published.plus(seconds(MAX_AGE + POLL + SKEW + 1)));
    let moves = rotate(&world.ring, &policy, Alg::ES256, false, at(world.now)).unwrap();
    let kid = spare(&world.ring, Alg::ES256).unwrap().kid.clone();
    assert_eq!(moves, [Move::Schedule { kid: kid.clone(), activate_at: safe }]);
    world.carry_out(&moves, 0);
    assert_eq!(
        rotate(&world.ring, &policy, Alg::ES256, false, at(world.now + 9)).unwrap(),
        [],
        "the first moment stays"
    );
    assert_eq!(
        may_try(&world.ring, &policy, Alg::ES256, at(safe.as_seconds() - 1)),
        Err(Refused::TooYoung { kid: kid.clone(), from: safe })
    );
    assert_eq!(may_try(&world.ring, &policy, Alg::ES256, safe), Ok(kid.clone()));
    world.now = safe.as_seconds() - 1;
    world.job(0);
    assert_ne!(active(&world.ring, Alg::ES256).unwrap().kid, kid);
    world.now += 1;
    world.job(0);
    assert_eq!(active(&world.ring, Alg::ES256).unwrap().kid, kid);
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let mut world = World::new(policy());
    let policy = KeyPolicy { algorithms: vec![Alg::ES256], ..policy() };
    let now = at(world.now);
    assert_eq!(rotate(&world.ring, &policy, Alg::RS256, true, now), Err(Refused::UnknownAlg(Alg::RS256)));
    assert_eq!(rotate(&[], &policy, Alg::ES256, true, now), Err(Refused::NoSpare(Alg::ES256)));
    assert_eq!(revoke(&world.ring, &policy, "nobody", now), Err(Refused::UnknownKey("nobody".to_owned())));
    let kid = active(&world.ring, Alg::ES256).unwrap().kid.clone();
    world.happens(&Event::Revoke(0, 0));
    assert_eq!(revoke(&world.ring, &policy, kid.as_str(), now), Err(Refused::AlreadyRevoked(kid.clone())));
    assert!(Refused::AlreadyRevoked(kid).to_string().ends_with("was revoked before"));
}

#[test]
fn when_all_is_lost_every_key_is_revoked_and_all_begins_anew() {
    let mut world = World::new(policy());
    world.now += 40 * 86_400;
    world.job(0);
    let before: BTreeSet<KeyId> = world.ring.iter().map(|key| key.kid.clone()).collect();
    let moves = revoke_all(&world.ring, &world.policy, at(world.now));
    world.carry_out(&moves, 0);
    world.check();
    for key in &world.ring {
        assert_eq!(before.contains(&key.kid), key.state == KeyState::Revoked, "{key:?}");
    }
}

#[test]
fn an_algorithm_that_is_no_longer_wanted_is_left_alone() {
    let mut world = World::new(policy());
    world.policy.algorithms = vec![Alg::ES256];
    world.now += 100 * 86_400;
    world.job(0);
    let states = |alg| world.ring.iter().filter(move |key| key.alg == alg).map(|key| key.state).collect::<Vec<_>>();
    assert_eq!(states(Alg::RS256), [KeyState::Active, KeyState::Pending]);
    assert_eq!(states(Alg::ES256).len(), 3);
}

/// What the property above would say of a policy that publishes too late.
#[test]
#[should_panic(expected = "signs 1 s after it was published")]
fn a_key_that_signs_before_it_is_known_would_be_noticed() {
    let mut world = World::new(KeyPolicy { publish_ahead: Duration::ZERO, ..policy() });
    world.happens(&Event::Revoke(0, 0));
    world.now += 1;
    world.happens(&Event::Rotate(Alg::ES256, 0));
    world.happens(&Event::Sign(0, Alg::ES256));
}

/// And of one that takes keys away too early.
#[test]
#[should_panic(expected = "left the key set")]
fn a_key_that_leaves_before_its_last_token_would_be_noticed() {
    let mut world = World::new(KeyPolicy { retire_window: seconds(LONGEST_TOKEN), ..policy() });
    world.happens(&Event::Sign(0, Alg::ES256));
    world.now += 40 * 86_400;
    world.happens(&Event::Jump(0, 0));
    world.happens(&Event::Job(0));
    world.now += STALE - 1;
    world.happens(&Event::Jump(1, SKEW));
    world.happens(&Event::SignStale(1, Alg::ES256));
    world.now += LONGEST_TOKEN - STALE;
    world.happens(&Event::Job(1));
}
