//! Argon2id, away from the async threads: a fixed pool of threads, each with memory that it uses again, and a bounded queue.
//!
//! Passwords are hashed as the bytes that were sent: not cut, not trimmed, not normalised. (Browsers send what the keyboard
//! made; NFKC would join passwords that differ and needs tables that change with every Unicode version.)

use std::collections::VecDeque;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::oneshot;

use crate::crypto::{equal, random};
use crate::domain::secret::Secret;

/// How long a thread keeps its memory when nobody signs in.
const KEEP_MEMORY: Duration = Duration::from_secs(30);

/// How passwords are hashed, and which new ones are taken.
#[derive(Debug, Clone)]
pub struct PasswordPolicy {
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes of one hash.
    pub parallelism: u32,
    /// Threads that hash; 0 stands for one per core.
    pub threads: usize,
    /// Hashes that may wait for a thread.
    pub queue: usize,
    /// Shortest new password in characters.
    pub min_length: usize,
    /// Longest password in characters.
    pub max_length: usize,
}

/// An Argon2id hash in PHC form. It is sealed before it goes into a row.
#[derive(Debug, Clone)]
pub struct PhcHash(Secret);

impl PhcHash {
    /// Takes a hash that was opened.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The text, to be sealed.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What came of comparing a password with a hash.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it is the password.
    pub matches: bool,
    /// A hash of the same password under today's parameters, if it matches and its hash is of weaker ones.
    pub stronger: Option<PhcHash>,
    /// What finding out cost, in blocks of memory that were filled: the same for every password that does not match.
    pub cost: u64,
}

/// Why a password was not hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordError {
    /// All threads are busy and the queue is full: try again shortly.
    Busy,
    /// It is longer than the policy lets be hashed.
    TooLong,
    /// The stored hash cannot be read, or there is no memory for it. A fault of ours.
    Broken,
    /// The pool is being closed.
    Closed,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "too many passwords wait to be checked",
            Self::TooLong => "the password is too long",
            Self::Broken => "a stored password hash could not be computed",
            Self::Closed => "the pool for password hashing is closed",
        })
    }
}

impl std::error::Error for PasswordError {}

/// The pool. Clones share it; its threads end with the last of them.
#[derive(Debug, Clone)]
pub struct Passwords(Arc<Pool>);

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the parameters are none of Argon2's, or the system gives no threads.
    pub fn start(policy: PasswordPolicy) -> std::io::Result<Self> {
        let params = Params::new(policy.memory_kib, policy.iterations, policy.parallelism, None)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error.to_string()))?;
        let threads = match policy.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let dearest = AtomicU64::new(cost_of(&params));
        let shared = Arc::new(Shared { queue: Mutex::default(), came: Condvar::new(), params, dearest });
        // Held from here on, so that threads that were started end when a later one cannot be.
        let mut pool = Pool { shared, policy, threads: Vec::with_capacity(threads) };
        for number in 0..threads {
            let shared = pool.shared.clone();
            let name = format!("password-{number}");
            pool.threads.push(std::thread::Builder::new().name(name).spawn(move || work(&shared))?);
        }
        Ok(Self(Arc::new(pool)))
    }

    /// The policy it was started with.
    #[must_use]
    pub fn policy(&self) -> &PasswordPolicy {
        &self.0.policy
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: Secret) -> Result<PhcHash, PasswordError> {
        let (back, answer) = oneshot::channel();
        self.enqueue(Job::Hash { password, back })?;
        answer.await.map_err(|_| PasswordError::Closed)?
    }

    /// Compares a password with a stored hash. Without one it takes as long, and the password does not match. Hashes made under
    /// other parameters must not be told apart from names that belong to nobody either, so whatever does not match is brought
    /// to the cost of the dearest hash there is, as far as this process has met it.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn verify(&self, stored: Option<PhcHash>, password: Secret) -> Result<Verdict, PasswordError> {
        let (back, answer) = oneshot::channel();
        self.enqueue(Job::Verify { stored, password, back })?;
        answer.await.map_err(|_| PasswordError::Closed)?
    }

    fn enqueue(&self, job: Job) -> Result<(), PasswordError> {
        if job.password().expose().chars().count() > self.0.policy.max_length {
            return Err(PasswordError::TooLong);
        }
        let mut queue = self.0.shared.lock();
        if queue.closed {
            return Err(PasswordError::Closed);
        }
        let room = queue.idle.saturating_add(self.0.policy.queue);
        if queue.jobs.len() >= room {
            queue.jobs.retain(Job::is_wanted);
        }
        if queue.jobs.len() >= room {
            return Err(PasswordError::Busy);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.0.shared.came.notify_one();
        Ok(())
    }
}

#[derive(Debug)]
struct Pool {
    shared: Arc<Shared>,
    policy: PasswordPolicy,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        // Dropping the jobs tells those who wait for them.
        queue.jobs.clear();
        drop(queue);
        self.shared.came.notify_all();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

struct Shared {
    queue: Mutex<Queue>,
    came: Condvar,
    params: Params,
    /// What a comparison costs at most: under today's parameters, or under older ones that were met and cost more.
    dearest: AtomicU64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that wait for work: jobs for them do not count as waiting.
    idle: usize,
    closed: bool,
}

enum Job {
    Hash { password: Secret, back: oneshot::Sender<Result<PhcHash, PasswordError>> },
    Verify { stored: Option<PhcHash>, password: Secret, back: oneshot::Sender<Result<Verdict, PasswordError>> },
}

impl Job {
    fn password(&self) -> &Secret {
        match self {
            Self::Hash { password, .. } | Self::Verify { password, .. } => password,
        }
    }

    fn is_wanted(&self) -> bool {
        match self {
            Self::Hash { back, .. } => !back.is_closed(),
            Self::Verify { back, .. } => !back.is_closed(),
        }
    }

    fn run(self, shared: &Shared, memory: &mut Vec<Block>) {
        match self {
            Self::Hash { password, back } => drop(back.send(fresh(&password, &shared.params, memory))),
            Self::Verify { stored, password, back } => {
                drop(back.send(compare(stored.as_ref(), &password, shared, memory)));
            }
        }
    }
}

/// The life of one thread.
fn work(shared: &Shared) {
    step_back();
    let mut memory = Vec::new();
    while let Some(job) = next(shared, &mut memory) {
        // A panic costs one answer, not a thread of the pool.
        let ran = std::panic::catch_unwind(AssertUnwindSafe(|| job.run(shared, &mut memory)));
        if ran.is_err() {
            memory = Vec::new();
        }
    }
}

fn next(shared: &Shared, memory: &mut Vec<Block>) -> Option<Job> {
    let mut queue = shared.lock();
    queue.idle += 1;
    let job = loop {
        if queue.closed {
            break None;
        }
        match queue.jobs.pop_front() {
            Some(job) if job.is_wanted() => break Some(job),
            Some(_) => continue,
            None => {}
        }
        let (woken, waited) = shared.came.wait_timeout(queue, KEEP_MEMORY).unwrap_or_else(PoisonError::into_inner);
        queue = woken;
        if waited.timed_out() && !memory.is_empty() {
            *memory = Vec::new();
        }
    };
    queue.idle -= 1;
    job
}

/// Lets other threads go first, so that a storm of sign-ins does not slow down tokens. On Linux niceness is each thread's own.
#[cfg(target_os = "linux")]
fn step_back() {
    if let Err(error) = rustix::process::nice(5) {
        tracing::debug!(%error, "a password thread keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

fn fresh(password: &Secret, params: &Params, memory: &mut Vec<Block>) -> Result<PhcHash, PasswordError> {
    let salt = random::bytes::<{ Salt::RECOMMENDED_LENGTH }>();
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    compute(Version::V0x13, params, password, &salt, &mut out, memory)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| PasswordError::Broken)?,
        salt: Some(Salt::new(&salt).map_err(|_| PasswordError::Broken)?),
        hash: Some(Output::new(&out).map_err(|_| PasswordError::Broken)?),
    };
    Ok(PhcHash::new(hash.to_string()))
}

fn compare(
    stored: Option<&PhcHash>,
    password: &Secret,
    shared: &Shared,
    memory: &mut Vec<Block>,
) -> Result<Verdict, PasswordError> {
    let params = &shared.params;
    let Some(stored) = stored else {
        let cost = spend(shared.dearest.load(Ordering::Relaxed), password, params, memory)?;
        return Ok(Verdict { matches: false, stronger: None, cost });
    };
    let hash = PasswordHash::new(stored.expose()).map_err(|_| PasswordError::Broken)?;
    let its = Params::try_from(&hash).map_err(|_| PasswordError::Broken)?;
    let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| PasswordError::Broken)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Err(PasswordError::Broken) };
    if hash.algorithm != Algorithm::Argon2id.ident() {
        return Err(PasswordError::Broken);
    }
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..expected.len()).ok_or(PasswordError::Broken)?;
    compute(version, &its, password, &salt, out, memory)?;
    let cost = cost_of(&its);
    let dearest = shared.dearest.fetch_max(cost, Ordering::Relaxed).max(cost);
    if !equal(out, expected.as_bytes()) {
        let cost = cost + spend(dearest - cost, password, params, memory)?;
        return Ok(Verdict { matches: false, stronger: None, cost });
    }
    let weaker = its.m_cost() < params.m_cost() || its.t_cost() < params.t_cost() || version != Version::V0x13;
    let stronger = weaker.then(|| fresh(password, params, memory)).transpose()?;
    Ok(Verdict { matches: true, stronger, cost })
}

/// Blocks filled, all passes together: what the time of a hash goes with.
fn cost_of(params: &Params) -> u64 {
    u64::try_from(params.block_count()).unwrap_or(u64::MAX).saturating_mul(params.t_cost().into())
}

/// Does this much work for nothing, as nearly as Argon2's memory can be cut. What it cost.
fn spend(work: u64, password: &Secret, like: &Params, memory: &mut Vec<Block>) -> Result<u64, PasswordError> {
    let kib = u32::try_from(work / u64::from(like.t_cost())).unwrap_or(u32::MAX);
    // Less than Argon2's least is less than anybody can measure.
    let Ok(params) = Params::new(kib, like.t_cost(), like.p_cost(), None) else { return Ok(0) };
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    compute(Version::V0x13, &params, password, &[0; Salt::RECOMMENDED_LENGTH], &mut out, memory)?;
    Ok(cost_of(&params))
}

fn compute(
    version: Version,
    params: &Params,
    password: &Secret,
    salt: &[u8],
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), PasswordError> {
    let wanted = params.block_count();
    if let Some(more) = wanted.checked_sub(memory.len()).filter(|more| *more > 0) {
        memory.try_reserve_exact(more).map_err(|_| PasswordError::Broken)?;
        memory.resize(wanted, Block::default());
    }
    Argon2::new(Algorithm::Argon2id, version, params.clone())
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, out, memory.as_mut_slice())
        .map_err(|_| PasswordError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PasswordPolicy {
        PasswordPolicy {
            memory_kib: 64,
            iterations: 1,
            parallelism: 1,
            threads: 2,
            queue: 8,
            min_length: 10,
            max_length: 1024,
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn takes_the_password_whole_and_any_bytes() {
        let passwords = Passwords::start(policy()).unwrap();
        let long = "x".repeat(72);
        for password in
            ["correct horse", "with\0nul inside", " ends in spaces ", "пароль-пароль", &long, &"y".repeat(1024)]
        {
            let hash = passwords.hash(secret(password)).await.unwrap();
            assert!(hash.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
            let hash = || Some(PhcHash::new(hash.expose().to_owned()));
            assert!(passwords.verify(hash(), secret(password)).await.unwrap().matches);
            for other in [format!("{password}z"), format!("{password}\0"), password.trim().replace('\0', "")] {
                if other != password && other.len() <= 1024 {
                    assert!(!passwords.verify(hash(), secret(&other)).await.unwrap().matches, "{other:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_password_over_the_limit_is_never_hashed() {
        let passwords = Passwords::start(policy()).unwrap();
        let long = "y".repeat(1025);
        assert_eq!(passwords.hash(secret(&long)).await.unwrap_err(), PasswordError::TooLong);
        assert_eq!(passwords.verify(None, secret(&long)).await.unwrap_err(), PasswordError::TooLong);
        assert!(passwords.0.shared.lock().jobs.is_empty());
    }

    #[test]
    fn a_thread_passes_over_what_nobody_waits_for_any_more() {
        let params = Params::new(64, 1, 1, None).unwrap();
        let dearest = AtomicU64::new(cost_of(&params));
        let shared = Shared { queue: Mutex::default(), came: Condvar::new(), params, dearest };
        let (gone, _) = oneshot::channel();
        let (wanted, _waits) = oneshot::channel();
        for (password, back) in [("left alone", gone), ("waited for", wanted)] {
            shared.lock().jobs.push_back(Job::Hash { password: secret(password), back });
        }
        let job = next(&shared, &mut Vec::new()).unwrap();
        assert_eq!(job.password().expose(), "waited for");
    }

    #[tokio::test]
    async fn without_a_hash_nothing_matches() {
        let passwords = Passwords::start(policy()).unwrap();
        assert!(!passwords.verify(None, secret("")).await.unwrap().matches);
    }

    #[tokio::test]
    async fn whatever_does_not_match_costs_the_same() {
        let weak = Passwords::start(policy()).unwrap();
        let today = || Passwords::start(PasswordPolicy { memory_kib: 1024, iterations: 3, ..policy() }).unwrap();
        let strong = Passwords::start(PasswordPolicy { memory_kib: 4096, iterations: 2, ..policy() }).unwrap();
        let cost = async |pool: &Passwords, stored: Option<&PhcHash>| {
            let verdict = pool.verify(stored.cloned(), secret("wrong")).await.unwrap();
            assert!(!verdict.matches);
            verdict.cost
        };
        let pool = today();
        let (old, new, more) = (
            weak.hash(secret("correct horse")).await.unwrap(),
            pool.hash(secret("correct horse")).await.unwrap(),
            strong.hash(secret("correct horse")).await.unwrap(),
        );
        let nobody = cost(&pool, None).await;
        assert_eq!(nobody, 3 * 1024);
        // Memory is cut in steps of four blocks.
        assert!(nobody.abs_diff(cost(&pool, Some(&old)).await) <= 3 * 8);
        assert_eq!(cost(&pool, Some(&new)).await, nobody);
        // Parameters were lowered: once such a hash was met, names of nobody cost as much.
        let dearest = cost(&pool, Some(&more)).await;
        assert_eq!(dearest, 2 * 4096);
        for stored in [None, Some(&old), Some(&new)] {
            assert!(dearest.abs_diff(cost(&pool, stored).await) <= 3 * 8);
        }
    }

    #[tokio::test]
    async fn a_weaker_hash_is_made_again_and_a_stronger_one_kept() {
        let weak = Passwords::start(policy()).unwrap();
        let strong = Passwords::start(PasswordPolicy { memory_kib: 128, iterations: 2, ..policy() }).unwrap();
        let old = weak.hash(secret("correct horse")).await.unwrap();
        assert!(strong.verify(Some(old.clone()), secret("wrong")).await.unwrap().stronger.is_none());
        let new = strong.verify(Some(old), secret("correct horse")).await.unwrap().stronger.unwrap();
        assert!(new.expose().contains("m=128,t=2"));
        let verdict = strong.verify(Some(new.clone()), secret("correct horse")).await.unwrap();
        assert!(verdict.matches && verdict.stronger.is_none());
        let verdict = weak.verify(Some(new), secret("correct horse")).await.unwrap();
        assert!(verdict.matches && verdict.stronger.is_none());
    }

    #[tokio::test]
    async fn what_is_no_argon2id_hash_is_a_fault_and_not_a_wrong_password() {
        let passwords = Passwords::start(policy()).unwrap();
        for text in
            ["", "nonsense", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo", "$argon2id$v=19$m=64,t=1,p=1"]
        {
            let verdict = passwords.verify(Some(PhcHash::new(text.to_owned())), secret("x")).await;
            assert_eq!(verdict.unwrap_err(), PasswordError::Broken, "{text}");
        }
    }

    #[tokio::test]
    async fn a_full_queue_says_so_and_slots_of_those_who_left_are_free() {
        let slow = PasswordPolicy { memory_kib: 32 * 1024, iterations: 20, threads: 1, queue: 2, ..policy() };
        let passwords = Passwords::start(slow).unwrap();
        let (back, running) = oneshot::channel();
        passwords.enqueue(Job::Hash { password: secret("x"), back }).unwrap();
        while passwords.0.shared.lock().idle > 0 || !passwords.0.shared.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        let enqueue = || {
            let (back, answer) = oneshot::channel();
            passwords.enqueue(Job::Hash { password: secret("x"), back }).map(|()| answer)
        };
        let first = enqueue().unwrap();
        let second = enqueue().unwrap();
        assert_eq!(enqueue().unwrap_err(), PasswordError::Busy);
        drop(first);
        let third = enqueue().unwrap();
        assert_eq!(enqueue().unwrap_err(), PasswordError::Busy);
        drop((second, third, running));
    }

    #[tokio::test]
    async fn closing_tells_those_who_wait_and_ends_the_threads() {
        let passwords = Passwords::start(PasswordPolicy { threads: 1, ..policy() }).unwrap();
        let shared = Arc::downgrade(&passwords.0.shared);
        let answers: Vec<_> = (0..8)
            .filter_map(|_| {
                let (back, answer) = oneshot::channel();
                passwords.enqueue(Job::Hash { password: secret("x"), back }).ok().map(|()| answer)
            })
            .collect();
        drop(passwords);
        assert!(shared.upgrade().is_none(), "every thread has let go");
        for answer in answers {
            // Hashed before the end, or told that there was one; never left waiting.
            drop(answer.await);
        }
    }
}
