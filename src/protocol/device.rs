//! Signing in on another device: for a page on a screen that has no keyboard
//! ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).
//!
//! 1. [`request`] asks the provider for two codes, [`DeviceAuthorization::read`] judges the answer.
//! 2. The user reads one of them, its [`Verification`], and enters it at the provider, on a device where they can type.
//! 3. With the other one the token endpoint is polled. [`Polling`] says when, [`DeviceExchange`] makes each request, and what it answers
//!    is a [`Polled`].
//!
//! ```
//! use std::time::Duration;
//! use tokenkeep::protocol::{
//!     Moment, Response, UnixTime,
//!     device::{DeviceAuthorization, Due, Polled, Polling},
//! };
//!
//! let body = br#"{"device_code": "GmRhmhcxhwAzkoEqiMEg", "user_code": "WDJB-MJHT", "verification_uri": "https://as.example/device",
//!     "expires_in": 1800}"#;
//! let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
//! let authorization = DeviceAuthorization::read(&Response { status: 200, headers, body: body.to_vec() })?;
//! assert_eq!(authorization.verification.user_code, "WDJB-MJHT");
//!
//! let at = |seconds| Moment { wall: UnixTime::from_secs(1_800_000_000 + seconds), steady: Duration::from_secs(seconds) };
//! let mut polling = Polling::new(&authorization, at(0));
//! assert_eq!(polling.due(at(0)), Due::In(Duration::from_secs(5)));
//! assert_eq!(polling.due(at(5)), Due::Now);
//! polling.hear(&Polled::SlowDown, at(5));
//! assert_eq!(polling.due(at(5)), Due::In(Duration::from_secs(10)));
//! assert_eq!(polling.due(at(1800)), Due::Expired);
//! # Ok::<(), tokenkeep::Error>(())
//! ```

use std::time::Duration;

use super::{
    authorize::{Registration, Scope},
    error::{Error, Interrupted, Misconfigured, ProviderError, Source, Unreadable},
    form,
    http::{Request, Response},
    json::Json,
    provider::Metadata,
    secret::Secret,
    time::{Lifetime, Moment},
    token::{Granted, TokenType, seconds},
    url::HttpUrl,
};

/// The pause between two polls, unless the provider wants a longer one.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// By how much each `slow_down` makes the pause longer.
pub const SLOWER: Duration = Duration::from_secs(5);

/// A longer `user_code` is not shown, in bytes: nobody would type it.
pub const MAX_USER_CODE: usize = 64;

/// What the user needs on the other device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// What they enter there: ASCII letters, digits, spaces, `-`, `.` and `_`.
    pub user_code: String,
    /// Where they enter it.
    pub verification_uri: HttpUrl,
    /// The same with the code in it, if the provider has such a page: for a QR code.
    pub verification_uri_complete: Option<HttpUrl>,
}

/// The two codes ([RFC 8628 §3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)).
#[derive(Debug)]
pub struct DeviceAuthorization {
    /// What the token endpoint is polled with.
    pub device_code: Secret<String>,
    /// How long both codes live.
    pub expires_in: Lifetime,
    /// The pause between two polls: [`INTERVAL`] at least, and no longer than the codes live.
    pub interval: Duration,
    /// What is shown.
    pub verification: Verification,
}

/// The device authorization request ([RFC 8628 §3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)), of a client without a secret.
///
/// # Errors
/// When the provider has no endpoint for it.
pub fn request(metadata: &Metadata, registration: &Registration) -> Result<Request, Misconfigured> {
    let endpoint = metadata.device_authorization_endpoint.as_ref().ok_or(Misconfigured::DeviceUnavailable)?;
    let mut body = String::new();
    form::append(&mut body, "client_id", &registration.client_id);
    let scope = registration.scope.to_string();
    if !scope.is_empty() {
        form::append(&mut body, "scope", &scope);
    }
    if let Some(audience) = &registration.audience {
        form::append(&mut body, "audience", audience);
    }
    for resource in &registration.resources {
        form::append(&mut body, "resource", resource);
    }
    Ok(Request::form(endpoint.as_str(), body))
}

impl DeviceAuthorization {
    /// Judges the answer.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is not fit to be shown to a user or to be polled with.
    pub fn read(response: &Response) -> Result<DeviceAuthorization, Error> {
        let from = Source::DeviceAuthorization;
        let body = response.json_object();
        if let (Ok(body), ..500) = (&body, response.status)
            && let Some(error) = body.get("error")
        {
            let error =
                error.as_str().and_then(|error| ProviderError::new(error, body.text("error_description"), body.text("error_uri"), &[]));
            return Err(error.map_or(Unreadable::Member("error").of(from), Error::from));
        }
        if response.status != 200 {
            return Err(response.refused(from));
        }
        body.and_then(|body| DeviceAuthorization::from_json(&body)).map_err(|why| why.of(from))
    }

    fn from_json(body: &Json) -> Result<DeviceAuthorization, Unreadable> {
        let endpoint = |member: &'static str| match body.string(member)? {
            None => Ok(None),
            Some(text) => HttpUrl::parse(text).ok().filter(HttpUrl::is_secure).map(Some).ok_or(Unreadable::Member(member)),
        };
        let time = |member: &'static str| match body.get(member) {
            None => Ok(None),
            Some(value) => seconds(value).map(Some).ok_or(Unreadable::Member(member)),
        };
        let device_code = body.required_string("device_code")?;
        let user_code = body.required_string("user_code")?;
        let expires_in = Lifetime::from_secs(time("expires_in")?.ok_or(Unreadable::Member("expires_in"))?);
        let interval = time("interval")?.map_or(INTERVAL, Duration::from_secs).max(INTERVAL);
        if device_code.is_empty() || !device_code.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Unreadable::Member("device_code"));
        }
        // RFC 8628 §6.1 has letters and digits. What could be markup somewhere is no code.
        let legible = |byte: u8| byte.is_ascii_alphanumeric() || b" -._".contains(&byte);
        if user_code.is_empty() || user_code.len() > MAX_USER_CODE || !user_code.bytes().all(legible) {
            return Err(Unreadable::Member("user_code"));
        }
        Ok(DeviceAuthorization {
            device_code: Secret::copied(device_code),
            expires_in,
            interval: interval.min(expires_in.duration()),
            verification: Verification {
                user_code: user_code.to_owned(),
                verification_uri: endpoint("verification_uri")?.ok_or(Unreadable::Member("verification_uri"))?,
                verification_uri_complete: endpoint("verification_uri_complete")?,
            },
        })
    }
}

/// One poll: the device access token request ([RFC 8628 §3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4)).
#[derive(Debug)]
pub struct DeviceExchange<'a> {
    /// To be sent when [`Polling::due`] says so.
    pub request: Request,
    device_code: &'a Secret<String>,
    asked: &'a Scope,
    token_type: TokenType,
}

impl<'a> DeviceExchange<'a> {
    /// Makes the request. No token of another type will do.
    pub fn new(
        metadata: &Metadata,
        registration: &'a Registration,
        device_code: &'a Secret<String>,
        token_type: TokenType,
    ) -> DeviceExchange<'a> {
        let mut body = String::new();
        form::append(&mut body, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        form::append(&mut body, "device_code", device_code.expose());
        form::append(&mut body, "client_id", &registration.client_id);
        for resource in &registration.resources {
            form::append(&mut body, "resource", resource);
        }
        let request = Request::form(metadata.token_endpoint.as_str(), body);
        DeviceExchange { request, device_code, asked: &registration.scope, token_type }
    }

    /// Judges the answer. The ID token in it is not verified yet.
    pub fn finish(&self, response: &Response) -> Polled {
        let mut secrets = vec![self.device_code];
        secrets.extend(self.request.proof());
        match Granted::read(response, self.token_type, self.asked, &secrets) {
            Ok(granted) => Polled::Granted(granted),
            Err(error) => Polled::failed(error),
        }
    }
}

/// What came of a poll ([RFC 8628 §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)).
#[derive(Debug)]
pub enum Polled {
    /// The user agreed.
    Granted(Granted),
    /// The user has not decided yet.
    Pending,
    /// It is over.
    Refused(Error),
    /// The same as pending, and the polls come too fast.
    SlowDown,
    /// Nobody answered, or somebody who cannot now.
    Unanswered,
}

impl Polled {
    /// What an error means, from the token endpoint or on the way there.
    pub fn failed(error: Error) -> Polled {
        match &error {
            Error::Provider(provider) => match provider.error() {
                "authorization_pending" => Polled::Pending,
                "slow_down" => Polled::SlowDown,
                // The same whichever clock was faster.
                "expired_token" => Polled::Refused(Interrupted::DeviceCodeExpired.into()),
                _ => Polled::Refused(error),
            },
            Error::Interrupted(
                Interrupted::Offline { .. }
                | Interrupted::TimedOut { .. }
                | Interrupted::Unavailable { .. }
                | Interrupted::Unreachable { .. },
            ) => Polled::Unanswered,
            _ => Polled::Refused(error),
        }
    }
}

/// When to poll. Does no I/O and reads no clock.
///
/// A device that slept sees it on its wall clock: the codes have expired then, or one poll is due, and never more than one.
#[derive(Clone, Debug)]
pub struct Polling {
    began: Moment,
    expires_in: Duration,
    interval: Duration,
    /// What was heard last, and when.
    last: Moment,
    pause: Duration,
}

/// What is to be done about a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// None any more: the codes have expired.
    Expired,
    /// One, after so long. It is not after they expire.
    In(Duration),
    /// One, now.
    Now,
}

impl Polling {
    /// Begins. `began` is when the codes were asked for: they live no longer than from then.
    pub fn new(authorization: &DeviceAuthorization, began: Moment) -> Polling {
        let DeviceAuthorization { expires_in, interval, .. } = authorization;
        Polling { began, expires_in: expires_in.duration(), interval: *interval, last: began, pause: *interval }
    }

    /// What is to be done at this moment.
    pub fn due(&self, now: Moment) -> Due {
        // First of all: after a sleep nothing is sent for codes that have expired meanwhile.
        match self.expires_in.checked_sub(now.since(self.began)).filter(|left| !left.is_zero()) {
            None => Due::Expired,
            Some(left) => match self.pause.checked_sub(now.since(self.last)).filter(|pause| !pause.is_zero()) {
                None => Due::Now,
                Some(pause) => Due::In(pause.min(left)),
            },
        }
    }

    /// What came of a poll, and when: that is when the next pause begins.
    pub fn hear(&mut self, polled: &Polled, now: Moment) {
        self.last = now;
        match polled {
            // RFC 8628 §3.5: "the interval MUST be increased by 5 seconds for this and all subsequent requests".
            Polled::SlowDown => {
                self.interval = self.interval.saturating_add(SLOWER);
                self.pause = self.interval;
            }
            // "an exponential backoff algorithm ..., such as doubling the polling interval on each such connection timeout"
            Polled::Unanswered => self.pause = self.pause.max(self.interval).saturating_mul(2),
            Polled::Granted(_) | Polled::Pending | Polled::Refused(_) => self.pause = self.interval,
        }
    }
}
