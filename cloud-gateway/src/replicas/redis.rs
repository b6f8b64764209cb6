//! The counts in Redis, by Redis's own clock, what replicas tell each other through it, and the connection to it. Each
//! operation is one step there, so that two replicas can't count past each other. An operation that fails answers nothing and
//! is never tried again: its caller counts by itself until the connection is back.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    RedisResult, Script, TlsCertificates,
};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;

use super::window::{Limit, Standing, WINDOW_MS};
use crate::auth::lockout::{MAX_FAILURES, WAIT_MS};
use crate::config::RedisConfig;
use crate::live::{Letters, Live};

/// Longest time for one answer: a request that waits for it is still quick, and a Redis on the same network that needs
/// longer is no help.
const ANSWER: Duration = Duration::from_millis(500);

/// Longest time to connect, with TLS and a slow name server.
const CONNECT: Duration = Duration::from_secs(3);

/// How often an idle connection is asked whether it lives.
const PROBE: Duration = Duration::from_secs(2);

/// A Redis that restarts is back in a second; one that is being repaired need not be asked more often than this.
const BACKOFF: wire::backoff::Backoff =
    wire::backoff::Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(10) };

/// Where replicas tell each other what changed. The number changes with the letters' form, so that two releases side by side
/// don't misread each other.
const CHANNEL: &str = "hilum:live:1";

/// Letters that leave at once where several wait: one round trip for all of them.
const BUNDLE: usize = 64;

/// Largest letter that is opened: three names and their frame, with room.
const MAX_LETTER: usize = 4 * 1024;

/// The sliding window of `window.rs` once more, as one step. `KEYS`: the sender. `ARGV`: window in ms, limit.
static ADMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = time[1] * 1000 + math.floor(time[2] / 1000)
         local window, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
         local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0) or nil)
         while oldest and (oldest > now or now - oldest >= window) do
             redis.call('LPOP', KEYS[1])
             oldest = tonumber(redis.call('LINDEX', KEYS[1], 0) or nil)
         end
         local held = redis.call('LLEN', KEYS[1])
         if held >= limit then return {0, 0, oldest + window - now} end
         redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
         redis.call('PEXPIRE', KEYS[1], window)
         return {1, limit - held - 1, (oldest or now) + window - now}",
    )
});

/// Says what this room measures, once a recorder is there.
pub fn describe_metrics() {
    describe_counter!("redis_connections_lost_total", "Connections to Redis that ended unasked");
}

/// One Redis, there or not.
pub struct Redis {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
    lost: Notify,
}

impl Redis {
    /// Reads what `[redis]` names. Nothing is connected yet.
    ///
    /// # Errors
    /// [`RedisError`] where a file cannot be read, or the address is none.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisError> {
        let read =
            |file: &PathBuf| std::fs::read(file).map_err(|source| RedisError::File { file: file.clone(), source });
        let mut info = config.url.as_str().into_connection_info().map_err(RedisError::Address)?;
        // The third form of Redis's protocol brings answers and other replicas' letters over one connection.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        info = info.set_redis_settings(settings);
        if let Some(file) = &config.password_file {
            let password = String::from_utf8_lossy(&read(file)?).trim_end().to_owned();
            let settings = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(settings);
        }
        let root_cert = config.ca.as_ref().map(read).transpose()?;
        let client = if config.url.starts_with("rediss://") {
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
        } else {
            Client::open(info)
        };
        Ok(Self { client: client.map_err(RedisError::Address)?, connection: Mutex::default(), lost: Notify::new() })
    }

    /// Keeps a connection until `stop`, tells `part` whether there is one, and carries letters between `live` and the others.
    pub async fn keep(&self, part: &Part, live: &Arc<Live>, mut letters: Letters, stop: &CancellationToken) {
        let mut failures = 0;
        loop {
            let Some(ended) = stop.run_until_cancelled(self.attend(part, live, &mut letters)).await else { break };
            let had = self.lock().take().is_some();
            live.parted();
            failures = if had { 0 } else { failures + 1 };
            counter!("redis_connections_lost_total").increment(u64::from(had));
            part.degraded(&format!(
                "Redis does not answer ({ended}); until it does, each replica counts requests and failed sign-ins by itself, and \
                 pages ask for news from time to time instead of hearing them"
            ));
            let wait = BACKOFF.delay(failures, rand::random());
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                break;
            }
        }
        self.lock().take();
    }

    /// One connection, from its beginning to its end.
    async fn attend(&self, part: &Part, live: &Arc<Live>, letters: &mut Letters) -> redis::RedisError {
        let hearing = live.clone();
        let limits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_push_sender(move |push: PushInfo| -> Result<(), ()> {
                hear(&hearing, &push);
                Ok(())
            });
        let mut connection = match self.client.get_multiplexed_async_connection_with_config(&limits).await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
        if let Err(error) = connection.subscribe(CHANNEL).await {
            return error;
        }
        // What waited belongs to the time before, of which everybody is told that it was missed.
        while letters.0.try_recv().is_ok() {}
        let mut bundle = vec![live.joined()];
        *self.lock() = Some(connection.clone());
        part.up();
        loop {
            if let Err(error) = publish(&mut connection, &bundle).await {
                return error;
            }
            bundle.clear();
            bundle.extend(live.overflow());
            tokio::select! {
                _ = letters.0.recv_many(&mut bundle, BUNDLE) => {}
                // A request that met with an error asks for a look at once.
                _ = tokio::time::timeout(PROBE, self.lost.notified()) => {}
            }
        }
    }

    /// Counts a request; `None` where Redis is gone.
    pub async fn admit(&self, sender: IpAddr, limit: Limit) -> Option<Standing> {
        let mut connection = self.connection()?;
        let mut call = ADMIT.key(format!("hilum:requests:{sender}"));
        call.arg(WINDOW_MS).arg(limit.requests());
        let answer: RedisResult<(bool, u32, i64)> = call.invoke_async(&mut connection).await;
        let (admitted, remaining, wait_ms) = self.noted(answer)?;
        Some(Standing { admitted, remaining, wait_ms })
    }

    /// Milliseconds that this pair has to wait, if it has to; `None` around it where Redis is gone.
    pub async fn sign_in_wait(&self, username: &str, address: IpAddr) -> Option<Option<i64>> {
        let (mut connection, key) = (self.connection()?, pair(username, address));
        let mut both = redis::pipe();
        both.atomic().get(&key).pttl(&key);
        let answer: RedisResult<(Option<u32>, i64)> = both.query_async(&mut connection).await;
        let (failures, left) = self.noted(answer)?;
        Some((failures.unwrap_or(0) >= MAX_FAILURES && left > 0).then_some(left))
    }

    /// Notes a failure; true where it is the one that locks, `None` where Redis is gone.
    pub async fn sign_in_failed(&self, username: &str, address: IpAddr) -> Option<bool> {
        let (mut connection, key) = (self.connection()?, pair(username, address));
        let mut both = redis::pipe();
        both.atomic().incr(&key, 1).pexpire(&key, WAIT_MS).ignore();
        let answer: RedisResult<(u32,)> = both.query_async(&mut connection).await;
        self.noted(answer).map(|(failures,)| failures == MAX_FAILURES)
    }

    /// Forgets a pair that has signed in.
    pub async fn signed_in(&self, username: &str, address: IpAddr) {
        let Some(mut connection) = self.connection() else { return };
        let answer: RedisResult<()> = redis::cmd("DEL").arg(pair(username, address)).query_async(&mut connection).await;
        self.noted(answer);
    }

    fn connection(&self) -> Option<MultiplexedConnection> {
        self.lock().clone()
    }

    /// Lets nobody else wait for a connection that has failed; its keeper looks after it.
    fn noted<T>(&self, answer: RedisResult<T>) -> Option<T> {
        answer
            .inspect_err(|error| {
                tracing::debug!(%error, "Redis did not answer a request");
                self.lost.notify_one();
            })
            .ok()
    }

    fn lock(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends letters, or, where there are none, asks whether the connection lives.
async fn publish(connection: &mut MultiplexedConnection, letters: &[String]) -> RedisResult<()> {
    if letters.is_empty() {
        return redis::cmd("PING").query_async(connection).await;
    }
    let mut all = redis::pipe();
    for letter in letters {
        all.publish(CHANNEL, letter).ignore();
    }
    all.query_async(connection).await
}

/// Opens a letter: the second of a push's two parts (Redis's protocol, RESP3, "Pub/Sub").
fn hear(live: &Live, push: &PushInfo) {
    let (PushKind::Message, Some(letter)) = (&push.kind, push.data.get(1)) else { return };
    match Vec::<u8>::from_redis_value_ref(letter) {
        Ok(letter) if letter.len() <= MAX_LETTER => live.hear(&letter),
        _ => tracing::debug!("a message of another replica is too long"),
    }
}

/// A digest: people type passwords into the field for the name.
fn pair(username: &str, address: IpAddr) -> String {
    let digest = Sha256::new().chain_update(address.to_string()).chain_update([0]).chain_update(username).finalize();
    format!("hilum:sign-in:{}", hex::encode(digest))
}

/// A Redis that can't be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// No address, or none that this program can speak to.
    #[error("[redis] url or ca cannot be used; write redis://HOST:PORT or rediss://HOST:PORT, and PEM into ca")]
    Address(#[source] redis::RedisError),
    /// Not there, or not for us.
    #[error("{} ([redis] password_file or ca) cannot be read; correct its name or its rights", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_part_of_a_key_and_each_pair_has_its_own() {
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let key = pair("my-s3cret-password", here);
        assert!(!key.contains("s3cret"));
        assert_ne!(key, pair("my-s3cret-password", there));
        assert_ne!(key, pair("ada", here));
    }
}
