//! Who may do what: passwords, session tokens, lock-outs and the one table of roles. It never speaks HTTP or SQL.

pub mod lockout;
pub mod password;
pub mod roles;
pub mod sites;
pub mod token;
