//! Checks tokens again and again until shortly before they expire: `check-tokens SECONDS`, where the issuer lets its key set be kept for
//! so many seconds.
//!
//! Lines of standard input are `ISSUER AUDIENCE TOKEN EXP`. Each refusal is a line `refused TOKEN REASON`, and the last line
//! `checked N`. It never asks the issuer about a key that it does not know, so it accepts everything only if each key is published
//! for long enough before it signs.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]
#![expect(clippy::disallowed_methods, reason = "tokens end by the clock of the system")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use frontdesk_verifier::Verifier;
use tokio::task::JoinSet;
use tokio::time::sleep;

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
    let mut verifiers: HashMap<(String, String), Verifier> = HashMap::new();
    let mut tasks = JoinSet::new();
    while let Some(line) = lines.recv().await {
        let parts: Vec<&str> = line.split(' ').collect();
        let [issuer, audience, token, exp] = parts[..] else { return Err("a line has four parts".into()) };
        let name = (issuer.to_owned(), audience.to_owned());
        if !verifiers.contains_key(&name) {
            let verifier = Verifier::builder(issuer)
                .audience(audience)
                .min_freshness(Duration::from_secs(kept))
                .cool_down(Duration::from_millis(100))
                .refetches_per_minute(0)
                .build()?;
            verifiers.insert(name.clone(), verifier);
        }
        if let Some(verifier) = verifiers.get(&name) {
            tasks.spawn(watch(verifier.clone(), token.to_owned(), exp.parse()?, Arc::clone(&checked)));
        }
        while tasks.try_join_next().is_some() {}
    }
    tasks.join_all().await;
    println!("checked {}", checked.load(Ordering::Relaxed));
    Ok(())
}

/// Checks a token at once, some seconds later, in the middle of its life, and before its end.
async fn watch(verifier: Verifier, token: String, exp: f64, checked: Arc<AtomicUsize>) {
    let life = exp - now();
    let mut waited = 0.0;
    for at in [0.0, 2.0, life / 2.0, life - MARGIN] {
        sleep(Duration::from_secs_f64(f64::max(at - waited, 0.0))).await;
        waited = at;
        // Who was held up until then would check a token that is over.
        if now() > exp - MARGIN / 4.0 {
            return;
        }
        checked.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = verifier.verify(&token).await {
            println!("refused {token} {}", error.reason());
            return;
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
