//! The commands of this repository: `cargo xtask setup`, `bench`, `demo`, `fuzz`, `npm`, `simulate`, `size`, `test`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "telling what happens is what these commands are for")]

mod bench;
mod browser;
mod demo;
mod fuzz;
mod npm;
mod simulate;
mod size;
mod test;
mod tools;

use std::env;
use std::process::ExitCode;

use crate::browser::Browser;
use crate::fuzz::Plan;
use crate::simulate::Seeds;
use crate::test::Step;
use crate::tools::{Tool, Toolbox};

/// A message for whoever typed the command.
type Result<T, E = String> = std::result::Result<T, E>;

const USAGE: &str = "\
cargo xtask setup            install what the other commands need: wasm target, wasm-bindgen, Trunk, wasm-opt, C++, npm packages, browsers
cargo xtask bench            the npm package beside other libraries: bytes, time, calls, memory, written to bench/RESULTS.md
cargo xtask demo [--release] set up, then serve the demo and its OpenID provider
cargo xtask fuzz [SECONDS] [TARGET]
                             inputs that coverage leads to, for every reader or the one named, a minute each unless it is said:
                             callback jws metadata token_response www_authenticate
cargo xtask npm              build the npm package in pkg/, and say how large it is
cargo xtask simulate [--seeds N] [--from SEED]
                             many tabs, a provider and a user in virtual time: what must hold, holds
cargo xtask size [--json]    what tokenkeep adds to a Leptos app, in bytes
cargo xtask test [STEP...]   set up, then run everything, or only the steps named:
                             fmt clippy docs native provider wasm e2e page npm www fuzz size
        [--browser NAME]     wasm and e2e in chromium (the default), firefox, webkit, or all of them
cargo xtask help             this text";

#[derive(Debug, PartialEq)]
enum Task {
    Bench,
    Demo { release: bool },
    Fuzz(Plan),
    Help,
    Npm,
    Setup,
    Simulate(Seeds),
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
        ["bench"] => Ok(Task::Bench),
        ["demo"] => Ok(Task::Demo { release: false }),
        ["demo", "--release"] => Ok(Task::Demo { release: true }),
        ["fuzz", arguments @ ..] => Plan::read(arguments).map(Task::Fuzz),
        ["help" | "--help" | "-h"] => Ok(Task::Help),
        ["npm"] => Ok(Task::Npm),
        ["setup"] => Ok(Task::Setup),
        ["simulate", arguments @ ..] => Seeds::read(arguments).map(Task::Simulate),
        ["size"] => Ok(Task::Size { json: false }),
        ["size", "--json"] => Ok(Task::Size { json: true }),
        ["test", arguments @ ..] => steps(arguments).map(Task::Test),
        [] => Err("which command?".into()),
        other => Err(format!("no such command: {}", other.join(" "))),
    }
}

/// The steps named, or else every one, in the browsers named, or else in Chromium alone.
fn steps(arguments: &[&str]) -> Result<Vec<Step>> {
    let (mut names, mut browsers) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(&argument) = arguments.next() {
        if argument == "--browser" {
            browsers = Browser::named(arguments.next().ok_or("which browser?")?)?;
        } else {
            names.push(argument);
        }
    }
    if names.is_empty() {
        names.extend(Step::NAMES);
    }
    if browsers.is_empty() {
        browsers.push(Browser::Chromium);
    }
    let steps: Vec<_> = names.into_iter().map(|name| Step::named(name, &browsers)).collect::<Result<_>>()?;
    Ok(steps.concat())
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Bench => bench::run(&mut Toolbox::new()?),
        Task::Demo { release } => demo::serve(release),
        Task::Fuzz(plan) => fuzz::run(&plan),
        Task::Help => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Task::Npm => npm::build(&mut Toolbox::new()?),
        Task::Setup => {
            let mut toolbox = Toolbox::new()?;
            toolbox.provide(&[
                Tool::WasmTarget,
                Tool::WasmBindgen,
                Tool::Trunk,
                Tool::Binaryen,
                Tool::Cxx,
                Tool::Packages("demo/provider"),
            ])?;
            toolbox.provide(&Browser::ALL.map(Tool::Browser))?;
            eprintln!("Ready: `cargo xtask demo` serves the demo, `cargo xtask test --browser all` tests everything.");
            Ok(ExitCode::SUCCESS)
        }
        Task::Simulate(seeds) => simulate::run(&seeds),
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
    fn a_test_without_names_runs_every_step_in_chromium() {
        let every = [
            Step::Fmt,
            Step::Clippy,
            Step::Docs,
            Step::Native,
            Step::Provider,
            Step::Wasm(Browser::Chromium),
            Step::E2e(Browser::Chromium),
            Step::Page(Browser::Chromium),
            Step::Npm,
            Step::Www(Browser::Chromium),
            Step::Fuzz,
            Step::Size,
        ];
        assert_eq!(parse(&["test"]), Ok(Task::Test(every.to_vec())));
    }

    #[test]
    fn a_test_with_names_runs_those_in_the_order_given() {
        assert_eq!(parse(&["test", "wasm", "fmt"]), Ok(Task::Test(vec![Step::Wasm(Browser::Chromium), Step::Fmt])));
    }

    #[test]
    fn a_test_with_a_browser_runs_in_that() {
        let expected = Ok(Task::Test(vec![Step::E2e(Browser::Firefox), Step::Fmt]));
        assert_eq!(parse(&["test", "e2e", "fmt", "--browser", "firefox"]), expected);
        assert_eq!(parse(&["test", "--browser", "firefox", "e2e", "fmt"]), expected);
    }

    #[test]
    fn a_test_with_all_browsers_runs_the_rest_once() {
        let Ok(Task::Test(steps)) = parse(&["test", "--browser", "all"]) else { panic!("not a test") };
        assert_eq!(steps.iter().filter(|step| matches!(step, Step::E2e(_))).count(), Browser::ALL.len());
        assert_eq!(steps.iter().filter(|step| **step == Step::Clippy).count(), 1);
    }

    #[test]
    fn a_browser_that_is_not_named_is_asked_for() {
        assert_eq!(parse(&["test", "--browser"]), Err("which browser?".into()));
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
