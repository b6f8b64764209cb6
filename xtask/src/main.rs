//! The developer's commands: `cargo xtask demo`, `test`, `bench`, `torture`, `fuzz`, `setup`.

use std::process::ExitCode;

use clap::Parser;

mod app;
mod bench;
mod demo;
mod fuzz;
mod quality;
mod setup;
mod shell;
mod step;
mod test;
mod torture;

fn main() -> ExitCode {
    match app::run(app::Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\n✗ {error:#}");
            ExitCode::FAILURE
        }
    }
}
