//! The pages people see: for each a view (what the page needs to know) and a template of the same name.
//!
//! A view holds plain values; the handlers below it look them up. Nothing here reads a request or a database.

pub mod account;
pub mod admin;
pub mod at_app;
pub mod brand;
pub mod choose_account;
pub mod consent;
pub mod details;
pub mod device;
pub mod error;
pub mod form_post;
pub mod leaving;
pub mod login;
pub mod logout;
pub mod problem;
#[cfg(test)]
pub mod sample;
pub mod seen_from;
pub mod setup;
pub mod signed_out;

/// An app as people see it. Everything in it comes from outside and is shown as text only.
#[derive(Debug, Clone)]
pub struct AppShown {
    /// The client's name, or its client id when it has none.
    pub name: String,
    /// The host of the app, `notes.example.com`, when it has one.
    pub host: Option<String>,
}

/// A person as the pages show them.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name of that person, or the username when none is known.
    pub name: String,
    /// What the person signs in with.
    pub username: String,
}

impl AppShown {
    /// The letter that stands for the app in its tile.
    pub fn initial(&self) -> String {
        initial(&self.name)
    }
}

impl Person {
    /// The letter that stands for the person in its tile.
    pub fn initial(&self) -> String {
        initial(&self.name)
    }
}

fn initial(name: &str) -> String {
    name.chars()
        .find(|letter| letter.is_alphanumeric())
        .map_or_else(String::new, |letter| letter.to_uppercase().collect())
}
