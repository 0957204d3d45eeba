use leptos::prelude::*;
use tokenkeep::{Config, Finding, Severity, diagnose};

use super::Page;
use crate::problem::sentence;

/// What is wrong between this app and its provider, if anything is.
#[component]
pub fn Doctor(config: Config) -> impl IntoView {
    let look = Action::new_local(move |_: &()| {
        let config = config.clone();
        async move { diagnose(&config).await }
    });
    look.dispatch(());
    let is_looking = look.pending();
    let status = move || match look.value().get() {
        _ if is_looking.get() => "Looking at provider and app…".to_owned(),
        Some(findings) => summary(&findings),
        None => String::new(),
    };
    view! {
        <Page title="Doctor">
            <p class="lead">
                "Looks at the provider and at this app as a page does, and says what is wrong and what to do. Nobody is signed in by it. "
                "Ask it when signing in fails and the browser does not say why, or before you put an app online. It is not for your users: "
                "they can change none of this."
            </p>
            <section aria-label="Findings" aria-busy=move || is_looking.get().to_string()>
                <p role="status" id="status" class="strong">{status}</p>
                {move || look.value().get().map(|findings| list(&findings))}
            </section>
            <p><button type="button" on:click=move |_| { look.dispatch(()); } disabled=is_looking>"Look again"</button></p>
            <p class="quiet">
                "A page cannot see everything: whether the redirect URI is registered, for one. From a terminal, and in CI, more is seen: "
                <code>"npx tokenkeep diagnose"</code>"."
            </p>
        </Page>
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |severity, one: &str| {
        let number = findings.iter().filter(|finding| finding.severity == severity).count();
        format!("{number} {one}{}", if number == 1 { "" } else { "s" })
    };
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")];
    let counts = counts.map(|(severity, one)| count(severity, one)).join(", ");
    let verdict = if findings.iter().any(|finding| finding.severity == Severity::Error) { "This does not work" } else { "This works" };
    [verdict, ": ", &counts, "."].concat()
}

fn list(findings: &[Finding]) -> impl IntoView + use<> {
    let one = |finding: &Finding| {
        let Finding { code, severity, cause, fix, place } = finding.clone();
        view! {
            <li class="card finding" data-code=finding.code.clone() data-severity=severity.name()>
                <p class="finding-head"><span class="severity">{word(severity)}</span><code>{code}</code></p>
                <p>{sentence(&cause)}</p>
                <p><strong>"What to do: "</strong>{sentence(&fix)}</p>
                {place.map(|place| view! { <p class="quiet">"At "<code>{place}</code></p> })}
            </li>
        }
    };
    view! { <ul class="findings" id="findings">{findings.iter().map(one).collect_view()}</ul> }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
        Severity::Info => "Note",
    }
}
