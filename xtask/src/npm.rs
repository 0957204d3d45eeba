//! The npm package in `pkg/`: its wasm, and what else the tarball takes along.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::Result;
use crate::size::{self, Bytes};
use crate::tools::{Tool, Toolbox};

/// Built once for everybody: the standard library too, for size, and without the texts of panics. Compilers call that unstable, and
/// allow it where they are told that this one is meant.
const FLAGS: &str = "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none";

/// What is imported under one name, with wasm of its own: nobody pays for what another entry does.
struct Entry {
    name: &'static str,
    features: &'static str,
}

/// The default one last: what is left of the build is what the benchmark looks into.
const ENTRIES: [Entry; 5] = [
    Entry { name: "confidential", features: "confidential" },
    Entry { name: "device", features: "client,device" },
    Entry { name: "form_post", features: "implicit" },
    Entry { name: "session", features: "session" },
    Entry { name: "tokenkeep", features: "client" },
];

/// What each entry loads that has an `auth`.
const AUTH: [&str; 6] = ["auth.js", "remote.js", "error.js", "options.js", "response.js", "wire.js"];

/// What the default entry loads beside that, and the others: the files of each, measured.
const DEFAULT: [&str; 3] = ["wasm/tokenkeep_bg.wasm", "wasm/keep.js", "index.js"];
const SESSION: [&str; 4] = ["wasm/session_bg.wasm", "wasm/session-keep.js", "session.js", "calls.js"];
const DEVICE: [&str; 4] = ["wasm/device_bg.wasm", "wasm/device.js", "device.js", "calls.js"];

/// What is imported beside `tokenkeep/session`.
const POPUP: [&str; 2] = ["popup.js", "popup-window.js"];
const CHECK_SESSION: [&str; 2] = ["check-session.js", "op-iframe.js"];

/// What `tokenkeep/form-post` loads to find out who the user is.
const FORM_POST: [&str; 6] = ["wasm/form_post_bg.wasm", "wasm/form_post.js", "form-post.js", "posted.js", "error.js", "options.js"];

/// What stands elsewhere in the repository and belongs into the package.
const TAKEN_ALONG: [&str; 3] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Builds the package, and says what a visitor downloads.
pub(crate) fn build(toolbox: &mut Toolbox) -> Result<ExitCode> {
    let sizes = package(toolbox)?;
    println!("{}", table(&sizes));
    let others: [(&str, &[&[&'static str]]); 5] = [
        ("session", &[&SESSION, &AUTH]),
        ("popup", &[&POPUP]),
        ("check-session", &[&CHECK_SESSION]),
        ("device", &[&DEVICE, &AUTH]),
        ("form-post", &[&FORM_POST]),
    ];
    for (entry, files) in others {
        println!("\ntokenkeep/{entry}\n{}", table(&weighed(toolbox, &files.concat())?));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the package, and measures it: name and bytes of each file that signing in loads.
pub(crate) fn package(toolbox: &mut Toolbox) -> Result<Vec<(&'static str, Bytes)>> {
    toolbox.provide(&[Tool::WasmTarget, Tool::RustSource, Tool::WasmBindgen, Tool::Binaryen])?;
    for entry in ENTRIES {
        entry.build(toolbox)?;
    }
    let out = toolbox.path("pkg/wasm");
    let text = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
    let [wire, keep, served] = ["wire", "keep", "worker"].map(|name| text(&toolbox.path(&format!("pkg/{name}.js"))));
    let (wire, keep, served) = (wire?, keep?, served?);
    for (entry, script) in [("tokenkeep", "keep.js"), ("session", "session-keep.js")] {
        let whole = worker(&text(&out.join(format!("{entry}.js")))?, &wire, &keep, &served)?;
        fs::write(out.join(script), whole).map_err(|error| format!("the worker cannot be written: {error}"))?;
    }

    for name in TAKEN_ALONG {
        let (from, to) = (toolbox.path(name), toolbox.path("pkg").join(name));
        fs::copy(&from, &to).map_err(|error| format!("{} cannot be copied to {}: {error}", from.display(), to.display()))?;
    }
    weighed(toolbox, &[&DEFAULT[..], &AUTH].concat())
}

/// Name and bytes of each of these files of the package.
fn weighed(toolbox: &Toolbox, files: &[&'static str]) -> Result<Vec<(&'static str, Bytes)>> {
    let weigh = |file: &&'static str| size::weigh(toolbox, &[&toolbox.path("pkg").join(file)]).map(|[bytes]| (*file, bytes));
    files.iter().map(weigh).collect()
}

impl Entry {
    /// Makes its wasm and the JavaScript of that.
    fn build(&self, toolbox: &Toolbox) -> Result<()> {
        let target = toolbox.target().join("npm");
        let mut cargo = toolbox.cargo();
        cargo.args(["build", "--release", "--package", "tokenkeep-npm", "--no-default-features", "--features", self.features]);
        cargo.args(["--target", "wasm32-unknown-unknown", "--target-dir"]).arg(&target);
        cargo.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
        cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
        toolbox.run(&format!("building the wasm of {} (a minute the first time)", self.name), &mut cargo)?;

        let out = toolbox.path("pkg/wasm");
        let built = target.join("wasm32-unknown-unknown/release/tokenkeep_npm.wasm");
        let mut bindgen = toolbox.command("wasm-bindgen");
        bindgen.args(["--target", "web", "--no-typescript", "--out-name", self.name, "--out-dir"]).arg(&out).arg(&built);
        toolbox.run("making its JavaScript", &mut bindgen)?;
        let wasm = out.join(format!("{}_bg.wasm", self.name));
        toolbox.run("shrinking it", toolbox.command("wasm-opt").arg("-Oz").arg(&wasm).arg("-o").arg(&wasm))
    }
}

/// One script of the four: bundlers copy a worker as it is, and what it imports would not be there. Nor are comments taken out by them, so it
/// has none; the package has its sources beside it.
fn worker(glue: &str, wire: &str, keep: &str, served: &str) -> Result<String> {
    const EXPORT: &str = "\nexport { initSync, __wbg_init as default };\n";
    const WIRE: &str = "\nimport { NOTE, hold, nameOf, whenFree } from \"./wire.js\";\n";
    const BOTH: &str = "\nimport { serve } from \"./keep.js\";\nimport load, { keep } from \"./wasm/tokenkeep.js\";\n";
    let parts = |text: &str, part: &str| text.split_once(part).map(|(before, after)| [before, after].concat());
    let glue = parts(glue, EXPORT).ok_or("wasm-bindgen exports something else now")?;
    let keep = parts(keep, WIRE).ok_or("keep.js imports something else now")?;
    let served = parts(served, BOTH).ok_or("worker.js imports something else now")?;
    let alone = |text: &str| {
        ["async function", "class", "const", "function"]
            .iter()
            .fold(text.to_owned(), |text, kind| text.replace(&format!("\nexport {kind} "), &format!("\n{kind} ")))
    };
    let parts =
        [alone(&glue), "\nconst load = __wbg_init;\n".into(), alone(wire), alone(&keep.replace("\nexport { serve };\n", "\n")), served];
    Ok([
        "// The wasm's own JavaScript, wire.js, keep.js and worker.js of this package in one, without their comments.\n",
        &without_comments(&parts.concat()),
    ]
    .concat())
}

/// What is left without lines that are comments. No text in these scripts has more than one line.
fn without_comments(script: &str) -> String {
    let mut inside = false;
    let is_code = |line: &&str| {
        let line = line.trim();
        let begins = line.starts_with("/*");
        let comment = inside || begins || line.starts_with("//") || line.is_empty();
        inside = (inside || begins) && !line.ends_with("*/");
        !comment
    };
    script.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect()
}

pub(crate) fn table(sizes: &[(&str, Bytes)]) -> String {
    let (head, mut rows) = (Bytes::head(), Vec::new());
    let mut sum = Bytes::default();
    for (name, bytes) in sizes {
        rows.push(bytes.row(name));
        sum = sum.plus(*bytes);
    }
    rows.push(sum.row("all"));
    format!("{head}{}\nas a server sends them compressed; js as it is in the package, not minified", rows.concat())
}
