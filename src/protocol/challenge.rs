//! `WWW-Authenticate`: why an API refused a token ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3),
//! [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1),
//! [RFC 9470 §3](https://www.rfc-editor.org/rfc/rfc9470#section-3)).

use std::time::Duration;

use super::{
    authorize::{Acr, SignIn},
    json::Json,
    token::TokenType,
    wire::Wire,
};
#[cfg(feature = "step-up")]
use super::{id_token::Claims, time::UnixTime, token::numeric_date};

/// What an API says about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The proof beside the token must carry the server's nonce.
    DpopNonce,
    /// The proof beside the token is not accepted.
    DpopProof,
    /// The token lacks a scope; these would do.
    InsufficientScope {
        /// `scope`, as the API wrote it.
        scope: Option<String>,
    },
    /// The user did not authenticate in such a way, or not as lately, as this takes ([`StepUp::of`]).
    InsufficientUserAuthentication {
        /// `acr_values`: one of these would do, the best first. Empty if the API does not say.
        acr_values: Vec<String>,
        /// `max_age`: how long ago the user may have authenticated. One that is no whole number of seconds is none.
        max_age: Option<Duration>,
    },
    /// The token has expired, was revoked, or is none.
    InvalidToken,
    /// There is no token, or the API does not say what is wrong with it.
    Unspecified,
}

impl Challenge {
    /// Reads the header field, if it has a challenge for a bearer token, or else for one that is bound to a key.
    ///
    /// ```
    /// use tokenkeep::protocol::Challenge;
    ///
    /// assert_eq!(Challenge::read(r#"Bearer realm="api", error="invalid_token""#), Some(Challenge::InvalidToken));
    /// assert_eq!(Challenge::read(r#"DPoP algs="ES256", error="use_dpop_nonce""#), Some(Challenge::DpopNonce));
    /// assert_eq!(Challenge::read("Basic realm=\"api\""), None);
    /// ```
    pub fn read(field: &str) -> Option<Challenge> {
        Challenge::to(TokenType::Bearer, field).or_else(|| Challenge::to(TokenType::Dpop, field))
    }

    /// Reads the header field, if it has a challenge for a token of this type.
    pub fn to(token_type: TokenType, field: &str) -> Option<Challenge> {
        let mut scheme = "";
        let (mut found, mut error, mut scope, mut acr_values, mut max_age) = (false, None, None, None, None);
        for item in items(field) {
            let (head, value) =
                item.split_once('=').map_or((item, None), |(head, value)| (head.trim_ascii_end(), Some(unquoted(value.trim_ascii()))));
            // `Bearer realm="x"`: a scheme stands before the first parameter of its challenge.
            let space = head.bytes().rposition(|byte| matches!(byte, b' ' | b'\t'));
            let name = match space.and_then(|space| head.split_at_checked(space)) {
                Some((before, name)) => {
                    scheme = before.trim_ascii();
                    name.trim_ascii_start()
                }
                None if value.is_none() => {
                    scheme = head;
                    ""
                }
                None => head,
            };
            if !scheme.eq_ignore_ascii_case(token_type.name()) {
                continue;
            }
            found = true;
            match name.to_ascii_lowercase().as_str() {
                "error" => error = error.or(value),
                "scope" => scope = scope.or(value),
                "acr_values" => acr_values = acr_values.or(value),
                "max_age" => max_age = max_age.or(value),
                _ => {}
            }
        }
        let bound = token_type == TokenType::Dpop;
        found.then_some(match error.as_deref() {
            Some("use_dpop_nonce") if bound => Challenge::DpopNonce,
            Some("invalid_dpop_proof") if bound => Challenge::DpopProof,
            Some("insufficient_scope") => Challenge::InsufficientScope { scope },
            Some("insufficient_user_authentication") => Challenge::InsufficientUserAuthentication {
                acr_values: acr_values.as_deref().map(words).unwrap_or_default(),
                max_age: max_age.as_deref().and_then(seconds),
            },
            Some("invalid_token") => Challenge::InvalidToken,
            _ => Challenge::Unspecified,
        })
    }
}

/// How the user must authenticate before an API does what it was asked ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)). To sign in
/// like that is up to the app: [`SignIn::from`].
///
/// ```
/// use tokenkeep::{SignIn, protocol::{Challenge, StepUp}};
///
/// let challenge = Challenge::read(r#"Bearer error="insufficient_user_authentication", acr_values="mfa", max_age="300""#).unwrap();
/// let step_up = StepUp::of(&challenge).unwrap();
/// let sign_in = SignIn::from(&step_up).return_to("/transfer");
/// assert_eq!(step_up.acr_values(), ["mfa"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUp {
    acr_values: Vec<String>,
    max_age: Option<Duration>,
}

impl StepUp {
    /// What a challenge asks for; `None` if it is another one, or does not say what would do.
    pub fn of(challenge: &Challenge) -> Option<StepUp> {
        match challenge {
            Challenge::InsufficientUserAuthentication { acr_values, max_age } if !acr_values.is_empty() || max_age.is_some() => {
                Some(StepUp { acr_values: acr_values.clone(), max_age: *max_age })
            }
            _ => None,
        }
    }

    /// One of these ways to authenticate, the best first; any way if there is none.
    pub fn acr_values(&self) -> &[String] {
        &self.acr_values
    }

    /// How long ago the user may have authenticated.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Whether verified claims say that the user authenticated like that, as far as clocks that differ by so much can tell; or, `surely`, that
    /// it was not too long ago by any of them.
    #[cfg(feature = "step-up")]
    pub(crate) fn is_met_by(&self, claims: &Claims, leeway: Duration, surely: bool, now: UnixTime) -> bool {
        let acr = claims.text("acr");
        let (doubt, benefit) = if surely { (leeway, Duration::ZERO) } else { (Duration::ZERO, leeway) };
        let lately = self.max_age.is_none_or(|max_age| {
            let auth_time = claims.get("auth_time").and_then(numeric_date);
            auth_time.is_some_and(|auth_time| auth_time + max_age + benefit >= now + doubt && auth_time <= now + benefit)
        });
        lately && (self.acr_values.is_empty() || self.acr_values.iter().any(|wanted| acr == Some(wanted)))
    }
}

/// What is asked for becomes what is required, and verified in the ID token.
impl From<&StepUp> for SignIn {
    fn from(step_up: &StepUp) -> SignIn {
        let acr = (!step_up.acr_values.is_empty()).then(|| Acr::Required(step_up.acr_values.clone()));
        SignIn { acr, max_age: step_up.max_age, ..SignIn::default() }
    }
}

impl From<StepUp> for SignIn {
    fn from(step_up: StepUp) -> SignIn {
        SignIn::from(&step_up)
    }
}

impl Wire for StepUp {
    fn write(&self) -> Json {
        SignIn::from(self).to_json()
    }

    fn read(json: &Json) -> Option<StepUp> {
        let acr_values = json.get("required_acr").map_or(Some(Vec::new()), Json::texts)?;
        let max_age = json.get("max_age_seconds").and_then(u64::read).map(Duration::from_secs);
        StepUp::of(&Challenge::InsufficientUserAuthentication { acr_values, max_age })
    }
}

/// Words with spaces between, as far as they may be in a request.
fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic())).map(str::to_owned).collect()
}

/// Whole seconds: digits and nothing else. More than a century is nothing that anybody means.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(|seconds: u32| Duration::from_secs(seconds.into()))
}

/// The parts between commas that are not inside quotes.
fn items(field: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    field
        .split(move |char| {
            match char {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' => return !quoted,
                _ => {}
            }
            false
        })
        .map(str::trim_ascii)
        .filter(|item| !item.is_empty())
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        None => value.to_owned(),
        Some(inner) => {
            let mut escaped = false;
            let keep = |char: &char| {
                escaped = *char == '\\' && !escaped;
                !escaped
            };
            inner.chars().filter(keep).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_found_among_others() {
        let field = r#"Basic realm="a, Bearer error=\"invalid_token\"", bearer realm="x" , error="insufficient_scope", scope="a b""#;
        assert_eq!(Challenge::read(field), Some(Challenge::InsufficientScope { scope: Some("a b".into()) }));
        assert_eq!(Challenge::read("Bearer"), Some(Challenge::Unspecified));
        assert_eq!(Challenge::read("BEARER error=invalid_token"), Some(Challenge::InvalidToken));
        assert_eq!(Challenge::read(r#"Bearer realm="x", Basic error="invalid_token""#), Some(Challenge::Unspecified));
    }

    // dp-scheme
    #[test]
    fn each_type_of_token_has_a_challenge_of_its_own() {
        let field = r#"Bearer error="invalid_token", DPoP algs="ES256 PS256", error="use_dpop_nonce""#;
        assert_eq!(Challenge::to(TokenType::Bearer, field), Some(Challenge::InvalidToken));
        for scheme in ["DPoP", "dpop", "DPOP"] {
            let field = field.replace("DPoP", scheme);
            assert_eq!(Challenge::to(TokenType::Dpop, &field), Some(Challenge::DpopNonce), "{scheme}");
        }
        assert_eq!(Challenge::to(TokenType::Dpop, r#"Bearer error="use_dpop_nonce""#), None);
        assert_eq!(Challenge::to(TokenType::Bearer, r#"Bearer error="use_dpop_nonce""#), Some(Challenge::Unspecified));
        assert_eq!(Challenge::read(r#"DPoP error="invalid_dpop_proof""#), Some(Challenge::DpopProof));
    }

    // dp-stepup
    #[test]
    fn what_a_step_up_takes_is_read_quoted_or_not() {
        let read = |parameters: &str| {
            let field = |scheme: &str| format!("{scheme} realm=\"x\", error=\"insufficient_user_authentication\", {parameters}");
            let [bearer, dpop] = ["Bearer", "dpop"].map(|scheme| Challenge::read(&field(scheme)).unwrap());
            assert_eq!(bearer, dpop);
            StepUp::of(&bearer).map(|step_up| (step_up.acr_values.join("|"), step_up.max_age.map(|age| age.as_secs())))
        };
        let some = |acr: &str, max_age| Some((acr.to_owned(), max_age));
        assert_eq!(read(r#"acr_values="a b", max_age="5""#), some("a|b", Some(5)));
        assert_eq!(read("ACR_VALUES=a ,max_age=0"), some("a", Some(0)));
        assert_eq!(read("max_age=007"), some("", Some(7)));
        for invalid in ["-1", "abc", "+5", "1.5", "5s", "0x5", "٥", "", "\"\"", "\"-1\"", "\" 5\"", "99999999999", "5 5"] {
            assert_eq!(read(&format!("acr_values=\"a\", max_age={invalid}")), some("a", None), "{invalid}");
            assert_eq!(read(&format!("max_age={invalid}")), None, "{invalid}");
        }
        // What comes twice counts once; what cannot be in a request is left out.
        assert_eq!(read(r#"acr_values="a", acr_values="b", max_age=1, max_age=2"#), some("a", Some(1)));
        assert_eq!(read("acr_values=\"  a  \u{e9} \u{1} b \""), some("a|b", None));
        for nothing in ["acr_values=\"\"", "acr_values=\"  \"", "acr_values", "scope=a"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
        // Another scheme's parameters are another scheme's.
        let other = r#"Bearer error="insufficient_user_authentication", Basic acr_values="a", max_age="5""#;
        let nothing = Challenge::InsufficientUserAuthentication { acr_values: Vec::new(), max_age: None };
        assert_eq!(Challenge::read(other), Some(nothing));
    }

    #[cfg(feature = "step-up")]
    #[test]
    fn a_step_up_is_met_by_what_the_id_token_says_and_by_nothing_else() {
        let (now, leeway) = (UnixTime::from_secs(1_000_000), Duration::from_secs(30));
        let step_up = |acr: &[&str], max_age: Option<u64>| {
            let acr_values = acr.iter().map(|acr| (*acr).to_owned()).collect();
            StepUp { acr_values, max_age: max_age.map(Duration::from_secs) }
        };
        let met = |step_up: &StepUp, claims: &str| {
            let claims = Claims::compared(Json::parse(claims).unwrap());
            (step_up.is_met_by(&claims, leeway, false, now), step_up.is_met_by(&claims, leeway, true, now))
        };
        let acr = step_up(&["a", "b"], None);
        assert_eq!(met(&acr, r#"{"acr": "b"}"#), (true, true));
        for claims in ["{}", r#"{"acr": "a b"}"#, r#"{"acr": ["a"]}"#, r#"{"acr": "A"}"#, r#"{"acr": ""}"#, r#"{"amr": ["a"]}"#] {
            assert_eq!(met(&acr, claims), (false, false), "{claims}");
        }
        let age = step_up(&[], Some(100));
        for (auth_time, expected) in [
            ("999869", (false, false)),
            ("999870", (true, false)),
            ("999929", (true, false)),
            ("999930", (true, true)),
            ("1000000", (true, true)),
            ("1000030", (true, false)),
            ("1000031", (false, false)),
            ("-1", (false, false)),
            ("\"1000000\"", (false, false)),
            ("null", (false, false)),
            ("1e300", (false, false)),
        ] {
            assert_eq!(met(&age, &format!("{{\"auth_time\": {auth_time}}}")), expected, "{auth_time}");
        }
        assert_eq!(met(&step_up(&[], Some(0)), r#"{"auth_time": 1000000}"#), (true, false));
        assert_eq!(met(&step_up(&["a"], Some(100)), r#"{"acr": "b", "auth_time": 1000000}"#), (false, false));
        assert_eq!(met(&step_up(&["a"], Some(100)), r#"{"acr": "a", "auth_time": 1}"#), (false, false));
    }

    #[test]
    fn broken_fields_are_no_panic() {
        for field in ["", ",", "=", "\"", "Bearer =", "Bearer error=\"", "Bearer error=\"\\", "é=é", "Bearer \u{0} ="] {
            let _ = Challenge::read(field);
        }
    }
}
