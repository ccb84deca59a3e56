//! Stories.

mod code_flow;
