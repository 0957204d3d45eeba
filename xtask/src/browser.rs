//! The browsers that tests run in, as Debian has them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Result;
use crate::tools::Toolbox;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
    /// WebKitGTK: the engine of Safari, in another browser.
    WebKit,
}

impl Browser {
    pub(crate) const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// One, or `all`.
    pub(crate) fn named(name: &str) -> Result<Vec<Self>> {
        let named: Vec<_> = Self::ALL.into_iter().filter(|browser| name == "all" || browser.name() == name).collect();
        if named.is_empty() { Err(format!("no such browser: {name}")) } else { Ok(named) }
    }

    /// As the end-to-end tests have it in `BROWSER`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }

    pub(crate) fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["chromium", "chromium-driver"],
            // Its driver is no package: cargo builds it.
            Self::Firefox => &["firefox-esr"],
            Self::WebKit => &["webkit2gtk-driver", "xvfb", "dbus"],
        }
    }

    /// What is there when the packages are. As in webdriver.json.
    pub(crate) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["/usr/bin/chromium", "/usr/bin/chromedriver"],
            Self::Firefox => &["/usr/bin/firefox-esr"],
            Self::WebKit => &["/usr/bin/WebKitWebDriver", "/usr/bin/Xvfb", "/usr/bin/dbus-daemon"],
        }
    }

    /// Lets the tests of a command run in this browser and no other.
    pub(crate) fn drive(self, command: &mut Command, screen: Option<&Screen>) {
        // wasm-bindgen-test-runner takes the first that is set.
        for other in ["CHROMEDRIVER", "GECKODRIVER", "MSEDGEDRIVER", "SAFARIDRIVER"]
            .iter()
            .flat_map(|name| [(*name).to_owned(), format!("{name}_REMOTE")])
        {
            command.env_remove(other);
        }
        match self {
            Self::Chromium => command.env("CHROMEDRIVER", "/usr/bin/chromedriver"),
            Self::Firefox => command.env("GECKODRIVER", "geckodriver"),
            // The runner does not know this driver, but speaks to it as to Safari's.
            // Without the thread that puts layers together in software, and crashes at times.
            Self::WebKit => command.env("SAFARIDRIVER", "/usr/bin/WebKitWebDriver").env("WEBKIT_DISABLE_COMPOSITING_MODE", "1"),
        };
        command.env("BROWSER", self.name());
        if let Some(screen) = screen {
            command.env("DISPLAY", &screen.name).env_remove("WAYLAND_DISPLAY");
        }
    }

    /// For the one browser that does not run without.
    pub(crate) fn screen(self, toolbox: &Toolbox) -> Result<Option<Screen>> {
        if self == Self::WebKit { Screen::start(toolbox).map(Some) } else { Ok(None) }
    }
}

/// A screen that nobody sees. Ends when dropped.
pub(crate) struct Screen {
    server: Child,
    name: String,
}

impl Screen {
    fn start(toolbox: &Toolbox) -> Result<Self> {
        let said = toolbox.target().join("xvfb.log");
        let log = fs::create_dir_all(toolbox.target())
            .and_then(|()| File::create(&said))
            .map_err(|error| format!("{}: {error}", said.display()))?;
        let mut xvfb = toolbox.command("Xvfb");
        // It chooses a number that is free, and says which when it is ready.
        xvfb.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset"]);
        xvfb.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut server = xvfb.spawn().map_err(|error| format!("Xvfb did not start: {error}"))?;
        let mut number = String::new();
        if let Some(output) = server.stdout.take() {
            // An empty number says as much as an error.
            let _ = BufReader::new(output).read_line(&mut number);
        }
        let screen = Self { server, name: format!(":{}", number.trim()) };
        if number.trim().is_empty() { Err(format!("Xvfb did not start; what it said is in {}", said.display())) } else { Ok(screen) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Asked to end, it takes its lock along.
        let asked = Command::new("sh").args(["-c", "kill \"$0\"", &self.server.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_browser_is_found_by_its_name() {
        for browser in Browser::ALL {
            assert_eq!(Browser::named(browser.name()), Ok(vec![browser]));
        }
    }

    #[test]
    fn all_names_every_browser() {
        assert_eq!(Browser::named("all"), Ok(Browser::ALL.to_vec()));
    }

    #[test]
    fn an_unknown_browser_is_named() {
        assert_eq!(Browser::named("lynx"), Err("no such browser: lynx".into()));
    }

    #[test]
    fn a_command_is_driven_by_one_driver_only() {
        let mut command = Command::new("true");
        Browser::Chromium.drive(&mut command, None);
        Browser::Firefox.drive(&mut command, None);
        let drivers = command.get_envs().filter(|(name, value)| value.is_some() && name.to_string_lossy().ends_with("DRIVER"));
        assert_eq!(drivers.map(|(name, _)| name.to_string_lossy().into_owned()).collect::<Vec<_>>(), ["GECKODRIVER"]);
    }
}
