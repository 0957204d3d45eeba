//! Runs many seeds of the simulation in `tests/simulation.rs`, which prints what it did. The exit code says whether all held.

use std::process::ExitCode;

use crate::Result;
use crate::tools::Toolbox;

#[derive(Debug, PartialEq)]
pub(crate) struct Seeds {
    count: u64,
    from: u64,
}

impl Seeds {
    pub(crate) fn read(arguments: &[&str]) -> Result<Seeds> {
        let mut seeds = Seeds { count: 100_000, from: 0 };
        let mut arguments = arguments.iter();
        while let Some(&option) = arguments.next() {
            let value = match option {
                "--seeds" => &mut seeds.count,
                "--from" => &mut seeds.from,
                other => return Err(format!("no such option: {other}")),
            };
            *value = arguments.next().and_then(|number| number.parse().ok()).ok_or_else(|| format!("{option} wants a number"))?;
        }
        Ok(seeds)
    }
}

pub(crate) fn run(seeds: &Seeds) -> Result<ExitCode> {
    let status = Toolbox::new()?
        .cargo()
        .args(["test", "--profile", "simulate", "--test", "world", "simulation::", "--", "--nocapture"])
        .env("TOKENKEEP_SEEDS", seeds.count.to_string())
        .env("TOKENKEEP_FROM", seeds.from.to_string())
        .status()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_as_many_as_asked_for() {
        assert_eq!(Seeds::read(&["--from", "7", "--seeds", "12"]), Ok(Seeds { count: 12, from: 7 }));
        assert_eq!(Seeds::read(&[]), Ok(Seeds { count: 100_000, from: 0 }));
    }

    #[test]
    fn what_is_no_number_of_seeds_is_refused() {
        assert_eq!(Seeds::read(&["--seeds", "many"]), Err("--seeds wants a number".into()));
        assert_eq!(Seeds::read(&["--from"]), Err("--from wants a number".into()));
        assert_eq!(Seeds::read(&["--fast"]), Err("no such option: --fast".into()));
    }
}
