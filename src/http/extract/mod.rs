//! Strict readers of requests.

pub mod content_type;
pub mod form;
pub mod json;
