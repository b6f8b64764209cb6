//! What the running service and systemd say about it. A service that does not answer is an answer, too.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

/// A service that is well answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than all of its figures are.
const LONGEST: u64 = 4 << 20;

/// Whether each part is well. What is wrong with one is a sentence that may name a path or a scanner, and is left out.
pub(super) fn health(listen: SocketAddr) -> Value {
    let Some(body) = get(listen, "/health/ready") else { return json!({ "status": "does not answer" }) };
    let report: Value = serde_json::from_str(&body).unwrap_or_default();
    let parts = report["parts"].as_object().into_iter().flatten();
    let parts: serde_json::Map<_, _> = parts.map(|(name, state)| (name.clone(), json!(state == "ok"))).collect();
    json!({ "status": report["status"], "parts_ok": parts })
}

/// Every figure; no label of ours comes from outside.
pub(super) fn metrics(listen: SocketAddr) -> String {
    get(listen, "/metrics").unwrap_or_else(|| "# the service does not answer\n".to_owned())
}

/// One page from the service on this machine.
fn get(listen: SocketAddr, path: &str) -> Option<String> {
    let address = if listen.ip().is_unspecified() { SocketAddr::new(loopback(listen), listen.port()) } else { listen };
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    // HTTP/1.0: the answer ends where the connection does.
    write!(socket, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.take(LONGEST).read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

fn loopback(listen: SocketAddr) -> IpAddr {
    if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

/// State, restarts and last exit of the units.
pub(super) fn units() -> String {
    let properties = "Id,ActiveState,SubState,Result,NRestarts,ExecMainStatus,ExecMainCode,ActiveEnterTimestamp,MemoryCurrent,TasksCurrent";
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["show", "--no-pager", "--property", properties, "hilum-appliance", "hilum-sync-agent"]);
    match systemctl.output() {
        Ok(done) if done.status.success() => String::from_utf8_lossy(&done.stdout).into_owned(),
        _ => "systemd does not answer on this machine\n".to_owned(),
    }
}
