//! Runs the fuzz targets in `fuzz/` with libFuzzer: what cargo-fuzz does, with the stable compiler and without the address sanitizer, for
//! there is no unsafe code to sanitize.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::Result;
use crate::tools::{Tool, Toolbox};

pub(crate) const TARGETS: [&str; 5] = ["callback", "jws", "metadata", "token_response", "www_authenticate"];

/// How long a target runs unless that is said.
const SECONDS: u32 = 60;
/// How many run side by side, if there are as many cores.
const ROWS: usize = 2;

/// The flags with which cargo-fuzz compiles: libFuzzer sees which branches were taken, and what was compared with what.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

/// Which targets, and how long each.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    seconds: u32,
    targets: Vec<&'static str>,
}

impl Plan {
    pub(crate) fn read(arguments: &[&str]) -> Result<Plan> {
        let (seconds, named) = match arguments {
            [] => (SECONDS, None),
            [one] => one.parse().map_or((SECONDS, Some(one)), |seconds| (seconds, None)),
            [seconds, target] => (seconds.parse().map_err(|_| format!("no number of seconds: {seconds}"))?, Some(target)),
            [_, _, more @ ..] => return Err(format!("no such option: {}", more.join(" "))),
        };
        // To libFuzzer, no time is all time.
        if seconds == 0 {
            return Err("how many seconds?".into());
        }
        let known = |name: &str| TARGETS.into_iter().find(|target| *target == name);
        let targets = match named {
            None => TARGETS.to_vec(),
            Some(name) => vec![known(name).ok_or_else(|| format!("no such fuzz target: {name}; there are {}", TARGETS.join(", ")))?],
        };
        Ok(Plan { seconds, targets })
    }

    /// Every target for the time it takes to look at a change.
    pub(crate) fn every() -> Plan {
        Plan { seconds: SECONDS, targets: TARGETS.to_vec() }
    }
}

pub(crate) fn run(plan: &Plan) -> Result<ExitCode> {
    let mut toolbox = Toolbox::new()?;
    toolbox.provide(&[Tool::Cxx])?;
    let outcomes = all(&toolbox, plan)?;
    Ok(if outcomes.iter().all(|held| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the targets and runs them. Says of each whether everything held.
pub(crate) fn all(toolbox: &Toolbox, plan: &Plan) -> Result<Vec<bool>> {
    let host = toolbox.output("rustc", &["--print", "host-tuple"]).ok_or("rustc does not say what it compiles for")?;
    let place = Place { home: toolbox.target().join("fuzz"), host: host.trim().to_owned() };
    let mut cargo = toolbox.cargo();
    // With its target named, build scripts are compiled without the flags.
    cargo.args(["build", "--manifest-path", "fuzz/Cargo.toml", "--release", "--bins", "--locked", "--target", &place.host]);
    cargo.arg("--target-dir").arg(&place.home).env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    toolbox.run("building the fuzz targets (a minute the first time)", &mut cargo)?;

    let waiting = Mutex::new(plan.targets.iter());
    let rows = thread::available_parallelism().map_or(1, usize::from).min(ROWS);
    let row = || {
        let mut outcomes = Vec::new();
        loop {
            let next = waiting.lock().ok().and_then(|mut waiting| waiting.next());
            let Some(target) = next else { return outcomes };
            outcomes.push(one(toolbox, &place, target, plan.seconds).unwrap_or_else(|problem| {
                println!("{target}: FAILED: {problem}");
                false
            }));
        }
    };
    let outcomes: Vec<bool> = thread::scope(|scope| {
        let rows: Vec<_> = (0..rows).map(|_| scope.spawn(row)).collect();
        rows.into_iter().flat_map(|row| row.join().unwrap_or_default()).collect()
    });
    if outcomes.len() == plan.targets.len() { Ok(outcomes) } else { Err("not every fuzz target was run".into()) }
}

/// Everything that fuzzing writes is below the target directory.
struct Place {
    home: PathBuf,
    host: String,
}

impl Place {
    fn program(&self, target: &str) -> PathBuf {
        self.home.join(&self.host).join("release").join(target)
    }
}

/// Runs one target. Inputs that are new go to a corpus of this machine's own, not to the one in the repository.
fn one(toolbox: &Toolbox, place: &Place, target: &str, seconds: u32) -> Result<bool> {
    let (corpus, artifacts, log) =
        (place.home.join("corpus").join(target), place.home.join("artifacts").join(target), place.home.join(format!("{target}.log")));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    }
    let output = File::create(&log).map_err(|error| format!("{} cannot be written: {error}", log.display()))?;
    let mut command = toolbox.command(place.program(target));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(["-dict=fuzz/words.dict", "-max_len=2048", "-timeout=10", "-print_final_stats=1"]);
    command.arg(&corpus).arg(format!("fuzz/corpus/{target}"));
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).status();
    let status = status.map_err(|error| format!("{} did not start: {error}", place.program(target).display()))?;
    let said = fs::read(&log).map_err(|error| format!("{} cannot be read: {error}", log.display()))?;
    let report = Report::of(&String::from_utf8_lossy(&said));
    if status.success() && report.runs > 0 {
        println!("{target}: ok, {} inputs, {} a second, {} edges", report.runs, report.per_second, report.edges);
        return Ok(true);
    }
    println!("{}\n{target}: FAILED ({status}); all it said is in {}", report.complaint, log.display());
    if let Some(input) = report.artifact {
        println!("{target}: the input is {input}. Again with it alone:\n    {} {input}", place.program(target).display());
    }
    Ok(false)
}

/// What libFuzzer said.
#[derive(Debug, Default, PartialEq)]
struct Report {
    runs: u64,
    per_second: u64,
    /// Branches that were taken.
    edges: u64,
    /// What was wrong with the input that it found.
    complaint: String,
    /// Where that input is.
    artifact: Option<String>,
}

impl Report {
    fn of(log: &str) -> Report {
        let mut report = Report::default();
        let number = |text: &str| text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
        for line in log.lines() {
            if let Some(runs) = line.strip_prefix("stat::number_of_executed_units:") {
                report.runs = number(runs);
            } else if let Some(rate) = line.strip_prefix("stat::average_exec_per_sec:") {
                report.per_second = number(rate);
            } else if let Some((_, path)) = line.split_once("Test unit written to ") {
                report.artifact = Some(path.to_owned());
            } else if let Some((_, edges)) = line.strip_prefix('#').and_then(|line| line.split_once(" cov: ")) {
                report.edges = number(edges);
            }
        }
        // From the panic, or else from libFuzzer's own verdict, up to the frames of the stack.
        let start = |line: &&str| line.contains("panicked at") || line.contains("ERROR: libFuzzer");
        let complaint: Vec<_> =
            log.lines().skip_while(|line| !start(line)).take_while(|line| !line.starts_with("NOTE:")).take(12).collect();
        report.complaint = complaint.join("\n");
        report
    }
}

/// Looks at the targets. No C++ is compiled for that: nothing is linked.
pub(crate) fn clippy(toolbox: &Toolbox) -> Command {
    let mut cargo = toolbox.cargo();
    cargo.args(["clippy", "--manifest-path", "fuzz/Cargo.toml", "--all-targets", "--locked", "--target-dir"]);
    cargo.arg(toolbox.target().join("fuzz")).env("CUSTOM_LIBFUZZER_PATH", "/nowhere/libfuzzer.a").args(["--", "-D", "warnings"]);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO: seed corpus: files: 8 min: 125b max: 816b total: 3016b rss: 27Mb
#9\tINITED cov: 776 ft: 1130 corp: 8/3016b exec/s: 0 rss: 27Mb
#618927\tDONE   cov: 1197 ft: 2888 corp: 552/87Kb lim: 1402 exec/s: 88418 rss: 30Mb
stat::number_of_executed_units: 618927
stat::average_exec_per_sec:     88418
";

    const CRASH: &str = "\
#9\tINITED cov: 776 ft: 1130 corp: 8/3016b exec/s: 0 rss: 27Mb

thread '<unnamed>' (7) panicked at fuzz_targets/jws.rs:80:5:
signed by 0 keys
==7== ERROR: libFuzzer: deadly signal
NOTE: libFuzzer has rudimentary signal handlers.
SUMMARY: libFuzzer: deadly signal
artifact_prefix='/t/'; Test unit written to /t/crash-1
stat::number_of_executed_units: 12
";

    #[test]
    fn every_target_runs_a_minute_unless_something_is_said() {
        assert_eq!(Plan::read(&[]), Ok(Plan { seconds: 60, targets: TARGETS.to_vec() }));
        assert_eq!(Plan::read(&["5"]), Ok(Plan { seconds: 5, targets: TARGETS.to_vec() }));
        assert_eq!(Plan::read(&["jws"]), Ok(Plan { seconds: 60, targets: vec!["jws"] }));
        assert_eq!(Plan::read(&["300", "jws"]), Ok(Plan { seconds: 300, targets: vec!["jws"] }));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        assert_eq!(Plan::read(&["0"]), Err("how many seconds?".into()));
        assert_eq!(Plan::read(&["jws", "5"]), Err("no number of seconds: jws".into()));
        assert_eq!(Plan::read(&["5", "jws", "more"]), Err("no such option: more".into()));
        assert!(Plan::read(&["jwt"]).is_err_and(|problem| problem.starts_with("no such fuzz target: jwt")));
    }

    #[test]
    fn what_was_run_is_read_from_the_log() {
        let expected = Report { runs: 618_927, per_second: 88_418, edges: 1197, ..Report::default() };
        assert_eq!(Report::of(LOG), expected);
        assert_eq!(Report::of(""), Report::default());
    }

    #[test]
    fn a_crash_has_a_complaint_and_an_input() {
        let report = Report::of(CRASH);
        assert_eq!(report.artifact.as_deref(), Some("/t/crash-1"));
        let complaint =
            "thread '<unnamed>' (7) panicked at fuzz_targets/jws.rs:80:5:\nsigned by 0 keys\n==7== ERROR: libFuzzer: deadly signal";
        assert_eq!(report.complaint, complaint);
    }

    #[test]
    fn each_target_has_a_file_a_program_and_a_corpus() {
        let fuzz = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fuzz");
        let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
        let programs: Vec<_> =
            manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"")).collect();
        assert_eq!(programs, TARGETS);
        assert_eq!(fs::read_dir(fuzz.join("fuzz_targets")).unwrap().count(), TARGETS.len());
        for target in TARGETS {
            assert!(fs::read_dir(fuzz.join("corpus").join(target)).unwrap().count() > 0, "{target} has no corpus");
        }
    }
}
