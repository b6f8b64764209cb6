//! The inference process as a program of its own: what this crate's tests start. The appliance starts itself with a hidden
//! subcommand instead.

use std::process::ExitCode;

fn main() -> ExitCode {
    reader::inference::worker::child_main()
}
