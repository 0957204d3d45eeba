//! The engines: how each is started, and what only one of them can tell.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use thirtyfour::{Capabilities, WebDriver};

use super::{
    http::Request,
    process::{Process, free_port},
};

/// Without it, the window and so the page cannot be as narrow as a small phone.
const SMALL_TOOLBAR: &str = "* { min-width: 0; padding: 0; }";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Engine {
    Chromium,
    Firefox,
    WebKit,
}

/// Whether the browser sends an origin its cookies when another origin's page has it in a frame or asks it by a script.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Cookies {
    /// Chromium and Firefox do not, WebKit does.
    #[default]
    AsUsual,
    ThirdPartyAllowed,
    ThirdPartyBlocked,
}

impl Engine {
    /// What `BROWSER` says.
    pub(crate) fn chosen() -> Self {
        match env::var("BROWSER").as_deref() {
            Err(_) | Ok("chromium") => Self::Chromium,
            Ok("firefox") => Self::Firefox,
            Ok("webkit") => Self::WebKit,
            Ok(other) => panic!("BROWSER is chromium, firefox or webkit, and not {other}"),
        }
    }

    /// Starts a browser that knows nothing yet, and the driver that it obeys.
    pub(crate) async fn start(self, folder: &Path, cookies: Cookies) -> (Process, u16, WebDriver) {
        let port = free_port();
        let mut command = Command::new(self.driver());
        command.arg(format!("--port={port}"));
        match self {
            Self::Chromium => {}
            // Else it does not obey `script_as_firefox`.
            Self::Firefox => drop(command.arg("--allow-system-access")),
            Self::WebKit => {
                let gtk = folder.join("gtk-3.0");
                fs::create_dir(&gtk).and_then(|()| fs::write(gtk.join("gtk.css"), SMALL_TOOLBAR)).expect("a style for the window");
                command.env("XDG_CONFIG_HOME", folder);
                // The thread that puts layers together in software crashes at times.
                command.env("WEBKIT_DISABLE_COMPOSITING_MODE", "1");
            }
        }
        // What the browser leaves in the temporary folder goes with the rest.
        command.env("TMPDIR", folder);
        let mut driver = Process::start(&mut command, folder, "driver");
        let status = async || Request::get("/status", port).send_to(port).await.is_ok_and(|response| response.status == 200);
        driver.is_ready(status).await;
        let mut capabilities = Capabilities::new();
        for (name, value) in self.capabilities(folder, cookies).as_object().expect("an object") {
            capabilities.set(name, value.clone()).expect("a capability");
        }
        let session = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities).request_timeout(Duration::from_secs(60)).await;
        let session = session.unwrap_or_else(|error| panic!("no session: {error}\n{}", driver.output()));
        (driver, port, session)
    }

    fn driver(self) -> PathBuf {
        let (variable, usual) = match self {
            Self::Chromium => ("CHROMEDRIVER", "/usr/bin/chromedriver"),
            Self::Firefox => ("GECKODRIVER", "geckodriver"),
            Self::WebKit => ("WEBKIT_WEB_DRIVER", "/usr/bin/WebKitWebDriver"),
        };
        env::var_os(variable).map_or_else(|| usual.into(), PathBuf::from)
    }

    fn capabilities(self, folder: &Path, cookies: Cookies) -> Value {
        let mut capabilities = match self {
            Self::Chromium => json!({
                "browserName": "chrome",
                "goog:chromeOptions": {
                    "binary": "/usr/bin/chromium",
                    "args": [
                        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1100,900",
                        format!("--user-data-dir={}", folder.join("profile").display()),
                    ],
                },
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }),
            // geckodriver makes a new profile by itself.
            Self::Firefox => json!({
                "browserName": "firefox",
                "moz:firefoxOptions": {
                    "binary": "/usr/bin/firefox-esr",
                    "args": ["-headless"],
                    "prefs": {"devtools.console.stdout.content": true},
                },
            }),
            // Needs a display, such as Xvfb. Its driver knows where the browser is.
            Self::WebKit => json!({
                "webkitgtk:browserOptions": {"args": ["--automation"]},
                // It never answers a script whose page was left meanwhile. By default one would wait for 30 seconds.
                "timeouts": {"script": 5_000},
            }),
        };
        let blocked = match cookies {
            Cookies::AsUsual => return capabilities,
            Cookies::ThirdPartyAllowed => false,
            Cookies::ThirdPartyBlocked => true,
        };
        match self {
            Self::Chromium => capabilities["goog:chromeOptions"]["prefs"] = json!({"profile.cookie_controls_mode": u8::from(blocked)}),
            // Its way to block is to keep other ones in every page.
            Self::Firefox => {
                capabilities["moz:firefoxOptions"]["prefs"]["network.cookie.cookieBehavior"] = json!(if blocked { 5 } else { 0 });
            }
            Self::WebKit if blocked => {
                capabilities["webkitgtk:browserOptions"]["args"] = json!(["--automation", "--enable-itp"]);
            }
            Self::WebKit => {}
        }
        capabilities
    }
}
