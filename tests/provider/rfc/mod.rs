//! What the specifications ask for, one test for each demand. Each looks at the answer and at what stands afterwards.

mod cookie_mode;
mod cors;
