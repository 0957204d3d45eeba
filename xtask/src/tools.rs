//! The tools that cargo does not bring: found where the version is right, installed into a cache of our own where not.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::Result;
use crate::browser::Browser;

const GECKODRIVER: &str = "0.37.1";
const BINARYEN: &str = "132.0.0";
/// What binaryen's tools call themselves.
const WASM_OPT: &str = "version 132";
/// The last version that the compiler in rust-toolchain.toml builds.
const TRUNK: &str = "0.21.14";
/// As in demo/provider/package.json.
const NODE: (u32, u32) = (20, 19);
const WASM: &str = "wasm32-unknown-unknown";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tool {
    Binaryen,
    Browser(Browser),
    Crates,
    /// A compiler for C++, of which libFuzzer is made.
    Cxx,
    /// The npm packages of this folder.
    Packages(&'static str),
    RustSource,
    Trunk,
    WasmBindgen,
    WasmTarget,
}

/// Where things are, and the directories of the tools provided so far.
pub(crate) struct Toolbox {
    root: PathBuf,
    cache: PathBuf,
    directories: Vec<PathBuf>,
    provided: Vec<Tool>,
}

impl Toolbox {
    pub(crate) fn new() -> Result<Self> {
        // As it is now: checkouts that share a target directory share this program.
        let package = env::var_os("CARGO_MANIFEST_DIR").ok_or("run this as `cargo xtask`")?;
        let root = Path::new(&package).parent().ok_or("xtask must be in the repository")?.to_path_buf();
        let cache = match env::var_os("XDG_CACHE_HOME").filter(|path| Path::new(path).is_absolute()) {
            Some(cache) => PathBuf::from(cache),
            None => env::home_dir().ok_or("neither XDG_CACHE_HOME nor a home directory says where to keep tools")?.join(".cache"),
        };
        Ok(Self { root, cache: cache.join("tokenkeep"), directories: Vec::new(), provided: Vec::new() })
    }

    /// A path in the repository.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |target| self.root.join(target))
    }

    /// A command in the repository that finds the tools provided, and keeps Trunk from downloading others.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command.env("TRUNK_OFFLINE", "true").env("TRUNK_SKIP_VERSION_CHECK", "true");
        // The variables that cargo set for xtask itself would reach build scripts and count as changes.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
            command.env_remove(name);
        }
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(self.directories.iter().cloned().chain(env::split_paths(&path)));
        if let Ok(path) = path {
            command.env("PATH", path);
        }
        command
    }

    pub(crate) fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
    }

    /// Runs a command that must succeed. What it prints goes to stderr: stdout is for results.
    pub(crate) fn run(&self, purpose: &str, command: &mut Command) -> Result<()> {
        eprintln!("--- {purpose}");
        let name = command.get_program().to_string_lossy().into_owned();
        match command.stdin(Stdio::null()).stdout(Stdio::from(io::stderr())).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{purpose}: {name} failed ({status}); what it said is above")),
            Err(error) => Err(format!("{purpose}: {name} did not start: {error}")),
        }
    }

    pub(crate) fn provide(&mut self, tools: &[Tool]) -> Result<()> {
        for &tool in tools {
            if self.provided.contains(&tool) {
                continue;
            }
            match tool {
                Tool::Binaryen => self.binaryen()?,
                Tool::Browser(browser) => self.browser(browser)?,
                Tool::Crates => self.crates()?,
                Tool::Cxx => self.cxx()?,
                Tool::Packages(folder) => self.packages(folder)?,
                Tool::RustSource => self.rust_source()?,
                Tool::Trunk => self.trunk()?,
                Tool::WasmBindgen => self.wasm_bindgen()?,
                Tool::WasmTarget => self.wasm_target()?,
            }
            self.provided.push(tool);
        }
        Ok(())
    }

    fn wasm_target(&self) -> Result<()> {
        let library = self.output("rustc", &["--print", "target-libdir", "--target", WASM]);
        if library.is_some_and(|library| Path::new(library.trim()).is_dir()) {
            found(WASM);
            return Ok(());
        }
        let purpose = format!("adding the compiler's target {WASM} (seconds)");
        self.run(&purpose, self.command("rustup").args(["target", "add", WASM]))
            .map_err(|problem| format!("{problem}\nThe compiler needs its target {WASM}, which rustup adds: install rustup and try again."))
    }

    /// The standard library's own source, to build it for size.
    fn rust_source(&self) -> Result<()> {
        let sysroot = self.output("rustc", &["--print", "sysroot"]);
        if sysroot.is_some_and(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").is_file()) {
            found("the standard library's source");
            return Ok(());
        }
        self.run("adding the standard library's source (seconds)", self.command("rustup").args(["component", "add", "rust-src"]))
    }

    /// Trunk builds without the network, so that it cannot fetch tools of other versions: all crates must be here before.
    fn crates(&self) -> Result<()> {
        self.run("fetching the crates (seconds)", self.cargo().arg("fetch"))
    }

    fn wasm_bindgen(&mut self) -> Result<()> {
        let lock = fs::read_to_string(self.path("Cargo.lock")).map_err(|error| format!("Cargo.lock cannot be read: {error}"))?;
        let version = locked(&lock, "wasm-bindgen").ok_or("Cargo.lock has no wasm-bindgen: run `cargo update --workspace`")?;
        let install = Install {
            package: "wasm-bindgen-cli",
            version,
            programs: &["wasm-bindgen", "wasm-bindgen-test-runner"],
            // Not --locked: with its own lock file it does not install.
            arguments: &[],
            environment: &[],
            takes: "about 2 minutes on 2 cores",
        };
        self.cargo_install(&install)
    }

    fn trunk(&mut self) -> Result<()> {
        let install = Install {
            package: "trunk",
            version: TRUNK,
            programs: &["trunk"],
            arguments: &["--locked"],
            // Its own profile spends most of the time on link-time optimization of a program that mostly waits.
            environment: &[
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
                ("CARGO_PROFILE_RELEASE_LTO", "off"),
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
            ],
            takes: "about 4 minutes on 2 cores",
        };
        self.cargo_install(&install)
    }

    fn cargo_install(&mut self, install: &Install<'_>) -> Result<()> {
        let Install { package, version, programs, arguments, environment, takes } = *install;
        let home = self.cache.join(format!("{package}-{version}"));
        let bin = home.join("bin");
        let right = |says: Option<String>| says.is_some_and(|says| says.split_whitespace().any(|word| word == version));

        if programs.iter().all(|program| right(self.output(program, &["--version"]))) {
            found(&format!("{package} {version} (in PATH)"));
            return Ok(());
        }
        self.directories.push(bin.clone());
        if programs.iter().all(|program| right(self.output(bin.join(program), &["--version"]))) {
            found(&format!("{package} {version}"));
            return Ok(());
        }

        let target = home.join("target");
        let mut cargo = self.cargo();
        cargo.args(["install", package, "--version", version, "--force", "--root"]).arg(&home).args(arguments);
        cargo.env("CARGO_TARGET_DIR", &target).envs(environment.iter().copied());
        self.run(&format!("installing {package} {version} ({takes})"), &mut cargo)?;
        // Hundreds of megabytes. After a failure they stay, so that the next attempt goes on from there.
        fs::remove_dir_all(&target).map_err(|error| format!("{} cannot be removed: {error}", target.display()))
    }

    fn binaryen(&mut self) -> Result<()> {
        self.node()?;
        let right = |says: Option<String>| says.is_some_and(|says| says.contains(WASM_OPT));
        if right(self.output("wasm-opt", &["--version"])) {
            found(&format!("wasm-opt {BINARYEN} (in PATH)"));
            return Ok(());
        }
        let home = self.cache.join(format!("binaryen-{BINARYEN}"));
        let bin = home.join("node_modules").join(".bin");
        self.directories.push(bin.clone());
        if right(self.output(bin.join("wasm-opt"), &["--version"])) {
            found(&format!("wasm-opt {BINARYEN}"));
            return Ok(());
        }
        fs::create_dir_all(&home).map_err(|error| format!("{} cannot be made: {error}", home.display()))?;
        let mut npm = self.command("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&home).arg(format!("binaryen@{BINARYEN}"));
        self.run(&format!("installing wasm-opt from npm's binaryen {BINARYEN} (seconds)"), &mut npm)
    }

    fn packages(&self, folder: &str) -> Result<()> {
        self.node()?;
        // npm writes this file last.
        let installed = modified(&self.path(folder).join("node_modules/.package-lock.json"));
        let locked = modified(&self.path(folder).join("package-lock.json"));
        if installed.is_some() && installed >= locked {
            found(&format!("npm packages of {folder}"));
            return Ok(());
        }
        let mut npm = self.command("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(self.path(folder));
        self.run(&format!("installing the npm packages of {folder} (seconds)"), &mut npm)
    }

    fn node(&self) -> Result<()> {
        let (major, minor) = NODE;
        let needed = format!("Node {major}.{minor} or newer must be installed, with npm");
        let says = self.output("node", &["--version"]).ok_or_else(|| format!("node was not found. {needed}."))?;
        if node_version(&says).is_none_or(|version| version < NODE) {
            return Err(format!("this is Node {}. {needed}.", says.trim()));
        }
        self.output("npm", &["--version"]).map(drop).ok_or_else(|| format!("npm was not found. {needed}."))
    }

    fn browser(&mut self, browser: Browser) -> Result<()> {
        let (name, programs) = (browser.name(), browser.programs());
        let there = || programs.iter().all(|path| Path::new(path).exists());
        self.debian(name, &format!("The tests in {name}"), programs, browser.packages(), there)?;
        if browser == Browser::Firefox {
            let install = Install {
                package: "geckodriver",
                version: GECKODRIVER,
                programs: &["geckodriver"],
                arguments: &["--locked"],
                environment: &[],
                takes: "about 3 minutes on 2 cores",
            };
            self.cargo_install(&install)?;
        }
        Ok(())
    }

    fn cxx(&self) -> Result<()> {
        // As cargo's build scripts look for it.
        let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
        let there = || self.output(&compiler, &["--version"]).is_some();
        self.debian(&compiler, "The fuzz targets", &[&compiler], &["g++"], there)
    }

    /// Lets Debian install what is not there.
    fn debian(&self, name: &str, who: &str, programs: &[&str], packages: &[&str], there: impl Fn() -> bool) -> Result<()> {
        if there() {
            found(name);
            return Ok(());
        }
        let advice = format!(
            "{who} need {}. On Debian, as root:\n    apt-get update && apt-get install -y --no-install-recommends {}",
            programs.join(", "),
            packages.join(" "),
        );
        let root = self.output("id", &["-u"]).is_some_and(|id| id.trim() == "0");
        if !root || self.output("apt-get", &["--version"]).is_none() {
            return Err(advice);
        }
        let apt_get = || {
            let mut command = self.command("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        self.run("reading Debian's package lists (seconds)", apt_get().arg("update"))
            .and_then(|()| {
                let install = ["install", "-y", "--no-install-recommends"];
                self.run(&format!("installing {} (about a minute)", packages.join(" ")), apt_get().args(install).args(packages))
            })
            .map_err(|problem| format!("{problem}\n{advice}"))?;
        if there() { Ok(()) } else { Err(advice) }
    }

    /// What a program says, if it is there and succeeds.
    pub(crate) fn output(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
        let output = self.command(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// A package of programs that cargo compiles.
struct Install<'a> {
    package: &'a str,
    version: &'a str,
    programs: &'a [&'a str],
    arguments: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
    takes: &'a str,
}

fn found(what: &str) {
    eprintln!("--- found {what}");
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// The version of a package in Cargo.lock.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// Major and minor of `v20.19.0`.
fn node_version(says: &str) -> Option<(u32, u32)> {
    let mut numbers = says.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"version = 4

[[package]]
name = "wasm-bindgen-macro"
version = "0.2.99"

[[package]]
name = "wasm-bindgen"
version = "0.2.130"
source = "registry"
"#;

    #[test]
    fn the_locked_version_is_that_of_the_package_named_exactly() {
        assert_eq!(locked(LOCK, "wasm-bindgen"), Some("0.2.130"));
    }

    #[test]
    fn a_package_that_is_not_locked_has_no_version() {
        assert_eq!(locked(LOCK, "trunk"), None);
    }

    #[test]
    fn node_versions_compare_as_numbers() {
        assert_eq!(node_version("v20.9.1\n"), Some((20, 9)));
        assert!(node_version("v20.9.1").is_some_and(|version| version < NODE));
        assert!(node_version("v22.0.0").is_some_and(|version| version > NODE));
        assert_eq!(node_version("twenty"), None);
    }
}
