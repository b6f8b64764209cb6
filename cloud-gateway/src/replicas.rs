//! What several gateways know together: how many requests an address has sent, who fails to sign in, and what has just
//! changed. One gateway alone keeps it in its memory; with Redis, all of them keep it there. While Redis is gone each goes on by itself and
//! says so: nobody is turned away for it, and no request fails. It never holds anything of a patient.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use vitals::health::Health;

pub mod redis;
pub mod window;

use self::redis::{Redis, RedisError};
use crate::auth::lockout::Lockout;
use crate::config::{Config, RedisConfig};
use crate::domain::when::UnixMs;
use crate::live::Live;
use window::{Limit, Standing, Windows};

/// Who counts.
pub enum Replicas {
    /// This process, for itself.
    Alone(Own),
    /// All that name the same Redis; this process for itself while Redis is gone.
    Together(Arc<Redis>, Own),
}

/// This process's own counts.
pub struct Own {
    limit: Option<Limit>,
    windows: Mutex<Windows>,
    lockout: Mutex<Lockout>,
}

impl Replicas {
    /// As the configuration has it. Nothing is connected yet.
    ///
    /// # Errors
    /// [`RedisError`] where a file of `[redis]` cannot be read, or its address is none.
    pub fn new(config: &Config) -> Result<Self, RedisError> {
        let own = Own::new(Limit::per_minute(config.http.requests_per_minute));
        let together = |redis: &RedisConfig| Redis::new(redis).map(Arc::new);
        Ok(match config.redis.as_ref().map(together).transpose()? {
            Some(redis) => Self::Together(redis, own),
            None => Self::Alone(own),
        })
    }

    /// The connection to keep, if there is one to be kept, and what this replica tells of changes: to the others over it, or
    /// to its own pages alone.
    pub fn keeper(
        &self,
        health: &Health,
        stop: CancellationToken,
    ) -> (Arc<Live>, Option<impl Future<Output = ()> + use<>>) {
        let Some(redis) = self.redis().cloned() else { return (Arc::new(Live::alone(rand::random())), None) };
        let (live, letters) = Live::together(rand::random());
        let (live, part) = (Arc::new(live), health.part("redis", "not connected yet"));
        part.degraded("not connected yet; until then this replica counts requests and failed sign-ins by itself");
        let told = live.clone();
        (live, Some(async move { redis.keep(&part, &told, letters, &stop).await }))
    }

    /// Counts a request of this address; `None` where nothing is limited.
    pub async fn admit(&self, address: IpAddr, now: UnixMs) -> Option<(Limit, Standing)> {
        let limit = self.own().limit?;
        let standing = match self.redis() {
            Some(redis) => redis.admit(address, limit).await,
            None => None,
        };
        Some((limit, standing.unwrap_or_else(|| self.own().windows().admit(address, limit, now))))
    }

    /// Milliseconds that this pair has to wait before it may try to sign in, if it has to.
    pub async fn sign_in_wait(&self, username: &str, address: IpAddr, now: UnixMs) -> Option<i64> {
        let here = self.own().lockout().wait(username, address, now);
        match self.redis() {
            Some(redis) => redis.sign_in_wait(username, address).await.flatten().max(here),
            None => here,
        }
    }

    /// Notes a failure to sign in; true where it is the one that locks.
    pub async fn sign_in_failed(&self, username: &str, address: IpAddr, now: UnixMs) -> bool {
        // Counted here as well: who is being guessed at stays locked out of this replica when Redis goes.
        let here = self.own().lockout().failed(username, address, now);
        match self.redis() {
            Some(redis) => redis.sign_in_failed(username, address).await.unwrap_or(here),
            None => here,
        }
    }

    /// Forgets a pair that has signed in.
    pub async fn signed_in(&self, username: &str, address: IpAddr) {
        self.own().lockout().succeeded(username, address);
        if let Some(redis) = self.redis() {
            redis.signed_in(username, address).await;
        }
    }

    fn own(&self) -> &Own {
        match self {
            Self::Alone(own) | Self::Together(_, own) => own,
        }
    }

    fn redis(&self) -> Option<&Arc<Redis>> {
        match self {
            Self::Alone(_) => None,
            Self::Together(redis, _) => Some(redis),
        }
    }
}

impl Own {
    fn new(limit: Option<Limit>) -> Self {
        Self { limit, windows: Mutex::default(), lockout: Mutex::default() }
    }

    // Counters have no invariant that a panic could break.
    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lockout(&self) -> MutexGuard<'_, Lockout> {
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
