//! The commands of this repository: `cargo xtask setup`, `demo`, `size`, `test`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "telling what happens is what these commands are for")]

mod demo;
mod size;
mod test;
mod tools;

use std::env;
use std::process::ExitCode;

use crate::test::Step;
use crate::tools::{Tool, Toolbox};

/// A message for whoever typed the command.
type Result<T, E = String> = std::result::Result<T, E>;

const USAGE: &str = "\
cargo xtask setup            install what the other commands need: wasm target, wasm-bindgen, Trunk, wasm-opt, npm packages
cargo xtask demo [--release] set up, then serve the demo and its OpenID provider
cargo xtask size [--json]    what tokenkeep adds to a Leptos app, in bytes
cargo xtask test [STEP...]   set up, then run everything, or only the steps named:
                             fmt clippy docs native provider wasm e2e size
cargo xtask help             this text";

#[derive(Debug, PartialEq)]
enum Task {
    Demo { release: bool },
    Help,
    Setup,
    Size { json: bool },
    Test(Vec<Step>),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match parse(&arguments) {
        Ok(task) => run(task),
        Err(problem) => Err(format!("{problem}\n\n{USAGE}")),
    };
    match done {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[&str]) -> Result<Task> {
    match arguments {
        ["demo"] => Ok(Task::Demo { release: false }),
        ["demo", "--release"] => Ok(Task::Demo { release: true }),
        ["help" | "--help" | "-h"] => Ok(Task::Help),
        ["setup"] => Ok(Task::Setup),
        ["size"] => Ok(Task::Size { json: false }),
        ["size", "--json"] => Ok(Task::Size { json: true }),
        ["test"] => Ok(Task::Test(Step::ALL.to_vec())),
        ["test", names @ ..] => names.iter().map(|name| Step::named(name)).collect::<Result<_>>().map(Task::Test),
        [] => Err("which command?".into()),
        other => Err(format!("no such command: {}", other.join(" "))),
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Demo { release } => demo::serve(release),
        Task::Help => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Task::Setup => {
            let mut toolbox = Toolbox::new()?;
            toolbox.provide(&[Tool::WasmTarget, Tool::WasmBindgen, Tool::Trunk, Tool::Binaryen, Tool::ProviderPackages])?;
            eprintln!("Ready: `cargo xtask demo` serves the demo.");
            Ok(ExitCode::SUCCESS)
        }
        Task::Size { json } => {
            let sizes = size::measure(&mut Toolbox::new()?)?;
            println!("{}", if json { sizes.json() } else { sizes.table() });
            Ok(ExitCode::SUCCESS)
        }
        Task::Test(steps) => Ok(test::run(&steps)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_without_names_runs_every_step() {
        assert_eq!(parse(&["test"]), Ok(Task::Test(Step::ALL.to_vec())));
    }

    #[test]
    fn a_test_with_names_runs_those_in_the_order_given() {
        assert_eq!(parse(&["test", "wasm", "fmt"]), Ok(Task::Test(vec![Step::Wasm, Step::Fmt])));
    }

    #[test]
    fn an_unknown_step_is_named() {
        assert_eq!(parse(&["test", "fmt", "fast"]), Err("no such step: fast".into()));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert_eq!(parse(&["size", "--yaml"]), Err("no such command: size --yaml".into()));
    }
}
