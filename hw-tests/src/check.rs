//! Which checks there are, how each of them may end, and what the program's exit code says of all of them. Pure.

use clap::ValueEnum;

use crate::table::Table;

/// What can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// TensorRT's engines are found at the second start.
    Cache,
    /// The GPU gives the CPU's answers.
    Parity,
    /// Images per second by batch size.
    Throughput,
    /// Minutes of full load: temperature, power, clock, and what throttles.
    Thermal,
    /// Memory of the host and of the card over many images.
    Memory,
    /// systemd restarts a service that hangs, and its model proves itself again.
    Watchdog,
    /// The slots of an A/B image.
    Slots,
}

impl Check {
    /// As `--only` has it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What a check found where it could look.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In one sentence.
    pub(crate) words: String,
    /// The figures.
    pub(crate) table: Option<Table>,
}

impl From<String> for Found {
    fn from(words: String) -> Self {
        Self { words, table: None }
    }
}

/// How a check ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It holds.
    Passed(Found),
    /// It does not, and why; with the figures where there are some.
    Failed(Found),
    /// This board has not what it takes, and what that is.
    Refused(String),
}

impl Outcome {
    pub(crate) fn failed(words: String) -> Self {
        Self::Failed(words.into())
    }

    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Failed(_) => "**failed**",
            Self::Refused(_) => "not offered here",
        }
    }

    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Passed(found) | Self::Failed(found) => &found.words,
            Self::Refused(words) => words,
        }
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match self {
            Self::Passed(found) | Self::Failed(found) => found.table.as_ref(),
            Self::Refused(_) => None,
        }
    }
}

/// A check failed.
const FAILED: u8 = 1;
/// This machine cannot answer the question.
pub(crate) const REFUSED: u8 = 2;

/// The exit code. What was asked for by name and refused is an answer that is missing; among all that the board offers it is
/// not.
pub(crate) fn exit_code<'o>(outcomes: impl IntoIterator<Item = &'o Outcome>, by_name: bool) -> u8 {
    let code = |outcome: &Outcome| match outcome {
        Outcome::Passed(_) => 0,
        // A failure outweighs a refusal.
        Outcome::Failed(_) => FAILED,
        Outcome::Refused(_) => {
            if by_name {
                REFUSED
            } else {
                0
            }
        }
    };
    let codes: Vec<u8> = outcomes.into_iter().map(code).collect();
    if codes.contains(&FAILED) { FAILED } else { codes.into_iter().max().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_a_refusal_and_a_refusal_counts_where_it_was_asked_for() {
        let passed = || Outcome::Passed(Found::default());
        let (failed, refused) = (|| Outcome::failed(String::new()), || Outcome::Refused(String::new()));
        for (outcomes, all, by_name) in [
            (vec![], 0, 0),
            (vec![passed(), passed()], 0, 0),
            (vec![passed(), refused()], 0, 2),
            (vec![refused(), failed(), passed()], 1, 1),
        ] {
            assert_eq!((exit_code(&outcomes, false), exit_code(&outcomes, true)), (all, by_name));
        }
    }
}
