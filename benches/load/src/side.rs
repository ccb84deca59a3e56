//! One of the two that are compared: where it listens, its process, and how codes are had from it.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::generator::{Collect, Connection, Talk, drive, shared};
use crate::requests;
use crate::subject::{Browser, REDIRECT_URI, Server};
use crate::{Result, failure};

/// A side of the comparison.
#[derive(Debug)]
pub(crate) struct Side {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The number of its process.
    pub(crate) pid: u32,
    server: Option<Server>,
    /// The product's authorization request with the cookies of a person who is signed in; none for the model.
    authorize: Option<Rc<[u8]>>,
}

impl Side {
    /// The product, with a person signed in.
    pub(crate) async fn product(server: Server) -> Result<Self> {
        let path = requests::authorize();
        let mut browser = Browser::open(server.address).await?;
        let location = browser.sign_in(&path).await?;
        if !location.starts_with(REDIRECT_URI) || !location.contains("code=") {
            return Err(failure(format!("signing in ended at {location}")));
        }
        let authorize = browser.get(&path);
        Ok(Self { address: server.address, pid: server.pid(), server: Some(server), authorize: Some(authorize.into()) })
    }

    /// The model.
    pub(crate) fn model(server: Server) -> Self {
        Self { address: server.address, pid: server.pid(), server: Some(server), authorize: None }
    }

    /// A model in this process.
    #[cfg(test)]
    pub(crate) fn here(address: SocketAddr) -> Self {
        Self { address, pid: std::process::id(), server: None, authorize: None }
    }

    /// Ends it in good order.
    pub(crate) fn stop(self) -> Result<()> {
        self.server.map_or(Ok(()), Server::stop)
    }

    /// Makes authorization codes; this is not measured.
    pub(crate) async fn codes(&self, count: usize, connections: usize) -> Result<Vec<String>> {
        match &self.authorize {
            Some(request) => {
                let found = shared(Vec::with_capacity(count));
                let connections = connections.min(count);
                let talks = (0..connections).map(|at| {
                    let left = count / connections + usize::from(at < count % connections);
                    Box::new(Collect { request: request.clone(), left, found: found.clone() }) as Box<dyn Talk>
                });
                drive(self.address, self.pid, talks.collect()).await?;
                Ok(found.take())
            }
            None => {
                let path = format!("/model/codes?count={count}");
                let mut connection = Connection::open(self.address).await?;
                let reply = connection.send(&requests::get(self.address, &path)).await?;
                if reply.status != 200 {
                    return Err(failure(format!("the model made no codes: {}", reply.text())));
                }
                Ok(reply.text().lines().map(str::to_owned).collect())
            }
        }
    }
}
