//! Limits of a session, as all tabs have them: what is noted of the user, and the end.

use std::{rc::Rc, time::Duration};

use super::{Event, Interrupted, Keep, REVOCATION_PATIENCE, Secret, Source, journal, mark::presence, signal::within};
use crate::{
    protocol::UnixTime,
    session::{Ended, Input, Presence},
};

impl Keep {
    /// The user was active at this time.
    #[cfg(feature = "limits")]
    pub(super) fn active(self: &Rc<Self>, at: UnixTime) {
        if self.has_limits() {
            self.feed(Input::Active(at));
        }
    }

    /// How often activity is noted at most.
    pub(super) fn rhythm(&self) -> Option<Duration> {
        self.life.get().limits().rhythm()
    }

    /// When the session ends unless the user is active, if the user was warned of that.
    pub(super) fn idle_ends(&self) -> Option<UnixTime> {
        self.life.get().idle_ends(self.ports.clock.moment())
    }

    pub(super) fn has_limits(&self) -> bool {
        self.life.get().limits().are_set()
    }

    /// Only where there are limits.
    fn presence_key(&self) -> String {
        presence::key(&self.mark_key)
    }

    /// Looks at what tabs noted of the user, and whether a limit has passed. To be done before anything that needs a token.
    pub(super) fn heed(self: &Rc<Self>) {
        if self.has_limits() {
            self.hear_presence(presence::read(&*self.ports.store, &self.presence_key()));
        }
    }

    /// Somebody noted this of the user.
    pub(super) fn hear_presence(self: &Rc<Self>, presence: Presence) {
        if self.has_limits() {
            self.step(Input::Noted(presence));
        }
    }

    /// The user has just signed in.
    pub(super) fn arrived(self: &Rc<Self>) {
        if self.has_limits() {
            let now = Some(self.ports.clock.now());
            let presence = Presence { signed_in: now, active: now };
            presence::write(presence, &*self.ports.store, &self.presence_key());
            self.hear_presence(presence);
        }
    }

    /// Notes what is known of the user, and tells the other tabs.
    pub(super) fn note_presence(&self) {
        if !self.has_limits() {
            return;
        }
        let presence = self.life.get().presence();
        presence::write(presence, &*self.ports.store, &self.presence_key());
        if let Some(at) = presence.active {
            self.announce_activity(at);
        }
    }

    pub(super) fn forget_presence(&self) {
        if self.has_limits() {
            self.ports.store.remove(&self.presence_key());
        }
    }

    /// Ends the session in all tabs because a limit has passed: as if the user had signed out of this app.
    pub(super) fn retire(self: &Rc<Self>, reason: Ended) {
        let line = {
            let mut tokens = self.tokens.borrow_mut();
            tokens.as_mut().map(|tokens| (tokens.line.name.clone(), tokens.line.noted, tokens.line.refresh_token.take()))
        };
        let marked = self.mark().line;
        // Another tab may have seen it first.
        if self.mark().signed_out.is_none() {
            let now = self.ports.clock.now();
            self.note(|mark| {
                mark.line = None;
                mark.signed_out = Some(now);
                mark.limit = Some(reason);
            });
        }
        self.forget_presence();
        self.drop_tokens(reason);
        // A tab that has no tokens leaves the rest to one that has them.
        let Some((name, noted, refresh_token)) = line else {
            marked.into_iter().for_each(|name| self.announce_sign_out(&name));
            return;
        };
        self.announce_sign_out(&name);
        let keep = self.clone();
        self.spawn(async move {
            // Whoever signed in meanwhile is not meant.
            let of = if noted { journal::sign_out(&keep.ports, &keep.name, &name).await } else { Ok(journal::SignOutOf::This) };
            if let (Ok(journal::SignOutOf::This) | Err(_), Some(refresh_token)) = (of, refresh_token) {
                keep.revoked(&refresh_token).await;
            }
        });
    }

    /// Makes a refresh token worthless, within reason, and says what came of it. True when the provider did it.
    pub(super) async fn revoked(self: &Rc<Self>, refresh_token: &Secret<String>) -> bool {
        let outcome = within(&*self.ports.clock, REVOCATION_PATIENCE, self.revoke(refresh_token)).await;
        let outcome = outcome.unwrap_or(Err(Interrupted::TimedOut { from: Source::Revocation }.into()));
        let told = outcome == Ok(true);
        match outcome {
            Ok(false) => {}
            Ok(true) => self.tell(Event::Revoked(Ok(()))),
            Err(error) => self.tell(Event::Revoked(Err(error))),
        }
        told
    }
}
