//! A service's signs of life, the same for the three of them: how it reads its configuration, logs, what it measures, how it says that it is well
//! or what is wrong, how it binds its address, and how it ends. It knows nothing about images or queues.

pub mod broker;
pub mod config;
pub mod exit;
pub mod health;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod notify;
pub mod shutdown;
