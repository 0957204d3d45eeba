//! Everything that must hold, step by step, with a count of it all on the last line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::browser::Browser;
use crate::tools::{Tool, Toolbox};
use crate::{Result, fuzz, npm, size};

const WASM: [&str; 2] = ["--target", "wasm32-unknown-unknown"];

/// All features of the library, but `ring`, which is for servers.
const FEATURES: &str = "check-session,device,diagnose,form-post,implicit,legacy,leptos,limits,popup,step-up,worker";

/// What tokenkeep may add to an app: brotli bytes of wasm and js together. A little more than it does, so that growth shows.
const SIZE_BUDGET: i64 = 114_500;
/// The same for a page whose keep is in a worker.
const PAGE_BUDGET: i64 = 53_000;

/// The steps in the order in which they fail soonest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Fmt,
    Clippy,
    Docs,
    Native,
    Provider,
    Wasm(Browser),
    E2e(Browser),
    /// The same demo where no worker is to be had.
    Page(Browser),
    /// The npm package, as its user gets it.
    Npm,
    /// The TypeScript demo in place of the other one.
    Www(Browser),
    /// Each reader of what comes from outside, for a minute.
    Fuzz,
    Size,
}

impl Step {
    pub(crate) const NAMES: [&str; 12] =
        ["fmt", "clippy", "docs", "native", "provider", "wasm", "e2e", "page", "npm", "www", "fuzz", "size"];

    /// The step of this name, once for each of the browsers if it runs in one.
    pub(crate) fn named(name: &str, browsers: &[Browser]) -> Result<Vec<Self>> {
        let in_each = |step: fn(Browser) -> Self| browsers.iter().copied().map(step).collect();
        Ok(match name {
            "fmt" => vec![Self::Fmt],
            "clippy" => vec![Self::Clippy],
            "docs" => vec![Self::Docs],
            "native" => vec![Self::Native],
            "provider" => vec![Self::Provider],
            "wasm" => in_each(Self::Wasm),
            "e2e" => in_each(Self::E2e),
            // The engines differ in what the library does, which `e2e` shows in each of them.
            "page" => vec![Self::Page(Browser::Chromium)],
            "npm" => vec![Self::Npm],
            "www" => vec![Self::Www(Browser::Chromium)],
            "fuzz" => vec![Self::Fuzz],
            "size" => vec![Self::Size],
            _ => return Err(format!("no such step: {name}")),
        })
    }

    fn name(self) -> String {
        match self {
            Self::Fmt => "fmt".into(),
            Self::Clippy => "clippy".into(),
            Self::Docs => "docs".into(),
            Self::Native => "native".into(),
            Self::Provider => "provider".into(),
            Self::Wasm(browser) => format!("wasm {}", browser.name()),
            Self::E2e(browser) => format!("e2e {}", browser.name()),
            Self::Page(browser) => format!("page {}", browser.name()),
            Self::Npm => "npm".into(),
            Self::Www(browser) => format!("www {}", browser.name()),
            Self::Fuzz => "fuzz".into(),
            Self::Size => "size".into(),
        }
    }

    fn needs(self) -> Vec<Tool> {
        match self {
            Self::Fmt | Self::Native => vec![],
            Self::Clippy | Self::Docs => vec![Tool::WasmTarget],
            Self::Provider => vec![Tool::Packages("demo/provider")],
            Self::Wasm(browser) => vec![Tool::WasmTarget, Tool::WasmBindgen, Tool::Browser(browser)],
            Self::E2e(browser) | Self::Page(browser) => {
                let built = [Tool::WasmTarget, Tool::WasmBindgen, Tool::Trunk, Tool::Binaryen];
                built.into_iter().chain([Tool::RustSource, Tool::Packages("demo/provider"), Tool::Browser(browser), Tool::Crates]).collect()
            }
            Self::Npm => {
                let built = [Tool::WasmTarget, Tool::RustSource, Tool::WasmBindgen, Tool::Binaryen];
                let run = [Tool::Packages("demo/provider"), Tool::Packages("tests/packaging"), Tool::Browser(Browser::Chromium)];
                built.into_iter().chain(run).collect()
            }
            Self::Www(browser) => {
                let built = [Tool::WasmTarget, Tool::RustSource, Tool::WasmBindgen, Tool::Binaryen];
                let run = [Tool::Packages("demo/provider"), Tool::Packages("www"), Tool::Browser(browser)];
                built.into_iter().chain(run).collect()
            }
            Self::Fuzz => vec![Tool::Cxx],
            Self::Size => vec![Tool::WasmTarget, Tool::WasmBindgen, Tool::Binaryen],
        }
    }

    /// Builds the demo unless it was built.
    fn run(self, toolbox: &mut Toolbox, demo: &mut Option<Tally>) -> Tally {
        match self {
            Self::Fmt => all([
                check(toolbox.cargo().args(["fmt", "--all", "--check"])),
                check(toolbox.cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])),
            ]),
            Self::Clippy => clippy(toolbox),
            Self::Docs => docs(toolbox),
            Self::Native => native(toolbox),
            Self::Provider => {
                let provider = count(toolbox.command("npm").args(["test", "--prefix", "demo/provider"]));
                // A server at it.
                provider.and(count(toolbox.cargo().args(["test", "-p", "tokenkeep-reqwest", "--tests"])))
            }
            Self::Wasm(browser) => wasm(toolbox, browser),
            Self::E2e(browser) | Self::Page(browser) => {
                let built = *demo.get_or_insert_with(|| demo_of(toolbox));
                if built.failed > 0 { built } else { e2e(toolbox, browser, "dist", matches!(self, Self::Page(_))) }
            }
            Self::Npm => match npm::package(toolbox) {
                Ok(_) => count(toolbox.command("npm").args(["test", "--prefix", "tests/packaging"])),
                Err(problem) => failed(&problem),
            },
            Self::Www(browser) => match npm::package(toolbox) {
                Ok(_) => {
                    let built = check(toolbox.command("npm").args(["run", "build", "--prefix", "www"]));
                    if built.failed > 0 { built } else { e2e(toolbox, browser, "www/dist", false) }
                }
                Err(problem) => failed(&problem),
            },
            Self::Fuzz => match fuzz::all(toolbox, &fuzz::Plan::every()) {
                Ok(outcomes) => {
                    outcomes.into_iter().map(|held| if held { Tally::PASSED } else { Tally::FAILED }).fold(Tally::default(), Tally::and)
                }
                Err(problem) => failed(&problem),
            },
            Self::Size => within_budget(toolbox),
        }
    }
}

fn clippy(toolbox: &Toolbox) -> Tally {
    let clippy = |arguments: &[&str]| {
        let mut cargo = toolbox.cargo();
        cargo.arg("clippy").args(arguments).args(["--", "-D", "warnings"]);
        check(&mut cargo)
    };
    let apps = [
        "-p",
        "tokenkeep-demo",
        "-p",
        "tokenkeep-npm",
        "-p",
        "tokenkeep-size-base",
        "-p",
        "tokenkeep-size-with",
        "-p",
        "tokenkeep-size-worker",
    ];
    let features = FEATURES.split(',').map(|feature| format!("tokenkeep/{feature}")).collect::<Vec<_>>().join(",");
    all([
        // The demo is for browsers alone, see below.
        clippy(&["--workspace", "--exclude", "tokenkeep-demo", "--all-targets", "--features", &features]),
        // Alone, because the other packages turn its feature on.
        clippy(&["-p", "tokenkeep", "--all-targets"]),
        clippy(&[&["-p", "tokenkeep", "--all-targets", "--features", FEATURES], &WASM[..]].concat()),
        clippy(&[&["-p", "tokenkeep", "--features", "leptos,worker"], &WASM[..]].concat()),
        clippy(&[&["-p", "tokenkeep-npm", "--features", "device"], &WASM[..]].concat()),
        clippy(&[&apps[..], &WASM[..]].concat()),
        clippy(&[&["-p", "tokenkeep-npm", "--no-default-features", "--features", "confidential"], &WASM[..]].concat()),
        check(&mut fuzz::clippy(toolbox)),
    ])
}

fn docs(toolbox: &Toolbox) -> Tally {
    let doc = |target: &[&str]| {
        let mut cargo = toolbox.cargo();
        cargo.args(["doc", "-p", "tokenkeep", "--no-deps", "--features", FEATURES]).args(target).env("RUSTDOCFLAGS", "-D warnings");
        check(&mut cargo)
    };
    all([doc(&[]), doc(&WASM)])
}

fn native(toolbox: &Toolbox) -> Tally {
    let library = count(toolbox.cargo().args(["test", "-p", "tokenkeep", "--features", FEATURES, "--features", "ring", "--no-fail-fast"]));
    // Apart from the library, whose tests are not to wait for a server's Leptos.
    let server = count(toolbox.cargo().args(["test", "-p", "tokenkeep-ssr", "--lib"]));
    library.and(server).and(count(toolbox.cargo().args(["test", "-p", "xtask"])))
}

fn wasm(toolbox: &Toolbox, browser: Browser) -> Tally {
    // One by one, so that neither can be empty unseen.
    let tests = |name| {
        let mut cargo = toolbox.cargo();
        cargo.args(["test", "-p", "tokenkeep", "--features", "legacy,limits,step-up"]).args(WASM).args(["--test", name]);
        // Seconds. The defaults, 20 and 5, are short for a busy machine with two cores.
        cargo.env("WASM_BINDGEN_TEST_TIMEOUT", "300").env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60");
        count_in(browser, toolbox, cargo)
    };
    tests("world").and(tests("browser"))
}

fn demo_of(toolbox: &mut Toolbox) -> Tally {
    // The flows of servers are done by the package.
    if let Err(problem) = npm::package(toolbox) {
        return failed(&problem);
    }
    // The tests start a provider of their own.
    check(toolbox.command("trunk").args(["build", "--release"]).env("TOKENKEEP_NO_PROVIDER", "1"))
}

fn e2e(toolbox: &Toolbox, browser: Browser, dist: &str, keep_in_page: bool) -> Tally {
    let mut cargo = toolbox.cargo();
    cargo.args(["test", "-p", "tokenkeep-e2e", "--no-fail-fast"]).env("TOKENKEEP_DIST", toolbox.path(dist));
    if keep_in_page {
        cargo.env("TOKENKEEP_KEEP", "page");
    }
    if dist != "dist" {
        // A page that only the Leptos demo has.
        cargo.args(["--", "--skip", "flows::"]);
    }
    count_in(browser, toolbox, cargo)
}

fn count_in(browser: Browser, toolbox: &Toolbox, mut command: Command) -> Tally {
    match browser.screen(toolbox) {
        Ok(screen) => {
            browser.drive(&mut command, screen.as_ref());
            let tally = count(&mut command);
            // WebKitGTK crashes by itself at times, and once said of memory that it is out of bounds. What is really wrong is so again.
            if browser == Browser::WebKit && tally.failed > 0 {
                println!("--- once more, in case it was the engine");
                count(&mut command)
            } else {
                tally
            }
        }
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &str) -> Tally {
    println!("--- {problem}");
    Tally::FAILED
}

fn within_budget(toolbox: &mut Toolbox) -> Tally {
    let sizes = match size::measure(toolbox) {
        Ok(sizes) => sizes,
        Err(problem) => {
            println!("{problem}");
            return Tally::FAILED;
        }
    };
    println!("{}", sizes.table());
    let added = sizes.difference().brotli;
    let [page, _] = sizes.difference_with_worker();
    println!("tokenkeep adds {added} bytes (brotli); the budget is {SIZE_BUDGET}.");
    println!("With its keep in a worker it adds {} to the page; the budget is {PAGE_BUDGET}.", page.brotli);
    if added <= SIZE_BUDGET && page.brotli <= PAGE_BUDGET { Tally::PASSED } else { Tally::FAILED }
}

/// Runs the steps to the end whatever fails, and prints how it went.
pub(crate) fn run(steps: &[Step]) -> ExitCode {
    let toolbox = Toolbox::new().and_then(|mut toolbox| steps.iter().try_for_each(|step| toolbox.provide(&step.needs())).map(|()| toolbox));
    let mut toolbox = match toolbox {
        Ok(toolbox) => toolbox,
        Err(problem) => {
            println!("\nSet-up failed, nothing was tested.\n{problem}\n");
            return finish(Tally::FAILED);
        }
    };

    let (mut sum, mut demo) = (Tally::default(), None);
    let mut summary = String::from("\n=== summary\n");
    for step in steps {
        println!("\n=== {}", step.name());
        let start = Instant::now();
        let tally = step.run(&mut toolbox, &mut demo);
        let Tally { passed, failed } = tally;
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        let line = format!("{:16}{verdict:8}{passed:>6} passed{failed:>6} failed{:>14}", step.name(), duration(start.elapsed()));
        println!("--- {line}");
        summary.push_str(&line);
        summary.push('\n');
        sum = sum.and(tally);
    }
    println!("{summary}");
    finish(sum)
}

fn finish(sum: Tally) -> ExitCode {
    println!("{} passed, {} failed", sum.passed, sum.failed);
    if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn duration(time: Duration) -> String {
    let (minutes, seconds) = (time.as_secs() / 60, time.as_secs() % 60);
    if minutes > 0 { format!("{minutes} min {seconds:02} s") } else { format!("{:.1} s", time.as_secs_f64()) }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    const PASSED: Self = Self { passed: 1, failed: 0 };
    const FAILED: Self = Self { passed: 0, failed: 1 };

    /// What a line of output says about finished tests: the closing lines of cargo test, wasm-bindgen-test and node --test.
    fn of(line: &str) -> Self {
        let mut tally = Self::default();
        let number = |text: &str| text.trim().parse().unwrap_or(0);
        if let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) {
            for count in counts.split(';').map(str::trim) {
                if let Some(count) = count.strip_suffix(" passed") {
                    tally.passed = number(count);
                } else if let Some(count) = count.strip_suffix(" failed") {
                    tally.failed = number(count);
                }
            }
        } else if let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            match rest.split_once(' ') {
                Some(("pass", count)) => tally.passed = number(count),
                Some(("fail" | "cancelled", count)) => tally.failed = number(count),
                _ => {}
            }
        }
        tally
    }

    fn and(self, other: Self) -> Self {
        Self { passed: self.passed.saturating_add(other.passed), failed: self.failed.saturating_add(other.failed) }
    }

    /// What remains to be counted when the command has ended: one that failed, or ran no test, counts as failed itself.
    fn closed(self, success: bool) -> Self {
        if self.failed == 0 && (!success || self.passed == 0) { Self { failed: 1, ..self } } else { self }
    }
}

/// One check made of several commands.
fn all<const N: usize>(checks: [Tally; N]) -> Tally {
    if checks.iter().all(|check| check.failed == 0) { Tally::PASSED } else { Tally::FAILED }
}

/// Runs a command whose success is the result.
fn check(command: &mut Command) -> Tally {
    announce(command);
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Tally::PASSED,
        Ok(status) => {
            println!("--- that failed ({status})");
            Tally::FAILED
        }
        Err(error) => {
            println!("--- that did not start: {error}");
            Tally::FAILED
        }
    }
}

/// Runs a command that runs tests, shows what it prints as it comes, and counts.
fn count(command: &mut Command) -> Tally {
    announce(command);
    stream(command).unwrap_or_else(|error| {
        println!("--- that did not run: {error}");
        Tally::FAILED
    })
}

fn stream(command: &mut Command) -> std::io::Result<Tally> {
    let mut tally = Tally::default();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        let mut screen = std::io::stdout();
        // Bytes, because a failing test may print anything.
        while output.read_until(b'\n', &mut line)? > 0 {
            screen.write_all(&line)?;
            tally = tally.and(Tally::of(String::from_utf8_lossy(&line).trim_end()));
            line.clear();
        }
    }
    let status = child.wait()?;
    let closed = tally.closed(status.success());
    if closed != tally {
        println!("--- {} ({status})", if status.success() { "that ran no test" } else { "that failed" });
    }
    Ok(closed)
}

fn announce(command: &Command) {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    println!("$ {program} {}", arguments.join(" "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_counts_are_read() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(Tally::of(line), Tally { passed: 5, failed: 2 });
    }

    #[test]
    fn wasm_bindgen_counts_are_read() {
        let line = "test result: ok. 7 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.02s";
        assert_eq!(Tally::of(line), Tally { passed: 7, failed: 0 });
    }

    #[test]
    fn node_counts_are_read_in_both_of_its_formats() {
        assert_eq!(Tally::of("# pass 12"), Tally { passed: 12, failed: 0 });
        assert_eq!(Tally::of("ℹ fail 3"), Tally { passed: 0, failed: 3 });
        assert_eq!(Tally::of("# cancelled 1"), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["", "test flows::sign_in ... ok", "# Subtest: pass 3", "running 5 tests", "test result: "] {
            assert_eq!(Tally::of(line), Tally::default(), "{line}");
        }
    }

    #[test]
    fn no_test_is_a_failure() {
        assert_eq!(Tally::default().closed(true), Tally::FAILED);
    }

    #[test]
    fn a_crash_after_passing_tests_is_a_failure() {
        assert_eq!(Tally { passed: 3, failed: 0 }.closed(false), Tally { passed: 3, failed: 1 });
    }

    #[test]
    fn failures_that_were_counted_are_not_counted_again() {
        assert_eq!(Tally { passed: 3, failed: 2 }.closed(false), Tally { passed: 3, failed: 2 });
    }

    #[test]
    fn every_step_is_found_by_its_name() {
        for name in Step::NAMES {
            let steps = Step::named(name, &[Browser::Firefox]);
            let found: Vec<_> = steps.iter().flatten().map(|step| step.name()).collect();
            assert_eq!(found.iter().filter_map(|found| found.split(' ').next()).collect::<Vec<_>>(), [name]);
        }
    }
}
