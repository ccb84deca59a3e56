//! The status lists as this process answers them, and the news of what was revoked.
//!
//! Every process looks several times a second at what was ended lately, and tells those who listen at once. Once a second it brings
//! the lists up to date: it reads what was signed last, then all bits, and signs where they differ. Whoever signs puts the
//! token into the database with a guard on the one it replaces, and all processes answer with its bytes. Since the bits were
//! read after the version they replace, no version ever says less than the one before that was still to be said.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, broadcast};
use tokio::time::Instant;

use super::listeners::Listeners;
use super::status_list::{Content, LIFE, SIGNED_AGAIN};
use crate::domain::id::KeyId;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;
use crate::keys::record::KeyRecord;
use crate::keys::ring::{KeyRing, Keys, Prepared};
use crate::keys::state::KeyState;
use crate::store::status_bits::SetBit;
use crate::store::status_tokens::{Head, Signed};
use crate::store::{Db, Store, StoreError, status_bits, status_tokens};

/// How far back a look goes before the one before it: what a unit of work takes to its commit, and how far clocks are apart. What
/// takes longer is found when all is compared.
const LATE: Duration = Duration::from_secs(10);
/// How far back is told to one who was away.
const TAIL: Duration = Duration::from_secs(60);
/// After how long everything is compared, also what only time has changed.
const COMPARED_AGAIN: Duration = Duration::from_secs(60);
/// How many bits one look may find; when more were set, everybody fetches the lists.
const MOST_AT_ONCE: usize = 20_000;
/// How often everybody fetches the lists while very much is revoked.
const RESET_AGAIN: Duration = Duration::from_secs(5);
/// How far a list's time may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(5);
/// How often strangers can make us look for a list that is not there.
const LOOKED_FOR: Duration = Duration::from_millis(250);
/// How old a picture may be that a list is signed from.
const OLDEST_PICTURE: Duration = Duration::from_secs(2);
/// For how long after a key was revoked the lists say so.
const DENIED_FOR: Duration = Duration::from_secs(48 * 3600);
/// News that a slow listener may be behind by.
const NEWS_KEPT: usize = 1_024;

/// A list as it is answered.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its token, with an entity tag.
    pub token: Prepared,
    /// The version of its content.
    pub version: i64,
    /// When it was signed.
    pub signed_at: Timestamp,
}

impl Published {
    /// Whether it may still be answered.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        !self.signed_at.plus(LIFE).has_passed(now)
    }
}

/// Something that was just learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Bits of a list are set.
    Revoked {
        /// The list.
        list: i64,
        /// The places.
        set: Vec<i64>,
    },
    /// A key was revoked.
    KidDenied(KeyId),
    /// More than can be told: fetch the lists.
    Reset,
}

/// What was learnt since a moment.
#[derive(Debug)]
pub enum Since {
    /// This; some of it perhaps before.
    These(Vec<News>),
    /// More than can be told.
    TooLongAgo,
}

/// What the lists are made with.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'s> {
    /// The database.
    pub store: &'s Store,
    /// The key ring.
    pub keys: &'s Keys,
    /// Our issuer identifier.
    pub issuer: &'s str,
    /// For how long the bit of an ended grant stays set.
    pub bit_kept: Duration,
    /// Whether this process's clock can be believed: what is signed on a wrong one lacks bits, or is of the future.
    pub may_sign: bool,
}

/// The lists of a process.
#[derive(Debug)]
pub struct StatusLists {
    published: ArcSwap<BTreeMap<i64, Arc<Published>>>,
    /// Held for as long as a look takes, never while lists are signed: who listens does not wait for that.
    watch: Mutex<Watch>,
    /// Held by the one who signs.
    signing: Mutex<()>,
    /// When it was last looked for a list that is not at hand.
    looked_for: Mutex<Option<Instant>>,
    news: broadcast::Sender<Arc<News>>,
    listeners: Listeners,
}

#[derive(Debug, Default)]
struct Watch {
    /// Bits that are known to be set; `None` before the first look.
    known: Option<HashSet<StatusIndex>>,
    /// Lists with bits that their tokens do not say yet, each with the count at which it got the last of them.
    dirty: BTreeMap<i64, u64>,
    /// Goes up with whatever is to be signed or compared.
    count: u64,
    denied: BTreeSet<KeyId>,
    compared_at: Option<Timestamp>,
    /// The count at which something last asked for all lists to be compared.
    compare_anew: u64,
    looked_at: Option<Timestamp>,
    /// When everybody was told to fetch the lists.
    reset_at: Option<Timestamp>,
}

impl Default for StatusLists {
    fn default() -> Self {
        Self {
            published: ArcSwap::default(),
            watch: Mutex::default(),
            signing: Mutex::default(),
            looked_for: Mutex::default(),
            news: broadcast::Sender::new(NEWS_KEPT),
            listeners: Listeners::default(),
        }
    }
}

impl StatusLists {
    /// A list, while it can be vouched for.
    #[must_use]
    pub fn list(&self, list: i64) -> Option<Arc<Published>> {
        self.published.load().get(&list).cloned()
    }

    /// A list that is not at hand. Another process may have made it a moment ago, or this one: the first token that names a list is
    /// faster than the next round.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn find(
        &self,
        from: Sources<'_>,
        list: i64,
        now: Timestamp,
    ) -> Result<Option<Arc<Published>>, StoreError> {
        let asked = Instant::now();
        let mut looked = self.looked_for.lock().await;
        if let Some(found) = self.list(list) {
            return Ok(Some(found));
        }
        // Somebody has looked since this was asked.
        if looked.is_some_and(|at| at >= asked) {
            return Ok(None);
        }
        if let Some(at) = *looked {
            tokio::time::sleep_until(at + LOOKED_FOR).await;
        }
        *looked = Some(Instant::now());
        self.publish(from, now).await?;
        Ok(self.list(list))
    }

    /// The numbers of all lists.
    #[must_use]
    pub fn numbers(&self) -> Vec<i64> {
        self.published.load().keys().copied().collect()
    }

    /// What is learnt from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<News>> {
        self.news.subscribe()
    }

    /// Who listens.
    #[must_use]
    pub const fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Looks for what was ended lately and tells it.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn look(&self, from: Sources<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut watch = self.watch.lock().await;
        let denied: BTreeSet<KeyId> = denied(&from.keys.ring(), now).map(kid_of).collect();
        for kid in denied.difference(&watch.denied) {
            self.tell(News::KidDenied(kid.clone()));
        }
        if denied != watch.denied {
            watch.denied = denied;
            // Every list says so.
            watch.compare_all();
        }
        let mut db = from.store.read().await?;
        let since = watch.looked_at.map_or(now, |at| at.min(now)).minus(LATE);
        let recent = status_bits::set_since(&mut db, since, from.bit_kept, MOST_AT_ONCE).await?;
        if watch.known.is_none() {
            watch.known = Some(places(&status_bits::all(&mut db, from.bit_kept, now).await?));
        } else if recent.len() >= MOST_AT_ONCE {
            // The same are found for some seconds.
            if watch.reset_at.is_none_or(|at| at > now || at.plus(RESET_AGAIN).has_passed(now)) {
                watch.reset_at = Some(now);
                watch.compare_all();
                self.tell(News::Reset);
            }
        } else {
            self.learn(&mut watch, &recent);
        }
        watch.looked_at = Some(now);
        Ok(())
    }

    /// Tells those bits that were not known.
    fn learn(&self, watch: &mut Watch, bits: &[SetBit]) {
        let known = watch.known.get_or_insert_default();
        let mut fresh = BTreeMap::<i64, Vec<i64>>::new();
        for SetBit { place, .. } in bits {
            if known.insert(*place) {
                fresh.entry(place.list).or_default().push(place.index);
            }
        }
        for list in fresh.keys() {
            watch.soil(*list);
        }
        for (list, set) in fresh {
            self.tell(News::Revoked { list, set });
        }
    }

    /// What was revoked since a moment, for one who was away.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn since(&self, from: Sources<'_>, heard: Timestamp, now: Timestamp) -> Result<Since, StoreError> {
        let since = heard.minus(TAIL);
        if since < now.minus(from.bit_kept) || heard > now.plus(TAIL) {
            return Ok(Since::TooLongAgo);
        }
        let bits = status_bits::set_since(&mut from.store.read().await?, since, from.bit_kept, MOST_AT_ONCE).await?;
        if bits.len() >= MOST_AT_ONCE {
            return Ok(Since::TooLongAgo);
        }
        let of = by_list(&bits).into_iter();
        let news = of.map(|(list, set)| News::Revoked { list, set: set.iter().map(|place| place.index).collect() });
        Ok(Since::These(news.collect()))
    }

    /// Keys that were revoked lately; since a moment, with a margin, for one who was away since then.
    #[must_use]
    pub fn denied(&self, from: Sources<'_>, since: Option<Timestamp>, now: Timestamp) -> BTreeSet<KeyId> {
        let ring = from.keys.ring();
        let since = since.map(|since| since.minus(TAIL));
        denied(&ring, now).filter(|key| since.is_none_or(|since| key.changed_at >= since)).map(kid_of).collect()
    }

    /// Brings the lists up to date: signs what another process has not signed, and takes over what it has.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn publish(&self, from: Sources<'_>, now: Timestamp) -> Result<(), StoreError> {
        let _one = self.signing.lock().await;
        let wanted = self.watch.lock().await.wanted(now);
        let mut db = from.store.read().await?;
        let mut heads = status_tokens::heads(&mut db).await?;
        let ring = from.keys.ring();
        let due =
            |head: &Head| wanted.compare || wanted.dirty.contains_key(&head.list) || must_be_signed(head, &ring, now);
        let mut due: Vec<Head> = heads.iter().filter(|head| from.may_sign && due(head)).cloned().collect();
        if !due.is_empty() {
            // What waits longest for its bits first.
            due.sort_by_key(|head| !wanted.dirty.contains_key(&head.list));
            let seen = self.sign_all(&mut db, &wanted, due, from, now).await?;
            if wanted.compare {
                let mut watch = self.watch.lock().await;
                // What was read now and never looked at is news too. What a look has found meanwhile may be told again.
                self.learn(&mut watch, &seen);
                watch.known = Some(places(&seen));
                if watch.compare_anew <= wanted.count {
                    watch.compared_at = Some(now);
                }
            }
            heads = status_tokens::heads(&mut db).await?;
        }
        self.take_over(&mut db, heads).await
    }

    /// Signs list by list, so that each one that is done is done, however many there are. The bits that were seen last.
    async fn sign_all(
        &self,
        db: &mut Db,
        wanted: &Wanted,
        due: Vec<Head>,
        from: Sources<'_>,
        now: Timestamp,
    ) -> Result<Vec<SetBit>, StoreError> {
        let mut picture = Picture::take(db, from, now).await?;
        for head in due {
            if picture.taken.elapsed() >= OLDEST_PICTURE {
                picture = Picture::take(db, from, now).await?;
            }
            let places = picture.of.get(&head.list).map_or(&[][..], Vec::as_slice);
            let list = head.list;
            let is_said = match sign(&head, places, &wanted.denied, from, now) {
                Ok(None) => true,
                Ok(Some(signed)) => {
                    from.store.write(async move |tx| status_tokens::put(tx, &head, &signed).await).await?
                }
                Err(error) => {
                    tracing::error!(alarm = "status list", list, error, "a status list could not be signed");
                    false
                }
            };
            let mut watch = self.watch.lock().await;
            if !is_said {
                // Where another process was faster, it may not have seen what this one has.
                watch.soil(list);
            } else if watch.dirty.get(&list).is_some_and(|count| *count <= wanted.count) {
                watch.dirty.remove(&list);
            }
        }
        Ok(picture.bits)
    }

    /// Reads the tokens that are others than those at hand.
    async fn take_over(&self, db: &mut Db, heads: Vec<Head>) -> Result<(), StoreError> {
        let present = self.published.load_full();
        let mut lists = BTreeMap::new();
        for head in heads.into_iter().filter(|head| head.version > 0) {
            let same =
                present.get(&head.list).filter(|own| own.version == head.version && own.signed_at == head.signed_at());
            let list = match same {
                Some(list) => Arc::clone(list),
                None => match status_tokens::find(db, head.list).await? {
                    Some((version, signed_at, token)) => {
                        Arc::new(Published { token: Prepared::new(token.into_bytes()), version, signed_at })
                    }
                    None => continue,
                },
            };
            lists.insert(head.list, list);
        }
        let same = lists.len() == present.len()
            && lists.iter().all(|(number, list)| present.get(number).is_some_and(|own| Arc::ptr_eq(own, list)));
        if !same {
            self.published.store(Arc::new(lists));
        }
        Ok(())
    }

    fn tell(&self, news: News) {
        // Nobody may be listening.
        let _ = self.news.send(Arc::new(news));
    }
}

/// What a round of signing sets out to do.
#[derive(Debug)]
struct Wanted {
    /// Whether all lists are held against their bits.
    compare: bool,
    dirty: BTreeMap<i64, u64>,
    denied: BTreeSet<KeyId>,
    /// What is found later is for the next round.
    count: u64,
}

impl Watch {
    fn wanted(&self, now: Timestamp) -> Wanted {
        let compare = self.compared_at.is_none_or(|at| at > now || at.plus(COMPARED_AGAIN).has_passed(now));
        Wanted { compare, dirty: self.dirty.clone(), denied: self.denied.clone(), count: self.count }
    }

    /// A list does not say all any more.
    fn soil(&mut self, list: i64) {
        self.count += 1;
        self.dirty.insert(list, self.count);
    }

    /// No list may say all any more.
    fn compare_all(&mut self) {
        self.count += 1;
        self.compare_anew = self.count;
        self.compared_at = None;
    }
}

fn denied(ring: &KeyRing, now: Timestamp) -> impl Iterator<Item = &KeyRecord> {
    ring.records().filter(move |key| key.state == KeyState::Revoked && !key.changed_at.plus(DENIED_FOR).has_passed(now))
}

fn kid_of(key: &KeyRecord) -> KeyId {
    key.kid().clone()
}

fn places(bits: &[SetBit]) -> HashSet<StatusIndex> {
    bits.iter().map(|bit| bit.place).collect()
}

/// All bits, as they were read at a moment.
#[derive(Debug)]
struct Picture {
    taken: Instant,
    bits: Vec<SetBit>,
    of: BTreeMap<i64, Vec<StatusIndex>>,
}

impl Picture {
    async fn take(db: &mut Db, from: Sources<'_>, now: Timestamp) -> Result<Self, StoreError> {
        let taken = Instant::now();
        let bits = status_bits::all(db, from.bit_kept, now).await?;
        Ok(Self { taken, of: by_list(&bits), bits })
    }
}

/// Whether a list must be signed, whatever it says.
fn must_be_signed(head: &Head, ring: &KeyRing, now: Timestamp) -> bool {
    let known = ring.published().any(|key| key.kid().as_str() == head.kid);
    !known || head.signed_at().plus(SIGNED_AGAIN).has_passed(now) || head.signed_at() > now.plus(AHEAD)
}

fn by_list(bits: &[SetBit]) -> BTreeMap<i64, Vec<StatusIndex>> {
    let mut of = BTreeMap::<i64, Vec<StatusIndex>>::new();
    for bit in bits {
        of.entry(bit.place.list).or_default().push(bit.place);
    }
    of
}

/// Signs a list if what was signed last does not do any more.
fn sign(
    head: &Head,
    places: &[StatusIndex],
    denied: &BTreeSet<KeyId>,
    from: Sources<'_>,
    now: Timestamp,
) -> Result<Option<Signed>, String> {
    let content =
        Content::new(head.capacity, places.iter().copied(), denied.clone()).map_err(|error| error.to_string())?;
    let (begun, ring, digest) = (Instant::now(), from.keys.ring(), content.digest());
    let version = if digest == head.digest { head.version } else { head.version + 1 };
    if version == head.version && !must_be_signed(head, &ring, now) {
        return Ok(None);
    }
    let signer = ring.house_signer().ok_or("no key signs")?;
    let token = content.sign(head.list, version, from.issuer, signer, now).map_err(|error| error.to_string())?;
    let took = begun.elapsed().as_micros();
    tracing::debug!(
        list = head.list,
        version,
        set = places.len(),
        bytes = token.len(),
        took_us = took,
        "a status list was signed"
    );
    Ok(Some(Signed { list: head.list, version, digest, at: now, kid: signer.kid().as_str().to_owned(), token }))
}
