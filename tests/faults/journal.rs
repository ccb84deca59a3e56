//! What apps and people were told, and what they asked without hearing an answer.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::support::{Browser, Code, Tokens};

/// What was asked last, and not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Redeem,
    Refresh,
    Revoke,
}

/// One authorization as its app knows it.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    pub(crate) code: Code,
    /// One entry for each generation of the refresh token.
    pub(crate) tokens: Vec<Tokens>,
    pub(crate) asked: Option<Asked>,
    pub(crate) revoked: bool,
}

/// One visit of a person to the browser app, from the redeemed code on.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The browser as it is after the last answer.
    pub(crate) browser: Arc<Browser>,
    /// Whether the app has asked to sign out.
    pub(crate) leaving: bool,
    /// Whether it was told that this is done.
    pub(crate) left: bool,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry(usize);

/// Everything of one run. Whoever writes has the answer in hand; nothing is written between an answer and its entry.
#[derive(Debug)]
pub(crate) struct Journal {
    pages: Mutex<Pages>,
    answers: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Pages {
    authorizations: Vec<Authorization>,
    visits: Vec<Visit>,
}

impl Journal {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { pages: Mutex::default(), answers: watch::Sender::new(0) })
    }

    /// A code was given.
    pub(crate) fn given(&self, code: Code) -> Entry {
        let mut pages = self.pages.lock().unwrap();
        pages.authorizations.push(Authorization { code, tokens: Vec::new(), asked: None, revoked: false });
        let entry = Entry(pages.authorizations.len() - 1);
        drop(pages);
        self.count();
        entry
    }

    /// Something is about to be asked.
    pub(crate) fn asks(&self, Entry(at): Entry, asked: Asked) {
        self.pages.lock().unwrap().authorizations[at].asked = Some(asked);
    }

    /// Tokens came.
    pub(crate) fn received(&self, Entry(at): Entry, tokens: Tokens) {
        let mut pages = self.pages.lock().unwrap();
        pages.authorizations[at].asked = None;
        pages.authorizations[at].tokens.push(tokens);
        drop(pages);
        self.count();
    }

    /// The authorization was given back.
    pub(crate) fn revoked(&self, Entry(at): Entry) {
        let mut pages = self.pages.lock().unwrap();
        pages.authorizations[at].asked = None;
        pages.authorizations[at].revoked = true;
        drop(pages);
        self.count();
    }

    /// Somebody is signed in.
    pub(crate) fn arrived(&self, browser: Arc<Browser>) -> Entry {
        let mut pages = self.pages.lock().unwrap();
        pages.visits.push(Visit { browser, leaving: false, left: false });
        let entry = Entry(pages.visits.len() - 1);
        drop(pages);
        self.count();
        entry
    }

    /// The browser has had one more answer.
    pub(crate) fn stayed(&self) {
        self.count();
    }

    /// Signing out is about to be asked; `before` is a copy of the browser with all its cookies.
    pub(crate) fn leaves(&self, Entry(at): Entry, before: Browser) {
        let mut pages = self.pages.lock().unwrap();
        pages.visits[at].leaving = true;
        pages.visits[at].browser = Arc::new(before);
    }

    /// Signing out is done.
    pub(crate) fn left(&self, Entry(at): Entry) {
        self.pages.lock().unwrap().visits[at].left = true;
        self.count();
    }

    fn count(&self) {
        self.answers.send_modify(|answers| *answers += 1);
    }

    /// How many answers there were.
    pub(crate) fn answers(&self) -> usize {
        *self.answers.borrow()
    }

    /// Waits for so many answers.
    pub(crate) async fn until(&self, answers: usize) {
        self.answers.subscribe().wait_for(|so_far| *so_far >= answers).await.unwrap();
    }

    pub(crate) fn authorizations(&self) -> Vec<Authorization> {
        self.pages.lock().unwrap().authorizations.clone()
    }

    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.pages.lock().unwrap().visits.clone()
    }
}
