use leptos::prelude::*;
use tokenkeep::protocol::{Json, Number, UnixTime};
use tokenkeep::{Error, SignIn, State};

use super::Page;
use crate::flow::Flow;
use crate::log::Log;
use crate::picture::{By, Lane, Picture, Step};
use crate::problem::Problem;
use crate::run::{Runs, steps};
use crate::{storage, time};

/// When the last one began in this tab.
const KEY: &str = "tokenkeep-demo.initiated";

/// What the address asks for.
#[derive(Clone, PartialEq)]
enum Asked {
    Nothing,
    SignIn(SignIn),
    Refused(Error),
}

/// The app's `initiate_login_uri`: a portal, or the provider's own page, sends users here who shall sign in.
#[component]
pub fn Initiate(runs: Runs, log: Log, issuer: String) -> impl IntoView {
    let auth = runs.auth;
    let asked = auth.client().map_or(Ok(None), |client| client.initiated_sign_in(&window().location().href().unwrap_or_default()));
    let asked = match asked {
        Ok(None) => Asked::Nothing,
        Ok(Some(sign_in)) => Asked::SignIn(sign_in),
        Err(error) => Asked::Refused(error),
    };
    // Or the way back from the provider would lead there again.
    if asked != Asked::Nothing
        && let Ok(history) = window().history()
    {
        let _ = history.replace_state_with_url(&history.state().unwrap_or_default(), "", Some("/initiate"));
    }
    if let Asked::SignIn(sign_in) = &asked {
        let sign_in = sign_in.clone();
        let begun = StoredValue::new(false);
        Effect::new(move |_| {
            // Who is signed in here is found out first, and signed in by nobody else's wish.
            let nobody = matches!(auth.state(), State::SignedOut | State::Failed(_));
            if nobody && !begun.try_update_value(|begun| std::mem::replace(begun, true)).unwrap_or(true) {
                storage::write(KEY, &Json::Number(Number::from(time::now().as_millis())).to_string());
                auth.sign_in_with(sign_in.clone());
            }
        });
    }
    let shown = match asked {
        Asked::Nothing => view! { <p>"Nobody asks for a sign-in here now. Begin at the provider: "<a id="apps" href=[&issuer, "/"].concat() rel="external">"your apps"</a>"."</p> }
            .into_any(),
        Asked::Refused(error) => view! { <Problem title="This is no sign-in for this app" error>""</Problem> }.into_any(),
        Asked::SignIn(sign_in) => {
            let place = sign_in.returns_to().unwrap_or("/").to_owned();
            let hinted = sign_in.hinted().map(|hinted| view! { " as "<strong>{hinted.to_owned()}</strong> });
            view! {
                <p role="status">"The provider asks you to sign in"{hinted}"."</p>
                {move || auth.session().map(|_| view! { <p>"You are signed in already. "<a href=place.clone()>"Go on"</a></p> })}
            }
            .into_any()
        }
    };
    let begun = begun();
    view! {
        <Page title="Opened from elsewhere">
            <p class="lead">
                "A portal, or the provider’s own page, opens the app with "<code>"iss"</code>", "<code>"login_hint"</code>" and "
                <code>"target_link_uri"</code>" in the address. The app signs the user in by itself: at its own provider and no other, and "
                "then shows a page of its own and no other."
            </p>
            <dl class="fit">
                <dt>"For"</dt>
                <dd>"an app that is opened from a list of apps, and shall not ask for a click then."</dd>
                <dt>"Not for"</dt>
                <dd>"an app that nobody opens from elsewhere: whoever makes such a link starts a sign-in."</dd>
            </dl>
            {shown}
            {begun.map(|at| view! {
                <h2>"The last one in this tab"</h2>
                {move || view! { <Picture id="picture-initiated".to_owned() title="What happened: opened from elsewhere".to_owned() steps=opened(log, at) /> }}
            })}
        </Page>
    }
}

fn begun() -> Option<UnixTime> {
    Some(UnixTime::from_millis(Json::parse(&storage::read(KEY)?).ok()?.as_number()?.floor()?))
}

/// Tracks.
fn opened(log: Log, at: UnixTime) -> Vec<Step> {
    let mut all = vec![
        Step::new(Lane::You, Lane::Provider, "click", By::Person),
        Step::new(Lane::Provider, Lane::App, "iss, login_hint", By::Address),
        Step::new(Lane::App, Lane::App, "iss is right", By::Request),
    ];
    // Without the click in the app: there was none.
    all.extend(steps(Flow::Code, &log.since(at)).into_iter().skip(1));
    all
}
