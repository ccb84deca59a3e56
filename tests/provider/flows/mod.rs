//! Stories: what people and apps do, told through the protocol. Each looks at the answer and at what stands afterwards.

mod account_room;
mod admin_api;
mod admin_api_keys;
mod admin_room;
mod audience;
mod authorize_ways;
mod canary;
mod clock;
mod code_flow;
mod cookie_mode;
mod direct_login;
mod directory;
mod end_of_session;
mod introspection;
mod keys;
mod logout;
mod metadata;
mod prompts;
mod refresh;
mod revocation;
mod second_try;
mod set_up;
mod sign_in;
mod told_of_logouts;
mod userinfo;
