//! A cable that we may pull: a TCP proxy in front of one port, which can be cut, go silent with both ends believing in it,
//! be slow, or reset. It looks into nothing that it carries.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::net::sockopt::set_socket_linger;

/// How the cable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Whole.
    #[default]
    Whole,
    /// Nobody gets through, and who was through is hung up.
    Cut,
    /// Half-open: bytes vanish, and whoever lost one has lost the connection without being told, for ever.
    Silent,
    /// Each piece takes so long.
    Slow(Duration),
}

/// A cable; dropped, it is cut.
#[derive(Debug)]
pub struct Line {
    /// Where to call instead of the port behind it, on `localhost`.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    condition: Mutex<Condition>,
    calls: Mutex<Vec<Arc<Call>>>,
    over: AtomicBool,
}

/// Both ends of one connection.
#[derive(Debug)]
struct Call {
    ends: [TcpStream; 2],
    /// A byte of it vanished.
    dead: AtomicBool,
}

impl Line {
    /// Lays one to a port on 127.0.0.1.
    ///
    /// # Errors
    /// Where there is no free port.
    pub fn to(target: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port for a line")?;
        let port = listener.local_addr().context("the line's port is not known")?.port();
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        thread::spawn(move || {
            for caller in listener.incoming() {
                if ours.over.load(Ordering::Relaxed) {
                    return;
                }
                // A caller that is gone already, or a target that does not answer, is hung up by being dropped.
                let _ = caller.and_then(|caller| ours.connect(caller, target));
            }
        });
        Ok(Self { port, shared })
    }

    /// Makes it so.
    pub fn set(&self, condition: Condition) {
        *lock(&self.shared.condition) = condition;
        if condition == Condition::Cut {
            self.hang_up(false);
        }
    }

    /// Ends every connection with a reset, as a firewall that forgot them does.
    pub fn reset(&self) {
        self.hang_up(true);
    }

    fn hang_up(&self, reset: bool) {
        for call in lock(&self.shared.calls).drain(..) {
            if reset { call.reset() } else { call.end() }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.hang_up(false);
        // Wakes the listener up, so that it ends.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, caller: TcpStream, target: u16) -> std::io::Result<()> {
        if *lock(&self.condition) == Condition::Cut {
            return Ok(());
        }
        let called = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
        caller.set_nodelay(true)?;
        called.set_nodelay(true)?;
        let call = Arc::new(Call { ends: [caller, called], dead: AtomicBool::new(false) });
        for from in [0, 1] {
            let (shared, call) = (Arc::clone(self), Arc::clone(&call));
            let (reader, writer) = (call.ends[from].try_clone()?, call.ends[1 - from].try_clone()?);
            thread::spawn(move || shared.carry(&call, reader, writer));
        }
        lock(&self.calls).push(call);
        Ok(())
    }

    /// One direction until its end.
    fn carry(&self, call: &Arc<Call>, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(bytes @ 1..) = from.read(&mut piece) {
            let condition = *lock(&self.condition);
            match condition {
                Condition::Silent => call.dead.store(true, Ordering::Relaxed),
                Condition::Slow(time) => thread::sleep(time),
                Condition::Whole | Condition::Cut => {}
            }
            if !call.dead.load(Ordering::Relaxed) && to.write_all(&piece[..bytes]).is_err() {
                break;
            }
        }
        if !call.dead.load(Ordering::Relaxed) {
            call.end();
            lock(&self.calls).retain(|other| !Arc::ptr_eq(other, call));
        }
        // Of a dead one the other end is never told: it stays open until it is given up there.
    }
}

impl Call {
    /// A zero linger time makes a close send RST instead of FIN (socket(7)); both directions end, and the last of them closes.
    fn reset(&self) {
        self.dead.store(true, Ordering::Relaxed);
        for end in &self.ends {
            let _ = set_socket_linger(end, Some(Duration::ZERO));
            let _ = end.shutdown(Shutdown::Read);
        }
    }

    fn end(&self) {
        // One that is closed already is as good.
        let _ = self.ends.iter().try_for_each(|end| end.shutdown(Shutdown::Both));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    /// Says back what it hears.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for caller in listener.incoming().map(Result::unwrap) {
                thread::spawn(move || std::io::copy(&mut &caller, &mut &caller));
            }
        });
        port
    }

    fn call(port: u16) -> TcpStream {
        let call = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        call.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        call
    }

    fn answer(call: &mut TcpStream) -> Result<u8, ErrorKind> {
        call.write_all(b"x").map_err(|error| error.kind())?;
        let mut byte = [0];
        call.read_exact(&mut byte).map(|()| byte[0]).map_err(|error| error.kind())
    }

    #[test]
    fn it_carries_is_cut_is_mended_and_is_reset() {
        let line = Line::to(echo()).unwrap();
        let mut first = call(line.port);
        assert_eq!(answer(&mut first), Ok(b'x'));
        line.set(Condition::Cut);
        assert!(answer(&mut first).is_err() && answer(&mut call(line.port)).is_err());
        line.set(Condition::Slow(Duration::from_millis(20)));
        let mut second = call(line.port);
        assert_eq!(answer(&mut second), Ok(b'x'));
        line.set(Condition::Whole);
        line.reset();
        assert!(answer(&mut second).is_err());
        assert_eq!(answer(&mut call(line.port)), Ok(b'x'));
    }

    #[test]
    fn who_lost_a_byte_in_silence_hears_nothing_ever_again_and_is_not_hung_up() {
        let line = Line::to(echo()).unwrap();
        let mut lost = call(line.port);
        assert_eq!(answer(&mut lost), Ok(b'x'));
        line.set(Condition::Silent);
        let nothing = [Err(ErrorKind::WouldBlock), Err(ErrorKind::TimedOut)];
        assert!(nothing.contains(&answer(&mut lost)));
        line.set(Condition::Whole);
        assert!(nothing.contains(&answer(&mut lost)), "it is open and dead");
        assert_eq!(answer(&mut call(line.port)), Ok(b'x'), "a new one is well");
    }
}
