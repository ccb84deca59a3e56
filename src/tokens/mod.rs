//! Every token is born, read and ended here.

pub mod revoke;
