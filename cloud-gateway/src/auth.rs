//! Who may do what: passwords, second factors, session tokens, lock-outs and the one table of roles. It never speaks HTTP or SQL.

pub mod api_key;
pub mod kept_secret;
pub mod lockout;
pub mod one_time;
pub mod password;
pub mod roles;
pub mod sites;
pub mod token;
