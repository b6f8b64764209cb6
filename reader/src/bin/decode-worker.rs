//! The sandbox's child as a program of its own: what this crate's tests start, and what opens a quarantined file by hand.
//! The appliance starts itself with a hidden subcommand instead.

use std::process::ExitCode;

fn main() -> ExitCode {
    reader::pixels::sandbox::child_main()
}
