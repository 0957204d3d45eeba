//! What JavaScript is told, as JSON. The names are those of `index.d.ts`.

use tokenkeep::{
    Claims, Ended, Error, Event, Finished, Kind, Rung, Session, State,
    protocol::{Json, Number},
};

fn object<const N: usize>(members: [(&str, Option<Json>); N]) -> Json {
    Json::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn text(text: &str) -> Option<Json> {
    Some(Json::from(text))
}

fn number(number: impl Into<u64>) -> Option<Json> {
    Some(Json::Number(Number::from(number.into())))
}

fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Json> {
    Some(Json::Array(texts.into_iter().map(Json::from).collect()))
}

pub(crate) fn claims(claims: &Claims) -> Json {
    Json::Object(claims.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect())
}

fn session(session: &Session) -> Json {
    object([
        ("status", text("signed_in")),
        ("issuer", text(session.issuer.as_str())),
        ("subject", session.subject().and_then(text)),
        ("claims", Some(session.claims.as_ref().map_or(Json::Object(Vec::new()), claims))),
        ("scopes", list(session.scope.iter())),
        ("expiresAt", session.expires.and_then(|expires| number(expires.as_millis()))),
        ("renewedBy", session.renewed_by.and_then(|by| text(rung(by)))),
    ])
}

/// A state, told apart from events by having no `type`.
pub(crate) fn state(state: &State) -> Json {
    match state {
        State::Failed(why) => object([("status", text("failed")), ("error", Some(error(why)))]),
        State::SignedIn(signed_in) => session(signed_in),
        State::SignedOut => object([("status", text("signed_out"))]),
        State::Unknown => object([("status", text("unknown"))]),
    }
}

pub(crate) fn finished(finished: &Finished) -> Json {
    let (outcome, return_to) = match finished {
        Finished::Nothing => ("nothing", None),
        Finished::Restored { .. } => ("restored", None),
        Finished::SignedIn { return_to, .. } => ("signed_in", Some(return_to)),
        Finished::SignInNeeded { return_to } => ("sign_in_needed", Some(return_to)),
    };
    object([("outcome", text(outcome)), ("returnTo", return_to.and_then(|place| text(place)))])
}

pub(crate) fn error(error: &Error) -> Json {
    let (code, kind) = match error.kind() {
        Kind::Interrupted => (error.code(), "interrupted"),
        Kind::Misbehaved => (error.code(), "misbehaved"),
        Kind::Misconfigured => (error.code(), "misconfigured"),
        Kind::Provider => ("provider", "provider"),
    };
    let provider = if let Error::Provider(provider) = error { Some(provider) } else { None };
    object([
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
    let plain = || [None, None, None];
    let (kind, members) = match event {
        Event::ApiAnswered { url, status } => ("api_answered", [Some(("url", text(url))), Some(("status", number(*status))), None]),
        Event::CallbackReceived => ("callback_received", plain()),
        Event::CodeRedeemed => ("code_redeemed", plain()),
        Event::Ended(reason) => ("ended", [Some(("reason", text(ended(*reason)))), None, None]),
        Event::Failed(why) => ("failed", [Some(("error", Some(error(why)))), None, None]),
        Event::IdTokenVerified { algorithm } => ("id_token_verified", [Some(("algorithm", text(algorithm.name()))), None, None]),
        Event::KeysRead => ("keys_read", plain()),
        Event::MetadataRead => ("metadata_read", plain()),
        Event::Redirecting => ("redirecting", plain()),
        Event::Renewed { by } => ("renewed", [Some(("by", text(rung(*by)))), None, None]),
        Event::RenewalFailed { by, error: why, pause } => {
            let pause = pause.and_then(|pause| number(pause.as_secs()));
            ("renewal_failed", [Some(("by", text(rung(*by)))), Some(("error", why.as_ref().map(error))), Some(("pauseSeconds", pause))])
        }
        Event::Revoked(outcome) => ("revoked", [Some(("error", outcome.as_ref().err().map(error))), None, None]),
        Event::ScopeChanged { missing, added } => {
            let words = |words: &[String]| list(words.iter().map(String::as_str));
            ("scope_changed", [Some(("missing", words(missing))), Some(("added", words(added))), None])
        }
        Event::SignedIn => ("signed_in", plain()),
        Event::SignedOutAtProvider => ("signed_out_at_provider", plain()),
        Event::SignInNeeded => ("sign_in_needed", plain()),
        _ => ("", plain()),
    };
    let members = members.into_iter().flatten().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let first = [("type".to_owned(), Json::from(kind)), ("text".to_owned(), Json::from(event.to_string().as_str()))];
    Json::Object(first.into_iter().chain(members).collect())
}

fn rung(rung: Rung) -> &'static str {
    match rung {
        Rung::Frame => "frame",
        Rung::Redirect => "redirect",
        Rung::RefreshToken => "refresh_token",
        Rung::Tab => "tab",
    }
}

fn ended(reason: Ended) -> &'static str {
    match reason {
        Ended::Expired => "expired",
        Ended::Rejected => "rejected",
        Ended::SignedOut => "signed_out",
        Ended::SignedOutAtProvider => "signed_out_at_provider",
        Ended::SignedOutElsewhere => "signed_out_elsewhere",
        Ended::UserChanged => "user_changed",
    }
}
