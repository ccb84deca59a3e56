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

use super::status_list::{Content, LIFE, SIGNED_AGAIN};
use crate::domain::id::KeyId;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;
use crate::keys::ring::{KeyRing, Keys, Prepared};
use crate::keys::state::KeyState;
use crate::store::status_bits::SetBit;
use crate::store::status_tokens::{Head, Signed};
use crate::store::{Db, Store, StoreError, status_bits, status_tokens};

/// How far back is looked for what was ended lately: longer than a unit of work takes to its commit.
const TAIL: Duration = Duration::from_secs(60);
/// After how long everything is compared, also what only time has changed.
const COMPARED_AGAIN: Duration = Duration::from_secs(60);
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
}

/// The lists of a process.
#[derive(Debug)]
pub struct StatusLists {
    published: ArcSwap<BTreeMap<i64, Arc<Published>>>,
    watch: Mutex<Watch>,
    news: broadcast::Sender<Arc<News>>,
}

#[derive(Debug, Default)]
struct Watch {
    /// Bits that are known to be set; `None` before the first look.
    known: Option<HashSet<StatusIndex>>,
    /// Lists with bits that their tokens do not say yet.
    dirty: BTreeSet<i64>,
    denied: BTreeSet<KeyId>,
    compared_at: Option<Timestamp>,
}

impl Default for StatusLists {
    fn default() -> Self {
        Self { published: ArcSwap::default(), watch: Mutex::default(), news: broadcast::Sender::new(NEWS_KEPT) }
    }
}

impl StatusLists {
    /// A list, while it can be vouched for.
    #[must_use]
    pub fn list(&self, list: i64) -> Option<Arc<Published>> {
        self.published.load().get(&list).cloned()
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

    /// Looks for what was ended lately and tells it.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn look(&self, from: Sources<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut watch = self.watch.lock().await;
        let denied = denied(&from.keys.ring(), now);
        for kid in denied.difference(&watch.denied) {
            self.tell(News::KidDenied(kid.clone()));
        }
        if denied != watch.denied {
            watch.denied = denied;
            // Every list says so.
            watch.compared_at = None;
        }
        let mut db = from.store.read().await?;
        let Some(known) = &mut watch.known else {
            let bits = status_bits::all(&mut db, from.bit_kept, now).await?;
            watch.known = Some(bits.iter().map(|bit| bit.place).collect());
            return Ok(());
        };
        let recent = status_bits::set_since(&mut db, now.minus(TAIL), from.bit_kept).await?;
        let mut fresh = BTreeMap::<i64, Vec<i64>>::new();
        for SetBit { place, .. } in recent {
            if known.insert(place) {
                fresh.entry(place.list).or_default().push(place.index);
            }
        }
        watch.dirty.extend(fresh.keys());
        for (list, set) in fresh {
            self.tell(News::Revoked { list, set });
        }
        Ok(())
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
        let bits = status_bits::set_since(&mut from.store.read().await?, since, from.bit_kept).await?;
        let of = by_list(&bits).into_iter();
        let news = of.map(|(list, set)| News::Revoked { list, set: set.iter().map(|place| place.index).collect() });
        Ok(Since::These(news.collect()))
    }

    /// Keys that were revoked lately.
    #[must_use]
    pub fn denied(&self, from: Sources<'_>, now: Timestamp) -> BTreeSet<KeyId> {
        denied(&from.keys.ring(), now)
    }

    /// Brings the lists up to date: signs what another process has not signed, and takes over what it has.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn publish(&self, from: Sources<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut watch = self.watch.lock().await;
        let mut db = from.store.read().await?;
        let begun = Instant::now();
        let mut heads = status_tokens::heads(&mut db).await?;
        let compare = watch.compared_at.is_none_or(|at| at.plus(COMPARED_AGAIN).has_passed(now));
        let ring = from.keys.ring();
        let due = |head: &Head| compare || watch.dirty.contains(&head.list) || must_be_signed(head, &ring, now);
        let due: Vec<Head> = heads.iter().filter(|head| due(head)).cloned().collect();
        if !due.is_empty() {
            let bits = status_bits::all(&mut db, from.bit_kept, now).await?;
            let of = by_list(&bits);
            let mut signed = Vec::new();
            for head in due {
                let places = of.get(&head.list).map_or(&[][..], Vec::as_slice);
                match sign(&head, places, &watch.denied, from, now) {
                    Ok(Some(token)) => signed.push((head, token)),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::error!(
                            alarm = "status list",
                            list = head.list,
                            error,
                            "a status list could not be signed"
                        );
                    }
                }
            }
            // What waited for too long is read again at the next look.
            if begun.elapsed() < OLDEST_PICTURE {
                if !signed.is_empty() {
                    put(from.store, signed).await?;
                    heads = status_tokens::heads(&mut db).await?;
                }
                watch.dirty.clear();
                if compare {
                    watch.known = Some(bits.into_iter().map(|bit| bit.place).collect());
                    watch.compared_at = Some(now);
                }
            }
        }
        self.take_over(&mut db, heads).await
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

fn denied(ring: &KeyRing, now: Timestamp) -> BTreeSet<KeyId> {
    ring.records()
        .filter(|key| key.state == KeyState::Revoked && !key.changed_at.plus(DENIED_FOR).has_passed(now))
        .map(|key| key.kid().clone())
        .collect()
}

/// Whether a list must be signed, whatever it says.
fn must_be_signed(head: &Head, ring: &KeyRing, now: Timestamp) -> bool {
    let known = ring.published().any(|key| key.kid().as_str() == head.kid);
    !known || head.signed_at().plus(SIGNED_AGAIN).has_passed(now)
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
    let (ring, digest) = (from.keys.ring(), content.digest());
    let version = if digest == head.digest { head.version } else { head.version + 1 };
    if version == head.version && !must_be_signed(head, &ring, now) {
        return Ok(None);
    }
    let signer = ring.house_signer().ok_or("no key signs")?;
    let token = content.sign(head.list, version, from.issuer, signer, now).map_err(|error| error.to_string())?;
    Ok(Some(Signed { list: head.list, version, digest, at: now, kid: signer.kid().as_str().to_owned(), token }))
}

/// Puts tokens where those are that they replace; one that another process was faster with is left.
async fn put(store: &Store, signed: Vec<(Head, Signed)>) -> Result<(), StoreError> {
    store
        .write(async move |tx| {
            for (before, signed) in &signed {
                status_tokens::put(tx, before, signed).await?;
            }
            Ok(())
        })
        .await
}
