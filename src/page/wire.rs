//! What a page and a keep elsewhere tell each other, as JSON: states, events, and how a sign-in went. Calls and answers are carried by the
//! scripts `pkg/remote.js` and `pkg/keep.js`, for every kind of page alike. No message holds a token.

use super::{Finished, State};
#[cfg(feature = "check-session")]
use crate::protocol::MonitorStopped;
use crate::{
    keep::{Event, Session},
    protocol::{
        Json,
        wire::{Wire, names},
    },
    session::{Ended, Rung},
};

names! {
    Rung {
        Frame = "frame",
        Redirect = "redirect",
        RefreshToken = "refresh_token",
        Tab = "tab",
    }
}

names! {
    Ended {
        Expired = "expired",
        Idle = "idle",
        Rejected = "rejected",
        SessionLimit = "session_limit",
        SignedOut = "signed_out",
        SignedOutAtProvider = "signed_out_at_provider",
        SignedOutElsewhere = "signed_out_elsewhere",
        UserChanged = "user_changed",
    }
}

#[cfg(feature = "check-session")]
names! {
    MonitorStopped {
        AlwaysChanged = "always_changed",
        Error = "error",
        FrameBlocked = "frame_blocked",
        NoAnswer = "no_answer",
        NoSessionState = "no_session_state",
        NotOffered = "not_offered",
    }
}

impl Wire for Session {
    fn write(&self) -> Json {
        Json::object(vec![
            ("issuer", Some(self.issuer.write())),
            ("claims", self.claims.as_ref().map(Wire::write)),
            ("scope", Some(self.scope.write())),
            ("authorization_details", (!self.authorization_details.is_empty()).then(|| Json::Array(self.authorization_details.clone()))),
            ("expires", self.expires.as_ref().map(Wire::write)),
            ("renewed_by", self.renewed_by.as_ref().map(Wire::write)),
        ])
    }

    fn read(json: &Json) -> Option<Session> {
        Some(Session {
            issuer: Wire::member(json, "issuer")?,
            claims: optional(json, "claims")?,
            scope: Wire::member(json, "scope")?,
            authorization_details: json.get("authorization_details").and_then(Json::as_array).unwrap_or_default().to_vec(),
            expires: optional(json, "expires")?,
            renewed_by: optional(json, "renewed_by")?,
        })
    }
}

/// The status is said as the script says it when a keep has gone.
impl Wire for State {
    fn write(&self) -> Json {
        let (status, session, error) = match self {
            State::Failed(error) => ("failed", None, Some(error.write())),
            State::SignedIn(session) => ("signed_in", Some(session.write()), None),
            State::SignedOut => ("signed_out", None, None),
            State::Unknown => ("unknown", None, None),
        };
        Json::object(vec![("status", Some(status.into())), ("session", session), ("error", error)])
    }

    fn read(json: &Json) -> Option<State> {
        Some(match json.text("status")? {
            "failed" => State::Failed(Wire::member(json, "error")?),
            "signed_in" => State::SignedIn(Wire::member(json, "session")?),
            "signed_out" => State::SignedOut,
            "unknown" => State::Unknown,
            _ => return None,
        })
    }
}

impl Wire for Finished {
    fn write(&self) -> Json {
        let (outcome, session, return_to) = match self {
            Finished::Nothing => ("nothing", None, None),
            Finished::Restored { session } => ("restored", Some(session), None),
            Finished::SignedIn { session, return_to } => ("signed_in", Some(session), Some(return_to)),
            Finished::SignInNeeded { return_to } => ("sign_in_needed", None, Some(return_to)),
        };
        Json::object(vec![
            ("outcome", Some(outcome.into())),
            ("session", session.map(Wire::write)),
            ("return_to", return_to.map(Wire::write)),
        ])
    }

    fn read(json: &Json) -> Option<Finished> {
        Some(match json.text("outcome")? {
            "nothing" => Finished::Nothing,
            "restored" => Finished::Restored { session: Wire::member(json, "session")? },
            "signed_in" => Finished::SignedIn { session: Wire::member(json, "session")?, return_to: Wire::member(json, "return_to")? },
            "sign_in_needed" => Finished::SignInNeeded { return_to: Wire::member(json, "return_to")? },
            _ => return None,
        })
    }
}

/// One list: each event, its name and its members.
macro_rules! events {
    ($($(#[$on:meta])* $variant:ident $({ $($field:ident),+ })? $(($inner:ident))? = $name:literal,)+) => {
        impl Wire for Event {
            fn write(&self) -> Json {
                let mut members = Vec::new();
                let name = match self {
                    $($(#[$on])* Event::$variant $({ $($field),+ })? $(($inner))? => {
                        $($(members.push((stringify!($field), Some($field.write())));)+)?
                        $(members.push((stringify!($inner), Some($inner.write())));)?
                        $name
                    })+
                };
                members.push(("type", Some(name.into())));
                Json::object(members)
            }

            fn read(json: &Json) -> Option<Event> {
                Some(match json.text("type")? {
                    $($(#[$on])* $name => Event::$variant $({ $($field: Wire::read(json.get(stringify!($field)).unwrap_or(&Json::Null))?),+ })?
                        $((Wire::read(json.get(stringify!($inner)).unwrap_or(&Json::Null))?))?,)+
                    _ => return None,
                })
            }
        }
    };
}

events! {
    #[cfg(feature = "limits")]
    Active = "active",
    ApiAnswered { url, status } = "api_answered",
    CallbackReceived = "callback_received",
    ClientMetadataUnsupported = "client_metadata_unsupported",
    CodeRedeemed = "code_redeemed",
    Ended(reason) = "ended",
    Failed(error) = "failed",
    IdTokenVerified { algorithm } = "id_token_verified",
    #[cfg(feature = "limits")]
    IdleSoon { ends } = "idle_soon",
    KeysRead = "keys_read",
    MetadataRead = "metadata_read",
    Redirecting = "redirecting",
    Renewed { by } = "renewed",
    RenewalFailed { by, error, pause } = "renewal_failed",
    Revoked(outcome) = "revoked",
    ScopeChanged { missing, added } = "scope_changed",
    #[cfg(feature = "check-session")]
    SessionChanged = "session_changed",
    #[cfg(feature = "check-session")]
    SessionMonitorStopped { reason } = "session_monitor_stopped",
    SignedIn = "signed_in",
    SignedOutAtProvider = "signed_out_at_provider",
    SignInNeeded = "sign_in_needed",
    #[cfg(feature = "step-up")]
    StepUpNeeded(sign_in) = "step_up_needed",
    #[cfg(feature = "step-up")]
    StepUpSettled = "step_up_settled",
}

/// What may be absent must still be of its type.
fn optional<T: Wire>(json: &Json, name: &str) -> Option<Option<T>> {
    Wire::read(json.get(name).unwrap_or(&Json::Null))
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self) -> Json {
        self.as_ref().map_or(Json::Null, Wire::write)
    }

    fn read(json: &Json) -> Option<Option<T>> {
        if *json == Json::Null { Some(None) } else { T::read(json).map(Some) }
    }
}

/// It went well, or why not.
impl<E: Wire> Wire for Result<(), E> {
    fn write(&self) -> Json {
        self.as_ref().err().map_or(Json::Null, Wire::write)
    }

    fn read(json: &Json) -> Option<Result<(), E>> {
        Some(match Option::<E>::read(json)? {
            None => Ok(()),
            Some(error) => Err(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        keep::Config,
        protocol::{
            Access, Acr, Algorithm, ClockSkew, Error, Interrupted, Misbehaved, Misconfigured, Prompt, ProviderError, ResponseMode, SignIn,
            Source, UnixTime, Unreadable, UserInfoFormat,
        },
    };

    fn crosses<T: Wire + PartialEq + std::fmt::Debug>(value: &T) {
        let text = value.write().to_string();
        assert_eq!(T::read(&Json::parse(&text).unwrap()).as_ref(), Some(value), "{text}");
    }

    fn session() -> Session {
        let claims = Json::parse(r#"{"sub": "alice", "name": "Alice \"<\u2028", "address": {"country": null}}"#).unwrap();
        Session {
            issuer: Wire::read(&"https://login.example.com".into()).unwrap(),
            claims: Wire::read(&claims),
            scope: Wire::read(&"openid profile".into()).unwrap(),
            authorization_details: vec![Json::parse(r#"{"type": "orders", "actions": ["read"]}"#).unwrap()],
            expires: Some(UnixTime::from_millis(1_800_000_000_123)),
            renewed_by: Some(Rung::Frame),
        }
    }

    fn errors() -> Vec<Error> {
        vec![
            Interrupted::Busy.into(),
            Interrupted::Offline { from: Source::Api }.into(),
            Interrupted::Unavailable { from: Source::Token, status: 503 }.into(),
            Misbehaved::BadEndpoint { member: "token_endpoint" }.into(),
            Misbehaved::BadResponse { from: Source::UserInfo, why: Unreadable::Member("sub") }.into(),
            Misbehaved::BadResponse { from: Source::Keys, why: Unreadable::TooDeep }.into(),
            Misbehaved::ClockSkew { skew: ClockSkew::Behind(Duration::from_secs(90)) }.into(),
            Misbehaved::ClockSkew { skew: ClockSkew::Ahead(Duration::ZERO) }.into(),
            Misconfigured::OptionMissing { option: "issuer" }.into(),
            Misconfigured::OptionUnknown { option: "scope \"".into() }.into(),
            Misconfigured::TokenIsKept.into(),
            ProviderError::new("access_denied", Some("the user said no"), Some("https://as.example/why"), &[]).unwrap().into(),
        ]
    }

    #[test]
    fn states_and_ends_of_sign_ins_cross() {
        let nobody = Session { claims: None, authorization_details: Vec::new(), expires: None, renewed_by: None, ..session() };
        let states = [State::Unknown, State::SignedOut, State::SignedIn(session()), State::SignedIn(nobody.clone())];
        states.iter().chain(&errors().into_iter().map(State::Failed).collect::<Vec<_>>()).for_each(crosses);
        let return_to = "/orders?open=1#top".to_owned();
        crosses(&Finished::Nothing);
        crosses(&Finished::Restored { session: nobody });
        crosses(&Finished::SignedIn { session: session(), return_to: return_to.clone() });
        crosses(&Finished::SignInNeeded { return_to });
    }

    #[test]
    fn events_cross() {
        use Event::*;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let plain = [
            #[cfg(feature = "limits")]
            Active,
            CallbackReceived,
            ClientMetadataUnsupported,
            CodeRedeemed,
            KeysRead,
            MetadataRead,
            Redirecting,
            #[cfg(feature = "check-session")]
            SessionChanged,
            SignedIn,
            SignedOutAtProvider,
            SignInNeeded,
            #[cfg(feature = "step-up")]
            StepUpSettled,
        ];
        plain.iter().for_each(crosses);
        #[cfg(feature = "check-session")]
        for reason in [
            MonitorStopped::AlwaysChanged,
            MonitorStopped::Error,
            MonitorStopped::FrameBlocked,
            MonitorStopped::NoAnswer,
            MonitorStopped::NoSessionState,
            MonitorStopped::NotOffered,
        ] {
            crosses(&SessionMonitorStopped { reason });
        }
        #[cfg(feature = "step-up")]
        for (acr_values, max_age) in [(words(&["a", "urn:b"]), None), (words(&[]), Some(0)), (words(&["c"]), Some(300))] {
            let max_age = max_age.map(Duration::from_secs);
            let challenge = crate::protocol::Challenge::InsufficientUserAuthentication { acr_values, max_age };
            crosses(&StepUpNeeded(crate::protocol::StepUp::of(&challenge).unwrap()));
        }
        crosses(&ApiAnswered { url: "https://api.example/orders".into(), status: 204 });
        crosses(&ScopeChanged { missing: words(&["orders:write"]), added: words(&[]) });
        #[cfg(feature = "limits")]
        crosses(&IdleSoon { ends: UnixTime::from_millis(1_800_000_000_123) });
        crosses(&Revoked(Ok(())));
        for reason in [
            super::Ended::Expired,
            super::Ended::Idle,
            super::Ended::Rejected,
            super::Ended::SessionLimit,
            super::Ended::SignedOut,
            super::Ended::SignedOutAtProvider,
            super::Ended::SignedOutElsewhere,
            super::Ended::UserChanged,
        ] {
            crosses(&Ended(reason));
        }
        for by in [Rung::RefreshToken, Rung::Tab, Rung::Frame, Rung::Redirect] {
            crosses(&Renewed { by });
            crosses(&RenewalFailed { by, error: None, pause: None });
            crosses(&RenewalFailed { by, error: errors().pop(), pause: Some(Duration::from_millis(1500)) });
        }
        for algorithm in Algorithm::ALL {
            crosses(&IdTokenVerified { algorithm });
        }
        for error in errors() {
            crosses(&error);
            crosses(&Failed(error.clone()));
            crosses(&Revoked(Err(error)));
        }
    }

    #[test]
    fn what_is_no_message_is_nothing() {
        let texts = [r"{}", r"null", r"[]", r#"{"status": "in"}"#, r#"{"status": "signed_in"}"#, r#"{"type": "gone"}"#];
        for text in texts.into_iter().chain([r#"{"type": "failed", "error": {"kind": "misbehaved", "code": "bad_response"}}"#]) {
            let json = Json::parse(text).unwrap();
            assert_eq!((State::read(&json), Event::read(&json), Finished::read(&json)), (None, None, None), "{text}");
        }
    }

    #[test]
    fn a_configuration_reads_as_it_was_written() {
        let every = Config::new("https://login.example.com", "my-app")
            .api("https://api.example.com/")
            .api_for("https://billing.example.com/", Access::to("https://billing.example.com/").scope("invoices:read"))
            .audience("https://api.example.com/")
            .clock_leeway(Duration::from_secs(5))
            .clock_skew(ClockSkew::Behind(Duration::from_secs(90)))
            .dangerous_front_channel_logout_without_session()
            .dpop(true)
            .id_token_hint(true)
            .oauth_only()
            .post_logout_redirect_path("/bye")
            .redirect_uri("https://app.example/callback")
            .renew_by_frame(false)
            .renew_by_redirect(true)
            .resource("https://api.example.com/")
            .response_mode(ResponseMode::Fragment)
            .scopes("openid orders:read")
            .trusted_audience("other")
            .user_info(UserInfoFormat::Signed);
        #[cfg(feature = "limits")]
        let every =
            every.idle_limit(Duration::from_secs(900)).idle_warning(Duration::from_secs(30)).session_limit(Duration::from_secs(43_200));
        #[cfg(feature = "step-up")]
        let every = every.step_up(true);
        for config in [every, Config::new("https://login.example.com", "my-app")] {
            assert_eq!(Config::from_json(&config.to_json().to_string()), Ok(config));
        }
        let every = SignIn::default()
            .acr(Acr::Required(vec!["urn:mfa".into()]))
            .extra("ui", "dark")
            .login_hint("alice")
            .max_age(Duration::from_secs(300))
            .prompt([Prompt::Login, Prompt::Consent])
            .return_to("/orders");
        for sign_in in [every, SignIn::default(), SignIn::default().acr(Acr::Preferred(vec!["a".into(), "b".into()]))] {
            assert_eq!(SignIn::from_json(&sign_in.to_json().to_string()), Ok(sign_in));
        }
    }
}
