//! Where somebody was seen: an address of the network, and the place it is in as far as that is known.

use askama::Template;

/// `seen_from.html`, a part of other pages.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "seen_from.html")]
pub struct SeenFrom {
    /// The address.
    pub address: String,
    /// The town and the country, if the operator has given a database of places that knows the address.
    pub place: Option<String>,
}

impl askama::filters::HtmlSafe for SeenFrom {}

#[cfg(test)]
impl SeenFrom {
    /// As the samples of pages show it.
    pub(in crate::http) fn sample(address: &str, place: Option<&str>) -> Self {
        Self { address: address.to_owned(), place: place.map(str::to_owned) }
    }
}
