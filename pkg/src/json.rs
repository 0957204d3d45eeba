//! What JavaScript is told, as JSON. The names are those of `index.d.ts`.

use tokenkeep::{Claims, Ended, Error, Event, Finished, Kind, Rung, Session, State, protocol::Json};
#[cfg(feature = "session")]
use tokenkeep::{SignIn, StepUp, keep::OpFrame, protocol::MonitorStopped};

fn text(text: &str) -> Option<Json> {
    Some(Json::from(text))
}

fn number(number: impl Into<u64>) -> Option<Json> {
    Some(Json::from(number.into()))
}

pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Json> {
    Some(Json::Array(texts.into_iter().map(Json::from).collect()))
}

pub(crate) fn claims(claims: &Claims) -> Json {
    Json::Object(claims.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect())
}

fn session(session: &Session) -> Json {
    Json::object(vec![
        ("status", text("signed_in")),
        ("issuer", text(session.issuer.as_str())),
        ("subject", session.subject().and_then(text)),
        ("claims", Some(session.claims.as_ref().map_or(Json::Object(Vec::new()), claims))),
        ("scopes", list(session.scope.iter())),
        ("authorizationDetails", Some(Json::Array(session.authorization_details.clone()))),
        ("expiresAt", session.expires.and_then(|expires| number(expires.as_millis()))),
        ("renewedBy", session.renewed_by.and_then(|by| text(rung(by)))),
    ])
}

/// A state, told apart from events by having no `type`.
pub(crate) fn state(state: &State) -> Json {
    match state {
        State::Failed(why) => Json::object(vec![("status", text("failed")), ("error", Some(error(why)))]),
        State::SignedIn(signed_in) => session(signed_in),
        State::SignedOut => Json::object(vec![("status", text("signed_out"))]),
        State::Unknown => Json::object(vec![("status", text("unknown"))]),
    }
}

/// A sign-in that somebody else asks for: what can be in it.
#[cfg(feature = "session")]
pub(crate) fn initiated(asked: &SignIn) -> Json {
    Json::object(vec![("loginHint", asked.hinted().and_then(text)), ("returnTo", asked.returns_to().and_then(text))])
}

/// What a page posts to the provider's frame.
#[cfg(feature = "session")]
pub(crate) fn op_frame(frame: &OpFrame) -> Json {
    Json::object(vec![("url", text(&frame.url)), ("origin", text(&frame.origin)), ("message", text(&frame.message))])
}

pub(crate) fn finished(finished: &Finished) -> Json {
    let (outcome, return_to) = match finished {
        Finished::Nothing => ("nothing", None),
        Finished::Restored { .. } => ("restored", None),
        Finished::SignedIn { return_to, .. } => ("signed_in", Some(return_to)),
        Finished::SignInNeeded { return_to } => ("sign_in_needed", Some(return_to)),
    };
    Json::object(vec![("outcome", text(outcome)), ("returnTo", return_to.and_then(|place| text(place)))])
}

pub(crate) fn error(error: &Error) -> Json {
    let (code, kind) = match error.kind() {
        Kind::Interrupted => (error.code(), "interrupted"),
        Kind::Misbehaved => (error.code(), "misbehaved"),
        Kind::Misconfigured => (error.code(), "misconfigured"),
        Kind::Provider => ("provider", "provider"),
    };
    let provider = if let Error::Provider(provider) = error { Some(provider) } else { None };
    Json::object(vec![
        ("code", text(code)),
        ("kind", text(kind)),
        ("message", text(&error.to_string())),
        ("retryable", Some(Json::Bool(error.is_retryable()))),
        ("error", provider.and_then(|provider| text(provider.error()))),
        ("errorDescription", provider.and_then(|provider| text(provider.description()?))),
        ("errorUri", provider.and_then(|provider| text(provider.uri()?.as_str()))),
        ("status", error.status().and_then(number)),
        ("option", error.option().and_then(text)),
    ])
}

pub(crate) fn event(event: &Event) -> Json {
    let (kind, members) = match event {
        #[cfg(feature = "session")]
        Event::Active => ("active", vec![]),
        Event::ApiAnswered { url, status } => ("api_answered", vec![("url", text(url)), ("status", number(*status))]),
        Event::CallbackReceived => ("callback_received", vec![]),
        Event::ClientMetadataUnsupported => ("client_metadata_unsupported", vec![]),
        Event::CodeRedeemed => ("code_redeemed", vec![]),
        Event::Ended(reason) => ("ended", vec![("reason", text(ended(*reason)))]),
        Event::Failed(why) => ("failed", vec![("error", Some(error(why)))]),
        Event::IdTokenVerified { algorithm } => ("id_token_verified", vec![("algorithm", text(algorithm.name()))]),
        #[cfg(feature = "session")]
        Event::IdleSoon { ends } => ("idle_soon", vec![("endsAt", number(ends.as_millis()))]),
        Event::KeysRead => ("keys_read", vec![]),
        Event::MetadataRead => ("metadata_read", vec![]),
        Event::Redirecting => ("redirecting", vec![]),
        Event::Renewed { by } => ("renewed", vec![("by", text(rung(*by)))]),
        Event::RenewalFailed { by, error: why, pause } => {
            let pause = pause.and_then(|pause| number(pause.as_secs()));
            ("renewal_failed", vec![("by", text(rung(*by))), ("error", why.as_ref().map(error)), ("pauseSeconds", pause)])
        }
        Event::Revoked(outcome) => ("revoked", vec![("error", outcome.as_ref().err().map(error))]),
        Event::ScopeChanged { missing, added } => {
            let words = |words: &[String]| list(words.iter().map(String::as_str));
            ("scope_changed", vec![("missing", words(missing)), ("added", words(added))])
        }
        #[cfg(feature = "session")]
        Event::SessionChanged => ("session_changed", vec![]),
        #[cfg(feature = "session")]
        Event::SessionMonitorStopped { reason } => ("session_monitor_stopped", vec![("reason", text(stopped(*reason)))]),
        Event::SignedIn => ("signed_in", vec![]),
        Event::SignedOutAtProvider => ("signed_out_at_provider", vec![]),
        Event::SignInNeeded => ("sign_in_needed", vec![]),
        #[cfg(feature = "session")]
        Event::StepUpNeeded(wanted) => ("step_up_needed", vec![("signIn", Some(step_up(wanted)))]),
        #[cfg(feature = "session")]
        Event::StepUpSettled => ("step_up_settled", vec![]),
        _ => ("", vec![]),
    };
    let mut told = vec![("type", text(kind)), ("text", text(&event.to_string()))];
    told.extend(members);
    Json::object(told)
}

/// Options of a sign-in.
#[cfg(feature = "session")]
fn step_up(wanted: &StepUp) -> Json {
    let acr = wanted.acr_values();
    Json::object(vec![
        ("requiredAcr", (!acr.is_empty()).then(|| Json::from(acr))),
        ("maxAgeSeconds", wanted.max_age().and_then(|max_age| number(max_age.as_secs()))),
    ])
}

fn rung(rung: Rung) -> &'static str {
    match rung {
        Rung::Frame => "frame",
        Rung::Redirect => "redirect",
        Rung::RefreshToken => "refresh_token",
        Rung::Tab => "tab",
    }
}

#[cfg(feature = "session")]
fn stopped(reason: MonitorStopped) -> &'static str {
    match reason {
        MonitorStopped::AlwaysChanged => "always_changed",
        MonitorStopped::Error => "error",
        MonitorStopped::FrameBlocked => "frame_blocked",
        MonitorStopped::NoAnswer => "no_answer",
        MonitorStopped::NoSessionState => "no_session_state",
        MonitorStopped::NotOffered => "not_offered",
    }
}

fn ended(reason: Ended) -> &'static str {
    match reason {
        Ended::Expired => "expired",
        Ended::Idle => "idle",
        Ended::Rejected => "rejected",
        Ended::SessionLimit => "session_limit",
        Ended::SignedOut => "signed_out",
        Ended::SignedOutAtProvider => "signed_out_at_provider",
        Ended::SignedOutElsewhere => "signed_out_elsewhere",
        Ended::UserChanged => "user_changed",
    }
}
