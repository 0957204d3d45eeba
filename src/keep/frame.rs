//! `prompt=none` in a hidden frame: what of all that is posted to a page is the provider's answer.

use std::time::Duration;

use super::{
    ports::{FrameEvent, Ports},
    signal::within,
};
use crate::protocol::{Callback, Error, HttpUrl, Interrupted, Misconfigured, Moment, Secret, StateDigest, callback::MAX_CALLBACK};

/// How long a provider may take to answer in a frame.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How long after something was loaded the answer may still come: a provider's page may go on to the next.
pub const AFTER_LOAD: Duration = Duration::from_secs(3);

/// Opens a frame and waits for the answer to this request. Everything else that is posted to the page is as if it never was.
pub(super) async fn ask(ports: &Ports, url: &Secret<String>, redirect_uri: &HttpUrl, state: &StateDigest) -> Result<Callback, Error> {
    let frame = ports.frames.open(url.expose()).ok_or(Misconfigured::NoWindow)?;
    let start: Moment = ports.clock.moment();
    let mut patience = DEADLINE;
    loop {
        let passed = ports.clock.moment().since(start);
        let left = patience.checked_sub(passed).filter(|left| !left.is_zero()).ok_or(Interrupted::FrameTimedOut)?;
        match within(&*ports.clock, left, frame.next()).await {
            None => return Err(Interrupted::FrameTimedOut.into()),
            Some(FrameEvent::Blocked) => return Err(Misconfigured::FrameBlocked.into()),
            Some(FrameEvent::Loaded) => patience = DEADLINE.min(ports.clock.moment().since(start).saturating_add(AFTER_LOAD)),
            Some(FrameEvent::Message { origin, from_frame, text }) => {
                if let Some(callback) = answer(&origin, from_frame, text.as_deref(), redirect_uri, state) {
                    return Ok(callback);
                }
            }
        }
    }
}

/// The answer, if that is what a message is: from this very origin, from our frame, an address at the redirect URI with our `state`.
fn answer(origin: &str, from_frame: bool, text: Option<&str>, redirect_uri: &HttpUrl, state: &StateDigest) -> Option<Callback> {
    let text = text.filter(|text| from_frame && origin == redirect_uri.origin() && text.len() <= MAX_CALLBACK)?;
    let callback = Callback::read(text, redirect_uri.as_str())?;
    (callback.state().ok()? == *state).then_some(callback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_frame_answers() {
        let redirect_uri = HttpUrl::parse("https://app.example/callback").unwrap();
        let state = StateDigest::of("abc");
        let good = "https://app.example/callback?code=x&state=abc";
        let answer = |origin: &str, from_frame, text: Option<&str>| answer(origin, from_frame, text, &redirect_uri, &state).is_some();
        assert!(answer("https://app.example", true, Some(good)));
        for origin in ["null", "", "https://app.example.evil.example", "https://APP.example", "https://app.example/", "http://app.example"]
        {
            assert!(!answer(origin, true, Some(good)), "{origin}");
        }
        assert!(!answer("https://app.example", false, Some(good)));
        let long = [good, "&x=", &"x".repeat(MAX_CALLBACK)].concat();
        for text in [
            None,
            Some(""),
            Some("https://app.example/callback?code=x&state=abd"),
            Some("https://app.example/other?code=x&state=abc"),
            Some(&*long),
        ] {
            assert!(!answer("https://app.example", true, text));
        }
    }
}
