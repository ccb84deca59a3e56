//! Apps and people at work, without a pause.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::journal::{Asked, Journal};
use crate::support::{ALICE, BOB, Browser, RelyingParty, Server, TestProvider};

/// Everybody at work. They never finish by themselves.
#[derive(Debug)]
pub(crate) struct Load {
    provider: TestProvider,
    tasks: JoinSet<()>,
}

impl Load {
    /// Two of each kind for each browser: an app that takes codes, redeems, refreshes and revokes, and beside it people who come
    /// to the browser app with both cookies, and sign out.
    pub(crate) fn start(provider: &TestProvider, browsers: &[Arc<Browser>], journal: &Arc<Journal>) -> Self {
        let mut tasks = JoinSet::new();
        for (at, browser) in browsers.iter().enumerate() {
            tasks.spawn(relies(provider.client("web"), Arc::clone(browser), Arc::clone(journal), at));
        }
        for at in 0..2 {
            tasks.spawn(visits(provider.clone(), Arc::clone(journal), at));
        }
        Self { provider: provider.clone(), tasks }
    }

    /// Apps that do nothing but refresh.
    pub(crate) fn refreshing(provider: &TestProvider, tokens: Vec<String>, journal: &Arc<Journal>) -> Self {
        let mut tasks = JoinSet::new();
        for token in tokens {
            tasks.spawn(refreshes(provider.client("web"), token, Arc::clone(journal)));
        }
        Self { provider: provider.clone(), tasks }
    }

    /// Waits for something, and fails with whoever fails meanwhile.
    pub(crate) async fn during<T>(&mut self, something: impl Future<Output = T>) -> T {
        tokio::select! {
            output = something => output,
            ended = self.tasks.join_next() => match ended {
                Some(Err(error)) => {
                    self.provider.server(Server::print_last_words);
                    std::panic::resume_unwind(error.into_panic());
                }
                other => panic!("they do not end by themselves: {other:?}"),
            },
        }
    }

    /// Sends everybody home, whatever they wait for.
    pub(crate) async fn end(mut self) {
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                _ => {}
            }
        }
    }
}

/// Browsers in which people are signed in.
pub(crate) async fn signed_in(provider: &TestProvider, count: usize) -> Vec<Arc<Browser>> {
    let mut browsers = Vec::new();
    for _ in 0..count {
        let browser = provider.browser();
        browser.sign_in(ALICE).await;
        browsers.push(Arc::new(browser));
    }
    browsers
}

async fn relies(app: RelyingParty, browser: Arc<Browser>, journal: Arc<Journal>, first: usize) {
    for life in first.. {
        let code = app.code_at(&browser, ALICE).await;
        let entry = journal.given(code.clone());
        if life % 7 == 0 {
            continue;
        }
        journal.asks(entry, Asked::Redeem);
        let mut tokens = app.redeem(&code).await.expect_tokens();
        journal.received(entry, tokens.clone());
        for _ in 0..life % 5 {
            journal.asks(entry, Asked::Refresh);
            tokens = app.refresh(&tokens.refresh).await.expect_tokens();
            journal.received(entry, tokens.clone());
        }
        if life % 3 == 0 {
            journal.asks(entry, Asked::Revoke);
            app.revoke(&tokens.refresh).await.expect(200);
            journal.revoked(entry);
        }
    }
}

async fn visits(provider: TestProvider, journal: Arc<Journal>, first: usize) {
    let app = provider.client("spa");
    for visit in first.. {
        let browser = Arc::new(provider.browser());
        app.signed_in_at(&browser, BOB).await;
        let entry = journal.arrived(Arc::clone(&browser));
        for _ in 0..3 {
            app.refresh_at(&browser).await.expect_tokens();
            journal.stayed();
        }
        if visit % 2 == 0 {
            journal.leaves(entry, browser.copied_to("127.0.0.1"));
            app.fetch(&browser, "/oauth2/browser/logout", &[("scope", "session")]).await.expect(204);
            journal.left(entry);
        }
    }
}

async fn refreshes(app: RelyingParty, mut token: String, journal: Arc<Journal>) {
    loop {
        token = app.refresh(&token).await.expect_tokens().refresh;
        journal.stayed();
    }
}
