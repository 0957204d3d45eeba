//! The doctor: what is wrong between an app and its provider. The checks are the npm package's, in a script beside the wasm.

use std::fmt;

use crate::{keep::Config, protocol::Json};

/// Looks at provider and app as a page of the app does, and says what it found, the worst first. An empty list: nothing to say.
///
/// Nobody is signed in by it, and no secret is sent: the token endpoint gets a code that is made up and says so, and what a request meets
/// that fails is in the browser's console too. `npx tokenkeep diagnose` sees more, from outside.
///
/// ```no_run
/// # async fn doctor() {
/// use tokenkeep::{Config, Severity, diagnose};
///
/// let config = Config::new("https://login.example.com", "my-app").api("https://api.example.com/");
/// let findings = diagnose(&config).await;
/// assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{findings:?}");
/// # }
/// ```
///
/// Where there is no page, on a server, there is nothing to look at, and the list is empty.
pub async fn diagnose(config: &Config) -> Vec<Finding> {
    #[cfg(target_family = "wasm")]
    return script::diagnose(config).await;
    #[cfg(not(target_family = "wasm"))]
    {
        let _ = config;
        Vec::new()
    }
}

/// Something that is wrong, or might be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What a program compares. The README of the npm package lists all codes.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter, with code between back ticks. What a server said may be in it: not to be shown as HTML.
    pub cause: String,
    /// What to do.
    pub fix: String,
    /// At which URL.
    pub place: Option<String>,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Signing in, or calling the API, does not work.
    Error,
    /// Something will not work, or protects less.
    Warning,
    /// To know.
    Info,
}

impl Severity {
    /// `error`, `warning` or `info`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

impl Finding {
    #[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "only a page is looked at"))]
    fn read(json: &Json) -> Option<Finding> {
        let text = |name| json.text(name).map(str::to_owned);
        let severities = [Severity::Error, Severity::Warning, Severity::Info];
        Some(Finding {
            code: text("code")?,
            severity: severities.into_iter().find(|severity| Some(severity.name()) == json.text("severity"))?,
            cause: text("cause")?,
            fix: text("fix")?,
            place: text("where"),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity.name(), self.code)?;
        if let Some(place) = &self.place {
            write!(f, " at {place}")?;
        }
        write!(f, ": {} {}", self.cause, self.fix)
    }
}

#[cfg(target_family = "wasm")]
mod script {
    use js_sys::JSON;
    use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

    use super::{Finding, Severity};
    use crate::{keep::Config, protocol::Json};

    #[wasm_bindgen(module = "/pkg/diagnose/browser.js")]
    extern "C" {
        #[wasm_bindgen(catch, js_name = diagnose)]
        async fn look(options: &JsValue) -> Result<JsValue, JsValue>;
    }

    // It imports these: this takes them along.
    #[wasm_bindgen(module = "/pkg/diagnose/checks.js")]
    extern "C" {
        #[wasm_bindgen(js_name = check)]
        fn _check();
    }

    #[wasm_bindgen(module = "/pkg/diagnose/policy.js")]
    extern "C" {
        #[wasm_bindgen(js_name = allows)]
        fn _allows();
    }

    pub(super) async fn diagnose(config: &Config) -> Vec<Finding> {
        let found = async {
            let keeps: &[&str] = if cfg!(feature = "worker") { &["shared", "worker", "page"] } else { &["page"] };
            let mut options = config.to_json();
            if let Json::Object(members) = &mut options {
                members.push(("keep".to_owned(), Json::Array(keeps.iter().copied().map(Json::from).collect())));
            }
            let found = look(&JSON::parse(&options.to_string())?).await?;
            JSON::stringify(&found)
        };
        // Other scripts of the page may have replaced what it works with.
        let list = found.await.ok().and_then(|text| Json::parse(&text.as_string()?).ok());
        let read = list.as_ref().and_then(Json::as_array).and_then(|list| list.iter().map(Finding::read).collect());
        read.unwrap_or_else(|| {
            vec![Finding {
                code: "provider_not_checked".to_owned(),
                severity: Severity::Warning,
                cause: "The checks did not run in this page.".to_owned(),
                fix: "Ask from outside: `npx tokenkeep diagnose`.".to_owned(),
                place: None,
            }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_found_is_read_whole_or_not_at_all() {
        let text = r#"{"code": "token_cors", "severity": "error", "cause": "No.", "fix": "Yes.", "where": "https://as.example/token"}"#;
        let finding = Finding::read(&Json::parse(text).unwrap()).unwrap();
        assert_eq!((finding.code.as_str(), finding.severity), ("token_cors", Severity::Error));
        assert_eq!(finding.to_string(), "error: token_cors at https://as.example/token: No. Yes.");
        let without = text.replace(r#", "where": "https://as.example/token""#, "");
        assert_eq!(Finding::read(&Json::parse(&without).unwrap()).unwrap().place, None);
        for (member, wrong) in [("token_cors\"", "token_cors\", \"code\": 7"), ("\"error\"", "\"fatal\""), ("\"No.\"", "null")] {
            let broken = text.replace(member, wrong);
            assert!(Json::parse(&broken).ok().and_then(|json| Finding::read(&json)).is_none(), "{broken}");
        }
    }
}
