//! What a decoding process may ask of the kernel: to read what it was handed, to answer, to take memory and to end (seccomp(2)).
//! No file can be opened, no socket made, no program started and no other process touched, whatever a file made of a
//! decoder. A refused call fails as if the kernel did not have it (ENOSYS), so that libraries take the older way round.

use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule};

/// Why a decoding process works without its filter.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfinementError {
    /// There is no filter for this processor.
    #[error("no filter is known for this processor")]
    Processor,
    /// The filter is wrong: a mistake of ours.
    #[error("the filter could not be built")]
    Filter(#[from] seccompiler::BackendError),
    /// The kernel refused it.
    #[error("the kernel refused the filter")]
    Refused(#[from] seccompiler::Error),
}

/// Calls that are allowed whatever their arguments.
const ALLOWED: [i64; 30] = [
    // Jobs, the object and answers: on descriptors that are open already.
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Locks of the allocator and the standard library.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    // The clock, where the processor's own is not readable, and the seeds of hash maps.
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    // Threads of its own, which jpeg-decoder starts for its planes; they have this filter, too.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_set_tid_address,
    // Ending, also by abort(3) and by a stack overflow's handler.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_gettid,
];

/// Confines this thread, and with it a process that has no other, for good.
pub(super) fn confine() -> Result<(), ConfinementError> {
    let architecture = std::env::consts::ARCH.try_into().map_err(|_| ConfinementError::Processor)?;
    let mut rules: Vec<(i64, Vec<SeccompRule>)> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // Memory, and never memory that can be run.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
        rules.push((call, when(2, MaskedEq(executable), 0)?));
    }
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    rules.push((libc::SYS_clone, when(0, MaskedEq(thread), thread)?));
    // A signal to itself, which is how abort(3) ends; its own limits, which each job sets anew.
    let own = u64::from(std::process::id());
    rules.push((libc::SYS_tgkill, when(0, Eq, own)?));
    rules.push((libc::SYS_prlimit64, when(0, Eq, 0)?));
    let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules.into_iter().collect(), refused, SeccompAction::Allow, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    // Sets no_new_privs, too, without which an unprivileged process may not install a filter.
    Ok(seccompiler::apply_filter(&program)?)
}

/// The one rule that argument `index`, as 32 bits, compares to `value`.
fn when(
    index: u8,
    operator: seccompiler::SeccompCmpOp,
    value: u64,
) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    Ok(vec![SeccompRule::new(vec![SeccompCondition::new(index, Dword, operator, value)?])?])
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    use super::*;

    /// A filter holds for the thread that installs it, so a test may.
    #[test]
    fn a_confined_thread_opens_no_file_makes_no_socket_and_starts_no_program() {
        let refused = std::thread::spawn(|| {
            confine().unwrap();
            let kinds = [
                File::open("/etc/passwd").map(drop),
                File::create("/tmp/hilum-confinement").map(drop),
                std::fs::metadata("/etc/passwd").map(drop),
                std::fs::remove_file("/etc/passwd"),
                TcpListener::bind("127.0.0.1:0").map(drop),
                UdpSocket::bind("127.0.0.1:0").map(drop),
                UnixStream::pair().map(drop),
                Command::new("/bin/true").status().map(drop),
                rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::CONT)
                    .map_err(io::Error::from),
            ];
            // And yet it works: memory, threads, locks and the clock.
            let sum: u64 = std::thread::spawn(|| vec![1u64; 10_000_000].iter().sum()).join().unwrap();
            let _ = std::time::Instant::now();
            (kinds.map(|outcome| outcome.map_err(|error| error.kind())), sum)
        });
        let (outcomes, sum) = refused.join().unwrap();
        for (number, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(outcome, Err(io::ErrorKind::Unsupported), "attempt {number}");
        }
        assert_eq!(sum, 10_000_000);
        assert!(!std::path::Path::new("/tmp/hilum-confinement").exists());
    }
}
