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
    /// The same with its keep in a worker, and that worker.
    page: App,
    worker: App,
}

/// Builds both apps as a release of Trunk would, and measures them.
pub(crate) fn measure(toolbox: &mut Toolbox) -> Result<Sizes> {
    toolbox.provide(&[Tool::WasmTarget, Tool::WasmBindgen, Tool::Binaryen])?;
    // Apart from each other: built together, the features of one app's dependencies would be in the other.
    Ok(Sizes {
        base: build(toolbox, "base", "base", &[])?,
        with: build(toolbox, "with", "with", &[])?,
        page: build(toolbox, "worker", "worker", &["remote.js", "response.js", "wire.js"])?,
        worker: build(toolbox, "worker", "keep", &["keep.js", "wire.js"])?,
    })
}

/// A binary of a package, with what its JavaScript imports from `pkg/`.
fn build(toolbox: &Toolbox, package: &str, name: &str, imports: &[&str]) -> Result<App> {
    let [package, binary] = [package, name].map(|name| format!("tokenkeep-size-{name}"));
    let target = toolbox.target();
    let mut cargo = toolbox.cargo();
    cargo.args(["build", "--release", "--target", "wasm32-unknown-unknown", "--package", &package, "--bin", &binary, "--target-dir"]);
    cargo.arg(&target);
    toolbox.run(&format!("building {binary} (a minute the first time)"), &mut cargo)?;

    let out = target.join("size").join(name);
    fs::create_dir_all(&out).map_err(|error| format!("{} cannot be made: {error}", out.display()))?;
    let built = target.join("wasm32-unknown-unknown/release").join(binary).with_extension("wasm");
    let mut bindgen = toolbox.command("wasm-bindgen");
    bindgen.args(["--target", "web", "--no-typescript", "--out-name", "app", "--out-dir"]).arg(&out).arg(&built);
    toolbox.run("making its JavaScript", &mut bindgen)?;

    let (bound, wasm) = (out.join("app_bg.wasm"), out.join("app.wasm"));
    toolbox.run("shrinking its wasm", toolbox.command("wasm-opt").arg("-Oz").arg(&bound).arg("-o").arg(&wasm))?;
    let [wasm, js] = weigh(toolbox, &[&wasm, &out.join("app.js")])?;
    let mut app = App { wasm, js };
    for import in imports {
        let [js] = weigh(toolbox, &[&toolbox.path("pkg").join(import)])?;
        app.js = app.js.plus(js);
    }
    Ok(app)
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

    /// What it adds to the page, and to the page and its worker, when the keep is in that.
    pub(crate) fn difference_with_worker(&self) -> [Bytes; 2] {
        let page = self.page.total().zip(self.base.total(), i64::saturating_sub);
        [page, page.plus(self.worker.total())]
    }

    pub(crate) fn json(&self) -> String {
        let Self { base, with, page, worker } = self;
        let apps =
            [("base", base), ("with", with), ("page", page), ("worker", worker)].map(|(name, app)| format!(r#""{name}": {}"#, app.json()));
        format!(r#"{{{}, "difference": {}}}"#, apps.join(", "), self.difference().json())
    }

    pub(crate) fn table(&self) -> String {
        let mut table = Bytes::head();
        let mut row = |name: &str, bytes: Bytes| table.push_str(&bytes.row(name));
        for (name, app) in
            [("Leptos with router", &self.base), ("signing in", &self.with), ("keep in a worker", &self.page), ("the worker", &self.worker)]
        {
            row(name, app.total());
            row("    wasm", app.wasm);
            row("    js", app.js);
        }
        row("difference", self.difference());
        let [page, all] = self.difference_with_worker();
        row("in a worker: page", page);
        row("    with the worker", all);
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
        Some(Sizes {
            base: app("100 50 40\n30 20 10\n")?,
            with: app("300 90 70\n40 25 12\n")?,
            page: app("150 60 45\n50 30 15\n")?,
            worker: app("200 80 60\n10 5 2\n")?,
        })
    }

    #[test]
    fn the_difference_is_of_wasm_and_js_together() {
        assert_eq!(sizes().map(|sizes| sizes.difference()), Some(Bytes { raw: 210, gzip: 45, brotli: 32 }));
        let [page, all] = [Bytes { raw: 70, gzip: 20, brotli: 10 }, Bytes { raw: 280, gzip: 105, brotli: 72 }];
        assert_eq!(sizes().map(|sizes| sizes.difference_with_worker()), Some([page, all]));
    }

    #[test]
    fn json_is_one_line_and_one_object() {
        let expected = concat!(
            r#"{"base": {"wasm": {"raw": 100, "gzip": 50, "brotli": 40}, "js": {"raw": 30, "gzip": 20, "brotli": 10}}, "#,
            r#""with": {"wasm": {"raw": 300, "gzip": 90, "brotli": 70}, "js": {"raw": 40, "gzip": 25, "brotli": 12}}, "#,
            r#""page": {"wasm": {"raw": 150, "gzip": 60, "brotli": 45}, "js": {"raw": 50, "gzip": 30, "brotli": 15}}, "#,
            r#""worker": {"wasm": {"raw": 200, "gzip": 80, "brotli": 60}, "js": {"raw": 10, "gzip": 5, "brotli": 2}}, "#,
            r#""difference": {"raw": 210, "gzip": 45, "brotli": 32}}"#,
        );
        assert_eq!(sizes().map(|sizes| sizes.json()).as_deref(), Some(expected));
    }

    #[test]
    fn an_incomplete_measurement_is_refused() {
        assert_eq!(read::<2>("100 50 40\n"), None);
    }
}
