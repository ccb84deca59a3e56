//! The cases that rest on a database. They live of one another: codes are exchanged, what they gave is refreshed and
//! introspected, and what is left is revoked.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{CONNECTIONS_TO_DATABASES, Case, Scale, both, in_turn};
use crate::generator::{Cycle, Measured, Queue, Redeem, Rotate, Spend, Talk, drive, shared};
use crate::side::Side;
use crate::{Result, failure, requests};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    CodeExchange,
    Refresh,
    Introspection,
    Revocation,
}

/// What a side has been given so far.
struct Held {
    codes: Queue,
    refresh: Queue,
    access: Queue,
}

/// One round on one database. Exchanges are always made; only the wanted figures come back.
pub(super) async fn round(
    scale: &Scale,
    pair: &(Side, Side),
    wanted: &BTreeMap<Kind, Case>,
    swapped: bool,
) -> Result<BTreeMap<Case, (Measured, Measured)>> {
    let sides = in_turn(pair, swapped);
    let mut held = Vec::new();
    for side in sides {
        let codes = side.codes(scale.codes, CONNECTIONS_TO_DATABASES).await?;
        held.push(Held { codes: shared(codes), refresh: shared(Vec::new()), access: shared(Vec::new()) });
    }
    let mut figures = BTreeMap::new();
    for kind in [Kind::CodeExchange, Kind::Refresh, Kind::Introspection, Kind::Revocation] {
        if kind != Kind::CodeExchange && !wanted.contains_key(&kind) {
            continue;
        }
        let mut measured = Vec::new();
        for (side, held) in sides.into_iter().zip(&held) {
            let talks = talks(kind, side, held, scale);
            measured.push(
                drive(side.address, side.pid, talks).await.map_err(|error| failure(format!("{kind:?}: {error}")))?,
            );
        }
        if let Some(case) = wanted.get(&kind) {
            figures.insert(*case, both(&measured, swapped)?);
        }
    }
    Ok(figures)
}

fn talks(kind: Kind, side: &Side, held: &Held, scale: &Scale) -> Vec<Box<dyn Talk>> {
    let address = side.address;
    match kind {
        Kind::CodeExchange => each(|_| Redeem {
            given: requests::redeem(address),
            codes: held.codes.clone(),
            refresh: held.refresh.clone(),
            access: held.access.clone(),
        }),
        Kind::Refresh => {
            let mut families = held.refresh.take();
            let share = families.len().div_ceil(CONNECTIONS_TO_DATABASES).max(1);
            each(|_| Rotate {
                given: requests::refresh(address),
                families: families.split_off(families.len().saturating_sub(share)),
                at: 0,
                left: scale.refreshes / CONNECTIONS_TO_DATABASES,
                done: held.refresh.clone(),
            })
        }
        Kind::Introspection => {
            let values: Rc<[String]> = held.access.borrow().clone().into();
            each(|at| Cycle {
                given: requests::introspect(address),
                values: values.clone(),
                at: at * values.len() / CONNECTIONS_TO_DATABASES,
                left: scale.introspections / CONNECTIONS_TO_DATABASES,
                contains: "\"active\":true",
            })
        }
        Kind::Revocation => {
            each(|_| Spend { given: requests::revoke(address), values: held.refresh.clone(), status: 200 })
        }
    }
}

fn each<T: Talk + 'static>(mut talk: impl FnMut(usize) -> T) -> Vec<Box<dyn Talk>> {
    (0..CONNECTIONS_TO_DATABASES).map(|at| Box::new(talk(at)) as Box<dyn Talk>).collect()
}
