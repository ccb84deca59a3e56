//! Checks tokens again and again until shortly before they expire: `check-tokens SECONDS`, where the issuer lets its key set be kept
//! for so many seconds.
//!
//! Lines of standard input are `ISSUER AUDIENCE TOKEN EXP`; after a line `enough` each token is checked once more and no longer.
//! Each refusal is a line `refused TOKEN TIME AGE REASON`, where the age is that of the key set in seconds; a check that comes more
//! than a second late is a line `late SECONDS`; and the last line is `checked N`. It never asks the issuer about a key that it does
//! not know, so it accepts everything only if each key is published for long enough before it signs.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]
#![expect(clippy::disallowed_methods, reason = "tokens end by the clock of the system")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use frontdesk_verifier::{StatusPolicy, Verifier, VerifyError};
use tokio::sync::watch::{Receiver, channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Seconds between two checks of a token.
const STEP: f64 = 30.0;
/// Seconds before the end of a token at which it is checked for the last time.
const MARGIN: f64 = 2.0;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let kept: u64 = std::env::args().nth(1).ok_or("say for how many seconds the key set may be kept")?.parse()?;
    let (to, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
    let checked = Arc::new(AtomicUsize::new(0));
    let (end, ended) = channel(false);
    let mut verifiers: HashMap<(String, String), Verifier> = HashMap::new();
    let mut tasks = JoinSet::new();
    while let Some(line) = lines.recv().await {
        if line == "enough" {
            end.send_replace(true);
            continue;
        }
        let parts: Vec<&str> = line.split(' ').collect();
        let [issuer, audience, token, exp] = parts[..] else { return Err("a line has four parts".into()) };
        let name = (issuer.to_owned(), audience.to_owned());
        if !verifiers.contains_key(&name) {
            let verifier = Verifier::builder(issuer)
                .audience(audience)
                // Not above what the issuer says in an emergency.
                .min_freshness(Duration::from_secs(kept.min(30)))
                .cool_down(Duration::from_millis(100))
                .refetches_per_minute(0)
                // This is about keys: whether a session has ended is not asked.
                .status_policy(StatusPolicy::Off)
                .build()?;
            verifiers.insert(name.clone(), verifier);
        }
        if let Some(verifier) = verifiers.get(&name) {
            let token = Token { text: token.to_owned(), exp: exp.parse()? };
            tasks.spawn(watch(verifier.clone(), token, ended.clone(), Arc::clone(&checked)));
        }
        while tasks.try_join_next().is_some() {}
    }
    tasks.join_all().await;
    println!("checked {}", checked.load(Ordering::Relaxed));
    Ok(())
}

struct Token {
    text: String,
    exp: f64,
}

/// Checks a token at once, two seconds later, at each step, and before its end.
async fn watch(verifier: Verifier, token: Token, mut ended: Receiver<bool>, checked: Arc<AtomicUsize>) {
    let came = now();
    let last = token.exp - MARGIN;
    let steps = (1..).map(|step| came + STEP * f64::from(step)).take_while(|at| *at < last - MARGIN);
    for at in [came, came + 2.0].into_iter().chain(steps).chain([last]) {
        let pause = Duration::from_secs_f64(f64::max(at - now(), 0.0));
        let over = timeout(pause, ended.wait_for(|ended| *ended)).await.is_ok();
        let late = now() - at;
        if late > 1.0 {
            println!("late {late:.1}");
        }
        let verdict = loop {
            // Who was held up until then would check a token that is over.
            if now() > token.exp - MARGIN / 4.0 {
                return;
            }
            match verifier.verify(&token.text).await {
                // There are no keys at all, which says nothing about the token.
                Err(VerifyError::Unavailable { .. }) => sleep(Duration::from_millis(500)).await,
                verdict => break verdict,
            }
        };
        checked.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = verdict {
            let age = verifier.key_age().unwrap_or_default().as_secs_f64();
            println!("refused {} {:.3} {age:.3} {}", token.text, now(), error.reason());
            return;
        }
        if over {
            return;
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
