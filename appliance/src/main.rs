//! Receives radiographs over DICOM, reads them, and journals every result.

use std::process::ExitCode;

use appliance::commands::Arguments;
use clap::Parser;
use vitals::config::ConfigError;

/// Exit status for mistakes in a configuration, as for mistakes on the command line.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(code) => code,
        Err(error) => {
            let code = vitals::exit::failed("hilum-appliance", error.as_ref());
            if error.is::<ConfigError>() { ExitCode::from(MISTAKE) } else { code }
        }
    }
}
