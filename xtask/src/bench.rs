//! The npm package beside other libraries, in Chromium: bytes, time, calls, memory. Writes `bench/RESULTS.md`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::browser::Browser;
use crate::tools::{Tool, Toolbox};
use crate::{Result, npm};

/// Where the run writes what it measured.
const RESULTS: &str = "bench/RESULTS.md";

/// Builds the package, measures everything, and prints the tables.
pub(crate) fn run(toolbox: &mut Toolbox) -> Result<ExitCode> {
    toolbox.provide(&[Tool::Packages("demo/provider"), Tool::Packages("bench"), Tool::Browser(Browser::Chromium)])?;
    npm::package(toolbox)?;
    let named = named(toolbox)?;
    let mut node = toolbox.command("node");
    node.args(["bench/run.mjs", "--named"]).arg(&named);
    toolbox.run("measuring (about 9 minutes; other work on this machine shows in the times)", &mut node)?;
    let results = fs::read_to_string(toolbox.path(RESULTS)).map_err(|error| format!("{RESULTS} cannot be read: {error}"))?;
    print!("{results}");
    Ok(ExitCode::SUCCESS)
}

/// The package's wasm once more, the same code with the names of its functions.
fn named(toolbox: &Toolbox) -> Result<PathBuf> {
    let target = toolbox.target();
    let built = target.join("npm/wasm32-unknown-unknown/release/tokenkeep_npm.wasm");
    let out = target.join("bench");
    let mut bindgen = toolbox.command("wasm-bindgen");
    bindgen.args(["--target", "web", "--no-typescript", "--out-name", "bound", "--out-dir"]).arg(&out).arg(&built);
    toolbox.run("naming the functions of the wasm", &mut bindgen)?;
    let (bound, named) = (out.join("bound_bg.wasm"), out.join("named.wasm"));
    toolbox.run("shrinking it", toolbox.command("wasm-opt").args(["-Oz", "-g"]).arg(&bound).arg("-o").arg(&named))?;
    Ok(named)
}
