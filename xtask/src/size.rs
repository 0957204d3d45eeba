//! What a visitor downloads: a Leptos app without and with tokenkeep, and the difference.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::tools::{Tool, Toolbox};

/// Prints raw, gzip -9 and brotli-11 bytes of each file, a line each.
const MEASURE: &str = "
const { readFileSync } = require('node:fs');
const { brotliCompressSync, constants, gzipSync } = require('node:zlib');
const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
for (const file of process.argv.slice(1)) {
  const bytes = readFileSync(file);
  console.log(bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes, { params }).length);
}";

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bytes {
    raw: i64,
    gzip: i64,
    pub(crate) brotli: i64,
}

#[derive(Debug, PartialEq)]
struct App {
    wasm: Bytes,
    js: Bytes,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Sizes {
    base: App,
    with: App,
}

/// Builds both apps as a release of Trunk would, and measures them.
pub(crate) fn measure(toolbox: &mut Toolbox) -> Result<Sizes> {
    toolbox.provide(&[Tool::WasmTarget, Tool::WasmBindgen, Tool::Binaryen])?;
    // Apart from each other: built together, the features of one app's dependencies would be in the other.
    Ok(Sizes { base: build(toolbox, "base")?, with: build(toolbox, "with")? })
}

fn build(toolbox: &Toolbox, name: &str) -> Result<App> {
    let package = format!("tokenkeep-size-{name}");
    let target = toolbox.target();
    let mut cargo = toolbox.cargo();
    cargo.args(["build", "--release", "--target", "wasm32-unknown-unknown", "--package", &package, "--target-dir"]).arg(&target);
    toolbox.run(&format!("building {package} (a minute the first time)"), &mut cargo)?;

    let out = target.join("size").join(name);
    fs::create_dir_all(&out).map_err(|error| format!("{} cannot be made: {error}", out.display()))?;
    let built = target.join("wasm32-unknown-unknown/release").join(package).with_extension("wasm");
    let mut bindgen = toolbox.command("wasm-bindgen");
    bindgen.args(["--target", "web", "--no-typescript", "--out-name", "app", "--out-dir"]).arg(&out).arg(&built);
    toolbox.run("making its JavaScript", &mut bindgen)?;

    let (bound, wasm) = (out.join("app_bg.wasm"), out.join("app.wasm"));
    toolbox.run("shrinking its wasm", toolbox.command("wasm-opt").arg("-Oz").arg(&bound).arg("-o").arg(&wasm))?;
    let [wasm, js] = weigh(toolbox, &[&wasm, &out.join("app.js")])?;
    Ok(App { wasm, js })
}

/// How large each of these files is.
pub(crate) fn weigh<const N: usize>(toolbox: &Toolbox, files: &[&PathBuf; N]) -> Result<[Bytes; N]> {
    let files = files.map(|file| Path::to_string_lossy(file).into_owned());
    let arguments: Vec<&str> = ["--eval", MEASURE].into_iter().chain(files.iter().map(String::as_str)).collect();
    let said = toolbox.output("node", &arguments).ok_or("node could not measure the files")?;
    read(&said).ok_or_else(|| format!("node measured something else: {said}"))
}

/// The three numbers of each file.
fn read<const N: usize>(said: &str) -> Option<[Bytes; N]> {
    let line = |line: &str| {
        let numbers: Vec<i64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [raw, gzip, brotli] = numbers.try_into().ok()?;
        Some(Bytes { raw, gzip, brotli })
    };
    said.lines().map(line).collect::<Option<Vec<_>>>()?.try_into().ok()
}

impl Sizes {
    /// What tokenkeep adds, wasm and js together.
    pub(crate) fn difference(&self) -> Bytes {
        self.with.total().zip(self.base.total(), i64::saturating_sub)
    }

    pub(crate) fn json(&self) -> String {
        let Self { base, with } = self;
        format!(r#"{{"base": {}, "with": {}, "difference": {}}}"#, base.json(), with.json(), self.difference().json())
    }

    pub(crate) fn table(&self) -> String {
        let mut table = Bytes::head();
        let mut row = |name: &str, bytes: Bytes| table.push_str(&bytes.row(name));
        for (name, app) in [("Leptos with router", &self.base), ("signing in", &self.with)] {
            row(name, app.total());
            row("    wasm", app.wasm);
            row("    js", app.js);
        }
        row("difference", self.difference());
        table + "\nwasm after wasm-opt -Oz; js as wasm-bindgen writes it, not minified."
    }
}

impl App {
    fn total(&self) -> Bytes {
        self.wasm.zip(self.js, i64::saturating_add)
    }

    fn json(&self) -> String {
        format!(r#"{{"wasm": {}, "js": {}}}"#, self.wasm.json(), self.js.json())
    }
}

impl Bytes {
    pub(crate) fn head() -> String {
        format!("{:22}{:>10}{:>10}{:>10}\n", "bytes", "raw", "gzip -9", "brotli 11")
    }

    pub(crate) fn row(self, name: &str) -> String {
        let Self { raw, gzip, brotli } = self;
        format!("{name:22}{raw:>10}{gzip:>10}{brotli:>10}\n")
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(other, i64::saturating_add)
    }

    fn zip(self, other: Self, with: fn(i64, i64) -> i64) -> Self {
        Self { raw: with(self.raw, other.raw), gzip: with(self.gzip, other.gzip), brotli: with(self.brotli, other.brotli) }
    }

    fn json(self) -> String {
        let Self { raw, gzip, brotli } = self;
        format!(r#"{{"raw": {raw}, "gzip": {gzip}, "brotli": {brotli}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Option<Sizes> {
        let app = |said| read(said).map(|[wasm, js]| App { wasm, js });
        Some(Sizes { base: app("100 50 40\n30 20 10\n")?, with: app("300 90 70\n40 25 12\n")? })
    }

    #[test]
    fn the_difference_is_of_wasm_and_js_together() {
        assert_eq!(sizes().map(|sizes| sizes.difference()), Some(Bytes { raw: 210, gzip: 45, brotli: 32 }));
    }

    #[test]
    fn json_is_one_line_and_one_object() {
        let expected = concat!(
            r#"{"base": {"wasm": {"raw": 100, "gzip": 50, "brotli": 40}, "js": {"raw": 30, "gzip": 20, "brotli": 10}}, "#,
            r#""with": {"wasm": {"raw": 300, "gzip": 90, "brotli": 70}, "js": {"raw": 40, "gzip": 25, "brotli": 12}}, "#,
            r#""difference": {"raw": 210, "gzip": 45, "brotli": 32}}"#,
        );
        assert_eq!(sizes().map(|sizes| sizes.json()).as_deref(), Some(expected));
    }

    #[test]
    fn an_incomplete_measurement_is_refused() {
        assert_eq!(read::<2>("100 50 40\n"), None);
    }
}
