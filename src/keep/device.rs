//! A sign-in on another device: asks for the codes, polls until somebody has agreed there, and begins the session here.
//!
//! The device code is in this keep and nowhere else: it is not stored, and no other tab hears of it. So nobody else polls with it, and
//! within a keep there is one such sign-in at a time, however many ask for one.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use super::{
    Keep, News, Redeemed, Session,
    flight::Flight,
    signal::{Signal, unless},
};
use crate::protocol::{
    Discovery, Error, Granted, Interrupted, Metadata, Misbehaved, Misconfigured, Moment, Source, UnixTime,
    device::{self, DeviceAuthorization, DeviceExchange, Due, Polled, Polling, Verification},
    id_token::Beside,
};

/// The sign-in that is under way, if there is one.
#[derive(Default)]
pub(crate) struct Device {
    beginning: RefCell<Option<Beginning>>,
    // Gone when nobody waits for it.
    begun: RefCell<Weak<Attempt>>,
    sign_outs: Signal,
}

type Beginning = Flight<Result<Rc<Attempt>, Error>>;

/// A sign-in on another device, of all who asked for one while it was under way. It goes on as long as one of them waits for it.
pub(crate) struct Attempt {
    pub(crate) verification: Verification,
    /// Until when the codes live. On this device's clock.
    pub(crate) expires: UnixTime,
    /// Who signed in.
    pub(crate) outcome: Flight<Result<Session, Error>>,
    over: Rc<Cell<bool>>,
}

/// What was so when the sign-in began.
struct Before {
    sign_outs: u64,
    signed_out: Option<UnixTime>,
    line: Option<String>,
}

/// As long as it is held, no other tab's session is taken over.
struct SigningIn<'a>(&'a Cell<bool>);

impl Drop for SigningIn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Keep {
    /// Begins a sign-in on another device, or joins the one that is under way.
    pub(super) async fn begin_by_device(self: Rc<Self>) -> Result<Rc<Attempt>, Error> {
        if !self.settings.device_authorization {
            return Err(Misconfigured::DeviceNotAllowed.into());
        }
        if !self.ports.crypto.is_available() {
            return Err(Misconfigured::InsecureContext.into());
        }
        let begun = self.device.begun.borrow().upgrade();
        if let Some(attempt) = begun.filter(|attempt| !attempt.over.get() && attempt.expires > self.ports.clock.now()) {
            return Ok(attempt);
        }
        // One that nobody awaits any more was given up.
        let known = self.device.beginning.borrow().as_ref().filter(|flight| flight.is_awaited()).cloned();
        let flight = known.unwrap_or_else(|| {
            let keep = self.clone();
            let flight = Flight::new(async move { keep.begun_by_device().await });
            *self.device.beginning.borrow_mut() = Some(flight.clone());
            flight
        });
        let outcome = flight.clone().await;
        self.device.beginning.borrow_mut().take_if(|now| now.is(&flight));
        outcome
    }

    async fn begun_by_device(self: Rc<Self>) -> Result<Rc<Attempt>, Error> {
        let before = Before { sign_outs: self.device.sign_outs.changes(), signed_out: self.mark().signed_out, line: self.line_now() };
        let metadata = self.metadata().await?;
        let request = device::request(&metadata, &self.settings.registration)?;
        let since = self.ports.clock.moment();
        let authorization = DeviceAuthorization::read(&self.ask(Source::DeviceAuthorization, &request).await?)?;
        let (expires, verification) = (since.wall + authorization.expires_in, authorization.verification.clone());
        let (keep, over) = (self.clone(), Rc::new(Cell::new(false)));
        let ended = over.clone();
        let outcome = Flight::new(async move {
            let outcome = keep.signed_in_by_device(&metadata, authorization, since, &before).await;
            ended.set(true);
            outcome
        });
        let attempt = Rc::new(Attempt { verification, expires, outcome, over });
        *self.device.begun.borrow_mut() = Rc::downgrade(&attempt);
        Ok(attempt)
    }

    /// The user signed out, and meant this too.
    pub(super) fn give_up_device(&self) {
        self.device.sign_outs.raise();
    }

    fn line_now(&self) -> Option<String> {
        self.tokens.borrow().as_ref().map(|tokens| tokens.line.name.clone())
    }

    /// Whether somebody has signed out since, in whatever tab.
    fn is_given_up(&self, before: &Before) -> bool {
        let signed_out = self.mark().signed_out;
        self.device.sign_outs.changes() != before.sign_outs || (signed_out.is_some() && signed_out != before.signed_out)
    }

    /// Answers when somebody has signed in in another way: in this page, or in a tab that handed it over.
    async fn signed_in_otherwise(&self, before: &Before) {
        loop {
            let (changes, line) = (self.changed.changes(), self.line_now());
            if line.is_some() && line != before.line {
                return;
            }
            self.changed.changed_since(changes).await;
        }
    }

    async fn signed_in_by_device(
        self: &Rc<Self>,
        metadata: &Metadata,
        authorization: DeviceAuthorization,
        since: Moment,
        before: &Before,
    ) -> Result<Session, Error> {
        let polled = self.poll(metadata, &authorization, since, before);
        let signed_out = self.device.sign_outs.changed_since(before.sign_outs);
        let granted = unless(signed_out, unless(self.signed_in_otherwise(before), polled)).await;
        // Of no more use to anybody.
        drop(authorization);
        let (granted, since) = match granted {
            None => return Err(Interrupted::SignInNeeded.into()),
            Some(None) => return Ok(self.session_now().ok_or(Interrupted::SignInNeeded)?),
            Some(Some(granted)) => granted?,
        };
        self.signing_in.set(true);
        let signing_in = SigningIn(&self.signing_in);
        let redeemed = self.redeemed_by_device(granted, since, metadata).await?;
        if self.is_given_up(before) {
            return Err(Interrupted::SignInNeeded.into());
        }
        // Whoever signs in is who counts, whatever was before: a sign-out that is still under way is not of this session.
        self.forget_sign_out();
        let before = Before { signed_out: None, line: None, ..*before };
        let tokens = self.begin_line(redeemed, None, None).await;
        drop(signing_in);
        let tokens = tokens.filter(|_| !self.is_given_up(&before)).ok_or(Interrupted::SignInNeeded)?;
        let session = tokens.session.clone();
        self.welcome(tokens, false);
        (self.report)(News::Session(session.clone()));
        Ok(session)
    }

    /// Polls until something comes of it, and says when that was asked for.
    async fn poll(
        self: &Rc<Self>,
        metadata: &Metadata,
        authorization: &DeviceAuthorization,
        since: Moment,
        before: &Before,
    ) -> Result<(Granted, Moment), Error> {
        let clock = &self.ports.clock;
        let mut polling = Polling::new(authorization, since);
        loop {
            let changes = self.changed.changes();
            match polling.due(clock.moment()) {
                Due::Expired => return Err(Interrupted::DeviceCodeExpired.into()),
                Due::In(pause) => {
                    // A page that was away looks at the clock when it is back: a timer may have stood still.
                    unless(self.changed.changed_since(changes), clock.sleep(pause)).await;
                    continue;
                }
                Due::Now if self.is_given_up(before) => return Err(Interrupted::SignInNeeded.into()),
                Due::Now => {}
            }
            let (registration, token_type) = (&self.settings.registration, self.settings.token_type);
            let mut exchange = DeviceExchange::new(metadata, registration, &authorization.device_code, token_type);
            let asked = clock.moment();
            let polled = match self.send(Source::Token, &mut exchange.request, None, &*self.ports.http).await {
                Ok(Ok(response)) => exchange.finish(&response),
                Ok(Err(failure)) => Polled::failed(failure.of(Source::Token)),
                // It was the session before that ended, while a proof was made for this.
                Err(Error::Interrupted(Interrupted::SignInNeeded)) => Polled::Unanswered,
                Err(error) => Polled::failed(error),
            };
            polling.hear(&polled, clock.moment());
            match polled {
                Polled::Granted(granted) => return Ok((granted, asked)),
                Polled::Refused(error) => return Err(error),
                Polled::Pending | Polled::SlowDown | Polled::Unanswered => {}
            }
        }
    }

    /// Verifies the ID token. There is no nonce in this flow: the token came from the provider itself, for a code that nobody else had.
    async fn redeemed_by_device(&self, mut granted: Granted, since: Moment, metadata: &Metadata) -> Result<Redeemed, Error> {
        let id_token = granted.id_token.take().filter(|_| self.settings.discovery == Discovery::OpenId);
        let claims = match (self.settings.discovery, &id_token) {
            (Discovery::OAuth, _) => None,
            (Discovery::OpenId, None) => return Err(Misbehaved::IdTokenMissing.into()),
            (Discovery::OpenId, Some(id_token)) => {
                let beside = Beside::AccessToken(&granted.access_token);
                Some(self.verified(id_token, None, beside, metadata).await?)
            }
        };
        Ok(Redeemed {
            granted,
            claims,
            id_token,
            nonce: None,
            since,
            #[cfg(feature = "check-session")]
            session_state: None,
        })
    }
}
