//! The demo at http://127.0.0.1:8080/, with the OpenID provider and the API that it talks to.

use std::net::TcpListener;
use std::process::{Command, ExitCode};

use crate::Result;
use crate::npm;
use crate::tools::{Tool, Toolbox};

/// As in Trunk.toml.
const ADDRESS: &str = "127.0.0.1:8080";

/// Sets up, then serves until Ctrl-C. Trunk.toml starts the provider and the API.
pub(crate) fn serve(release: bool) -> Result<ExitCode> {
    // Trunk would say so too, but only after minutes of building.
    TcpListener::bind(ADDRESS).map_err(|error| format!("the demo needs {ADDRESS}, and that cannot be had: {error}"))?;

    let mut toolbox = Toolbox::new()?;
    toolbox.provide(&[Tool::WasmTarget, Tool::WasmBindgen, Tool::Trunk, Tool::Binaryen, Tool::Packages("demo/provider"), Tool::Crates])?;

    // The flows of servers, on the page of flows, are done by the package.
    npm::package(&mut toolbox)?;

    eprintln!(
        "\nThe demo will be at http://{ADDRESS}/ when Trunk has built it (a minute or two the first time).\n\
         Sign in as alice with alice-password, or as bob with bob-password. Ctrl-C ends everything.\n"
    );
    let mut trunk = toolbox.command("trunk");
    trunk.arg("serve").args(release.then_some("--release"));
    hand_over_to(&mut trunk)
}

/// Becomes the command, so that every signal meant for this process ends it.
#[cfg(unix)]
fn hand_over_to(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    Err(format!("trunk did not start: {}", command.exec()))
}

#[cfg(not(unix))]
fn hand_over_to(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().map_err(|error| format!("trunk did not start: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
