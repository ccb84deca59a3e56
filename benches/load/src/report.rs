//! Medians over rounds, goals, and the table.
//!
//! A ratio misses its goal only if requests per second are under it and CPU per request is over it: one noisy measure alone does
//! not decide. A round counts only if the machine was as usual while it ran.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::cases::Case;
use crate::generator::Measured;
use crate::machine::probes::Bare;
use crate::wear::Starts;

/// How far a probe may lie from its median before its round is left out.
const USUAL: f64 = 0.3;
/// With fewer rounds left none is left out.
const FEWEST_ROUNDS: usize = 3;

/// What one round measured.
#[derive(Debug)]
pub(crate) struct Round {
    /// Bare signatures.
    pub(crate) es256: Bare,
    pub(crate) rs256: Bare,
    /// `fdatasync` of 4 KiB: median and 99th percentile.
    pub(crate) sync: (Duration, Duration),
    /// A bare hash, and a sign-in.
    pub(crate) hash: Option<Bare>,
    pub(crate) sign_in: Option<Measured>,
    /// Product and model.
    pub(crate) compared: BTreeMap<Case, (Measured, Measured)>,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rounds: Vec<Round>,
    /// In what the model's answers differ from the product's.
    pub(crate) differences: Vec<String>,
    pub(crate) starts: Option<Starts>,
    /// MiB after the load, on SQLite.
    pub(crate) memory_after: Option<f64>,
    /// MB of the binary.
    pub(crate) size: Option<f64>,
}

/// One line of the table of goals.
struct Goal {
    what: String,
    asked: String,
    found: String,
    reached: bool,
    /// Whether missing it is a failure; the others are what the design hopes for.
    binding: bool,
}

/// The value in the middle; zero of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => at(odd / 2),
        even => f64::midpoint(at(even / 2 - 1), at(even / 2)),
    }
}

impl Report {
    /// Whether the comparison was fair and, if goals count, no binding goal was missed.
    pub(crate) fn is_good(&self, goals_count: bool) -> bool {
        self.differences.is_empty() && !(goals_count && self.goals().iter().any(|goal| goal.binding && !goal.reached))
    }

    /// The report for people.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        self.write(&mut out)?;
        Ok(out)
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        if !self.rounds.is_empty() {
            self.write_probes(out)?;
            self.write_cases(out)?;
        }
        for difference in &self.differences {
            writeln!(out, "UNFAIR  {difference}")?;
        }
        if let Some(after) = self.memory_after {
            writeln!(out, "memory after the load (SQLite): {after:.1} MiB")?;
        }
        if let Some(starts) = self.starts {
            writeln!(out, "memory when ready: {:.1} MiB", starts.memory_ready)?;
        }
        writeln!(out, "\n{:<28} {:<40} {:<46} result", "goal", "asked", "found")?;
        for goal in self.goals() {
            let result = match (goal.reached, goal.binding) {
                (true, _) => "PASS",
                (false, true) => "MISS",
                (false, false) => "miss (hoped for)",
            };
            writeln!(out, "{:<28} {:<40} {:<46} {result}", goal.what, goal.asked, goal.found)?;
        }
        Ok(())
    }

    fn write_probes(&self, out: &mut String) -> std::fmt::Result {
        let of = |value: &dyn Fn(&Round) -> f64| median(&self.rounds.iter().map(value).collect::<Vec<_>>());
        writeln!(out, "rounds: {}; bare operations beside, medians:", self.rounds.len())?;
        let (es, rs) = (of(&|round| round.es256.micros), of(&|round| round.rs256.micros));
        writeln!(out, "  ES256 signature  {es:8.1} µs CPU  {:9.0}/s on one thread", of(&|round| round.es256.rate))?;
        writeln!(out, "  RS256 signature  {rs:8.1} µs CPU  {:9.0}/s on one thread", of(&|round| round.rs256.rate))?;
        if self.rounds.iter().any(|round| round.hash.is_some()) {
            let hash = of(&|round| round.hash.map_or(0.0, |bare| bare.micros));
            let rate = of(&|round| round.hash.map_or(0.0, |bare| bare.rate));
            writeln!(out, "  Argon2id hash    {hash:8.0} µs CPU  {rate:9.1}/s on all cores (19456 KiB, 2, 1)")?;
        }
        let (usual, worst) = (of(&|round| millis(round.sync.0)), of(&|round| millis(round.sync.1)));
        writeln!(out, "  fdatasync, 4 KiB {usual:8.2} ms p50  {worst:9.2} ms p99")
    }

    fn write_cases(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\n{:<26} {:>21} {:>21} {:>13} {:>23} {:>7}",
            "case", "CPU µs: server model", "req/s: server model", "ratios", "p50/p99 ms: server", "rounds"
        )?;
        let cases: std::collections::BTreeSet<Case> =
            self.rounds.iter().flat_map(|round| round.compared.keys().copied()).collect();
        for case in cases {
            let pairs = self.pairs(case);
            let of =
                |value: &dyn Fn(&(Measured, Measured)) -> f64| median(&pairs.iter().map(value).collect::<Vec<_>>());
            let (cpu, rate) = ratios(&pairs);
            writeln!(
                out,
                "{:<26} {:>12.1} {:>8.1} {:>12.0} {:>8.0} {cpu:>6.2} {rate:>6.2} {:>14.2} / {:>6.2} {:>7}",
                case.name(),
                of(&|(product, _)| product.cpu),
                of(&|(_, model)| model.cpu),
                of(&|(product, _)| product.rate),
                of(&|(_, model)| model.rate),
                of(&|(product, _)| product.latency.0),
                of(&|(product, _)| product.latency.1),
                pairs.len(),
            )?;
        }
        let sign_ins: Vec<&Measured> = self.rounds.iter().filter_map(|round| round.sign_in.as_ref()).collect();
        if !sign_ins.is_empty() {
            let of = |value: &dyn Fn(&Measured) -> f64| {
                median(&sign_ins.iter().map(|measured| value(measured)).collect::<Vec<_>>())
            };
            writeln!(
                out,
                "{:<26} {:>12.0} {:>8} {:>12.1} {:>8} {:>13} {:>14.1} / {:>6.1} {:>7}",
                "sign-in",
                of(&|measured| measured.cpu),
                "",
                of(&|measured| measured.rate),
                "",
                "",
                of(&|measured| measured.latency.0),
                of(&|measured| measured.latency.1),
                sign_ins.len(),
            )?;
        }
        writeln!(out, "ratios: model's CPU / server's CPU, server's req/s / model's req/s; 1.00 is the model itself\n")
    }

    /// Product and model in the rounds that count for a case.
    fn pairs(&self, case: Case) -> Vec<(Measured, Measured)> {
        let all: Vec<(bool, (Measured, Measured))> = self
            .rounds
            .iter()
            .filter_map(|round| Some((self.was_usual(round, case.syncs()), *round.compared.get(&case)?)))
            .collect();
        let usual: Vec<_> = all.iter().filter(|(usual, _)| *usual).map(|(_, pair)| *pair).collect();
        if usual.len() >= FEWEST_ROUNDS { usual } else { all.into_iter().map(|(_, pair)| pair).collect() }
    }

    fn was_usual(&self, round: &Round, syncs: bool) -> bool {
        let near = |value: &dyn Fn(&Round) -> f64| {
            let middle = median(&self.rounds.iter().map(value).collect::<Vec<_>>());
            (value(round) - middle).abs() <= USUAL * middle
        };
        near(&|round| round.es256.rate) && (!syncs || near(&|round| millis(round.sync.0)))
    }

    fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for (case, asked, binding) in [
            (Case::Jwks, 0.85, true),
            (Case::StatusList, 0.85, false),
            (Case::Discovery, 0.85, false),
            (Case::ClientCredentialsEs256, 0.75, true),
            (Case::ClientCredentialsRs256, 0.90, false),
            (Case::CodeExchangeSqlite, 0.6, true),
            (Case::CodeExchangePostgres, 0.6, true),
            (Case::RefreshSqlite, 0.6, true),
            (Case::RefreshPostgres, 0.6, true),
            (Case::IntrospectionSqlite, 0.75, false),
            (Case::IntrospectionPostgres, 0.75, false),
            (Case::RevocationSqlite, 0.75, false),
            (Case::RevocationPostgres, 0.75, false),
        ] {
            let pairs = self.pairs(case);
            if pairs.is_empty() {
                continue;
            }
            let (cpu, rate) = ratios(&pairs);
            goals.push(Goal {
                what: case.name(),
                asked: format!("≥ {asked:.2} of the model"),
                found: format!("{cpu:.2} by CPU, {rate:.2} by requests/s"),
                reached: cpu >= asked || rate >= asked,
                binding,
            });
        }
        goals.extend(self.goals_of_bare_operations());
        goals.extend(self.goals_of_being_there());
        goals
    }

    fn goals_of_bare_operations(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        let against = |cost: &dyn Fn(&Round) -> Option<(f64, f64)>| {
            let found: Vec<f64> = self.rounds.iter().filter_map(cost).map(|(whole, bare)| whole / bare).collect();
            (!found.is_empty()).then(|| median(&found))
        };
        let rs256 =
            |round: &Round| Some((round.compared.get(&Case::ClientCredentialsRs256)?.0.cpu, round.rs256.micros));
        let sign_in = |round: &Round| Some((round.sign_in?.cpu, round.hash?.micros));
        for (what, cost, asked, of) in [
            ("client-credentials-rs256", against(&rs256), 1.2, "bare signature"),
            ("sign-in", against(&sign_in), 1.1, "bare hash"),
        ] {
            if let Some(found) = cost {
                goals.push(Goal {
                    what: what.to_owned(),
                    asked: format!("≤ {asked:.1} times the CPU of one {of}"),
                    found: format!("{found:.3}"),
                    reached: found <= asked,
                    binding: true,
                });
            }
        }
        goals
    }

    fn goals_of_being_there(&self) -> Vec<Goal> {
        let at_most = |what: &str, found: f64, asked: f64, unit: &str, binding: bool| Goal {
            what: what.to_owned(),
            asked: format!("≤ {asked:.0} {unit}"),
            found: format!("{found:.1} {unit}"),
            reached: found <= asked,
            binding,
        };
        let mut goals = Vec::new();
        if let Some(starts) = self.starts {
            goals.push(at_most("idle memory", starts.memory_idle, 30.0, "MiB", true));
            goals.push(at_most("ready, existing database", starts.again, 300.0, "ms", true));
            goals.push(at_most("ready, first start", starts.first, 400.0, "ms", false));
        }
        if let Some(size) = self.size {
            goals.push(at_most("binary", size, 20.0, "MB", false));
        }
        goals
    }
}

/// Medians of model's CPU / product's CPU, and of product's requests per second / model's.
fn ratios(pairs: &[(Measured, Measured)]) -> (f64, f64) {
    let cpu: Vec<f64> = pairs.iter().map(|(product, model)| model.cpu / product.cpu).collect();
    let rate: Vec<f64> = pairs.iter().map(|(product, model)| product.rate / model.rate).collect();
    (median(&cpu), median(&rate))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rate: f64, cpu: f64) -> Measured {
        Measured { rate, cpu, latency: (1.0, 2.0) }
    }

    fn round(product: Measured, model: Measured, es256: f64) -> Round {
        let bare = |rate: f64| Bare { micros: 1e6 / rate, rate };
        Round {
            es256: bare(es256),
            rs256: bare(4_500.0),
            sync: (Duration::from_micros(200), Duration::from_millis(1)),
            hash: None,
            sign_in: None,
            compared: BTreeMap::from([(Case::Jwks, (product, model))]),
        }
    }

    fn report(rounds: Vec<Round>) -> Report {
        Report { rounds, ..Report::default() }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!([median(&[]), median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0])], [0.0, 2.0, 2.5]);
    }

    #[test]
    fn one_noisy_measure_alone_does_not_decide() {
        let model = measured(100.0, 10.0);
        let slow_but_cheap = report(vec![round(measured(50.0, 10.5), model, 8e4)]);
        assert!(slow_but_cheap.is_good(true));
        let slow_and_dear = report(vec![round(measured(50.0, 20.0), model, 8e4)]);
        assert!(!slow_and_dear.is_good(true));
        assert!(slow_and_dear.is_good(false));
    }

    #[test]
    fn a_round_on_a_disturbed_machine_does_not_count() {
        let model = measured(100.0, 10.0);
        let good = || round(measured(95.0, 10.0), model, 8e4);
        let disturbed = || round(measured(10.0, 90.0), model, 3e4);
        let mixed = report(vec![good(), disturbed(), good(), good()]);
        assert_eq!(mixed.pairs(Case::Jwks).len(), 3);
        // With too few of the others it does.
        let few = report(vec![good(), disturbed(), good()]);
        assert_eq!(few.pairs(Case::Jwks).len(), 3);
    }

    #[test]
    fn an_unfair_comparison_is_never_good() {
        let mut unfair = report(Vec::new());
        unfair.differences.push("jwks: only one side sends etag".to_owned());
        assert!(!unfair.is_good(false));
        assert!(unfair.text().unwrap().contains("UNFAIR"));
    }
}
