//! What is asked of the machine: processes and their costs, probes, a throwaway PostgreSQL.

pub(crate) mod clock;
pub(crate) mod postgres;
pub(crate) mod probes;
pub(crate) mod process;
