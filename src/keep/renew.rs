//! Carries out what the life of a session asks for: waits for its turn, climbs rungs, sets timers.

use std::{rc::Rc, time::Duration};

use super::{
    Event, Keep, News,
    flight::Flight,
    frame,
    journal::{self, Claim, Row},
    mark::{CLOSED_FOR, Mark, REDIRECT_AFTER},
    ports::{Acquire, Lock, LockFailure},
    signal::unless,
    tokens::{AccessToken, Line, Tokens},
};
use crate::{
    protocol::{
        Access, AccessTokenExchange, Claims, Discovery, Error, Granted, HttpUrl, Interrupted, Kind, Metadata, Misbehaved, Moment,
        Presented, Prompt, Refresh, Scope, Secret, SignIn, Source, Unverified, id_token::Renewed,
    },
    session::{BREATH, Chance, Effect, Ended, Fall, Input, Life, Rung, Rungs},
};

/// How long a tab waits for its turn before it takes it from whoever does not give it back: longer than a renewal may take.
pub const TURN: Duration = Duration::from_secs(30);

/// How long a provider may take to show that it is there.
pub const REACH: Duration = Duration::from_secs(5);

/// Why a rung did not lead to a token.
pub(super) enum Fallen {
    /// It is not there, or not any more.
    Closed(Option<Error>),
    /// Nothing was changed by it.
    Interrupted(Error, Option<Duration>),
    /// The session is over.
    Over(Ended),
    /// It could not be tried.
    Skipped(Error),
}

impl Fallen {
    /// An error on the way to the provider or to an answer that changed nothing.
    fn before(error: Error) -> Fallen {
        match error.kind() {
            Kind::Misconfigured => Fallen::Closed(Some(error)),
            _ => Fallen::Interrupted(error, None),
        }
    }
}

impl Keep {
    /// Tells the life of the session what happened, and does what follows.
    pub(super) fn feed(self: &Rc<Self>, input: Input) {
        self.heed();
        self.step(input);
    }

    pub(super) fn step(self: &Rc<Self>, input: Input) {
        let (life, effects) = self.life.get().step(input, self.ports.clock.moment(), self.chance());
        self.follow(life, effects);
    }

    fn follow(self: &Rc<Self>, life: Life, effects: Vec<Effect>) {
        self.life.set(life);
        for effect in effects {
            self.perform(effect);
        }
        self.changed.raise();
    }

    fn chance(&self) -> Chance {
        let mut chance = [0];
        // Without a generator there is none.
        let _ = self.ports.crypto.random(&mut chance);
        let [chance] = chance;
        Chance(chance)
    }

    fn perform(self: &Rc<Self>, effect: Effect) {
        let keep = self.clone();
        match effect {
            #[cfg(feature = "limits")]
            Effect::Active => self.tell(Event::Active),
            #[cfg(not(feature = "limits"))]
            Effect::Active | Effect::Warn(_) => {}
            Effect::Climb(Rung::Redirect) => self.redirect(),
            Effect::Climb(rung) => {
                // As of now: it may be over before it begins.
                let (generation, before) = (self.generation.get(), self.token_age(&self.settings.access));
                self.spawn(async move { keep.climb(rung, generation, before).await });
            }
            Effect::End(reason) if reason.is_limit() => self.retire(reason),
            Effect::End(reason) => self.drop_tokens(reason),
            Effect::Lock => self.spawn(async move {
                let turn = keep.turn().await;
                keep.turn.replace(turn);
                keep.feed(Input::Locked);
            }),
            Effect::Note => self.note_presence(),
            Effect::Settled => (self.report)(News::Settled),
            Effect::SignInNeeded => self.tell(Event::SignInNeeded),
            Effect::Unlock => drop(self.turn.take()),
            Effect::Wake(after) => self.set_timer(after),
            #[cfg(feature = "limits")]
            Effect::Warn(ends) => self.tell(Event::IdleSoon { ends }),
        }
    }

    fn set_timer(self: &Rc<Self>, after: Duration) {
        let number = self.timer.get().wrapping_add(1);
        self.timer.set(number);
        let (keep, clock) = (Rc::downgrade(self), self.ports.clock.clone());
        self.spawn(async move {
            clock.sleep(after).await;
            if let Some(keep) = keep.upgrade()
                && keep.timer.get() == number
            {
                keep.feed(Input::Woken);
            }
        });
    }

    /// There is reason to look at the clock, and at what other tabs did meanwhile.
    pub(super) fn wake(self: &Rc<Self>, returned: bool) {
        // At once, before anything is shown or asked: who signed out elsewhere is out.
        let line = self.tokens.borrow().as_ref().map(|tokens| tokens.line.name.clone());
        if line.is_some()
            && let Some(reason) = self.ended_elsewhere()
        {
            self.end(reason);
            return;
        }
        if line.is_some() {
            let keep = self.clone();
            self.spawn(async move { keep.look_up().await });
        }
        if returned && self.redirecting.replace(false) {
            self.feed(Input::Fell(Fall::Closed));
        }
        self.feed(Input::Alerted);
    }

    /// Looks up what all tabs agree on.
    pub(super) async fn look_up(self: Rc<Self>) {
        let Some(line) = self.tokens.borrow().as_ref().map(|tokens| (tokens.line.name.clone(), tokens.line.noted)) else { return };
        let (name, noted) = line;
        let row = if noted { journal::read(&self.ports, &self.name).await.ok().flatten() } else { None };
        let still = self.tokens.borrow().as_ref().is_some_and(|tokens| tokens.line.name == name);
        let out = match row {
            // Somebody signed in since: who, the other tabs say.
            Some(Row::Line { name: other, .. }) if still && other != name => {
                self.ask_tabs().await;
                false
            }
            Some(Row::Rejected) if still && !self.is_bound() => {
                self.end(Ended::Rejected);
                return;
            }
            Some(row) => row == Row::SignedOut,
            // Nobody remembers: the mark is all there is.
            None => self.mark().signed_out.is_some(),
        };
        if still && out {
            self.end(self.ended_elsewhere().unwrap_or(Ended::SignedOutElsewhere));
        }
    }

    /// Waits for this tab's turn. Without locks it waits for itself alone: the journal keeps the tabs apart.
    pub(super) async fn turn(&self) -> Option<Box<dyn Lock>> {
        let name = ["tokenkeep.", &self.name].concat();
        // Not all that wait give up at the same time.
        let patience = TURN.saturating_add(self.chance().of(TURN));
        match self.ports.locks.acquire(&name, Acquire::Within(patience)).await {
            Ok(lock) => Some(lock),
            Err(LockFailure::Held) => self.ports.locks.acquire(&name, Acquire::Steal).await.ok(),
            Err(LockFailure::Unsupported) => Some(self.in_tab.turn().await),
        }
    }

    async fn climb(self: Rc<Self>, rung: Rung, generation: u64, before: Option<Moment>) {
        if self.generation.get() != generation || self.token_age(&self.settings.access) != before {
            return;
        }
        let outcome = match (self.unless_signed_out_elsewhere(), rung) {
            (Err(fallen), _) => Err(fallen),
            (_, Rung::RefreshToken) => self.by_refresh_token().await,
            (_, Rung::Tab) => match self.ask_tabs().await {
                true => return,
                false => Err(Fallen::Closed(None)),
            },
            (_, Rung::Frame) => self.by_frame(None).await,
            (_, Rung::Redirect) => return,
        };
        // What another tab handed over meanwhile is no failure.
        if self.generation.get() == generation
            && self.token_age(&self.settings.access) == before
            && let Err(fallen) = outcome
        {
            self.fall(rung, fallen);
        }
    }

    fn fall(self: &Rc<Self>, rung: Rung, fallen: Fallen) {
        let (fall, error) = match fallen {
            Fallen::Closed(error) => (Fall::Closed, error),
            Fallen::Interrupted(error, retry_after) => (Fall::Interrupted { retry_after }, Some(error)),
            Fallen::Over(reason) => (Fall::Over(reason), None),
            Fallen::Skipped(error) => (Fall::Skipped, Some(error)),
        };
        if error.is_some() {
            *self.trouble.borrow_mut() = error.clone();
        }
        let (life, effects) = self.life.get().step(Input::Fell(fall), self.ports.clock.moment(), self.chance());
        // Told before what follows from it.
        let pause = life.pause(self.ports.clock.moment());
        if !matches!(fall, Fall::Over(_)) && (error.is_some() || rung != Rung::Tab || pause.is_some()) {
            self.tell(Event::RenewalFailed { by: rung, error, pause });
        }
        self.follow(life, effects);
    }

    /// Which rungs there are from here.
    pub(super) fn rungs(&self) -> Rungs {
        let (mark, now) = (self.mark(), self.ports.clock.now());
        let usable = |line: &Line| line.refresh_token.is_some() && !line.spent;
        let has_refresh_token = self.tokens.borrow().as_ref().is_some_and(|tokens| usable(&tokens.line));
        let frame = self.settings.renew_by_frame
            && self.settings.discovery == Discovery::OpenId
            && mark.frame_closed.is_none_or(|at| now.distance(at) > CLOSED_FOR);
        let mut rungs = Vec::new();
        rungs.extend((!self.is_bound()).then_some(Rung::Tab));
        rungs.extend(has_refresh_token.then_some(Rung::RefreshToken));
        rungs.extend(frame.then_some(Rung::Frame));
        rungs.extend(self.settings.renew_by_redirect.then_some(Rung::Redirect));
        Rungs::of(&rungs)
    }

    // The refresh token

    async fn by_refresh_token(self: &Rc<Self>) -> Result<(), Fallen> {
        let access = self.settings.access.clone();
        let (token, claims) = self.present(&access).await?;
        self.unless_signed_out_elsewhere()?;
        self.renewed(token, claims, Rung::RefreshToken);
        Ok(())
    }

    /// Presents the refresh token, if nobody has done so, and keeps what comes for it.
    async fn present(self: &Rc<Self>, access: &Access) -> Result<(AccessToken, Option<Claims>), Fallen> {
        let generation = self.generation.get();
        let (name, number, shared, renewals) = {
            let tokens = self.tokens.borrow();
            let line = tokens.as_ref().map(|tokens| &tokens.line).filter(|line| line.refresh_token.is_some() && !line.spent);
            let line = line.ok_or(Fallen::Closed(None))?;
            (line.name.clone(), line.number, line.shared, line.renewals)
        };
        let metadata = self.metadata().await.map_err(Fallen::before)?;
        // A token that is presented to nobody is lost with the answer: first find out whether anybody is there.
        self.reach(&metadata.token_endpoint, Source::Token).await.map_err(Fallen::before)?;
        // Another tab may have been faster, and have handed over what came of it.
        self.caught_up().await;
        let overtaken = || self.tokens.borrow().as_ref().is_none_or(|ours| ours.line.name != name || ours.line.renewals != renewals);
        if overtaken() {
            return Err(Fallen::Closed(None));
        }
        let presentations = self.presentations.get();
        self.claim(&name, number, shared).await?;
        self.caught_up().await;
        if overtaken() {
            if shared {
                let _ = journal::unclaim(&self.ports, &self.name, &name, number).await;
            }
            return Err(Fallen::Closed(None));
        }

        self.heed();
        let since = self.ports.clock.moment();
        // Not where the tokens are: they may be dropped meanwhile.
        let request = {
            let mut tokens = self.tokens.borrow_mut();
            let unspent = |line: &Line| line.name == name && line.number == number && !line.spent;
            let Some(tokens) = tokens.as_mut().filter(|tokens| unspent(&tokens.line)) else { return Err(Fallen::Closed(None)) };
            tokens.line.spent = true;
            self.presentations.set(presentations.wrapping_add(1));
            let before = tokens.find(access).map(|token| token.scope.clone()).unwrap_or(tokens.session.scope.clone());
            let refresh_token = tokens.line.refresh_token.as_ref().ok_or(Fallen::Closed(None))?;
            let copy = Secret::copied(refresh_token.expose());
            (copy, before)
        };
        let (refresh_token, before) = request;
        let (client_id, token_type) = (&self.settings.registration.client_id, self.settings.token_type);
        let mut refresh = Refresh::new(&metadata, client_id, &refresh_token, token_type, access, &before);
        let presented = match self.send(Source::Token, &mut refresh.request, None, &*self.ports.http).await {
            Ok(Ok(response)) => refresh.finish(&response),
            Ok(Err(failure)) => Presented::Unknown(failure.of(Source::Token)),
            Err(error) => Presented::Refused { error, retry_after: None },
        };
        // What is good for another time is still ours to present, even if the journal is slow to say so.
        let again = match &presented {
            Presented::Granted(granted) => granted.refresh_token.is_none(),
            Presented::Refused { .. } => true,
            Presented::Rejected(_) | Presented::Unknown(_) => false,
        };
        if again && self.presentations.get() == presentations.wrapping_add(1) {
            self.presentations.set(presentations);
        }
        // What comes late is not for who signed in meanwhile.
        if self.generation.get() != generation || !self.has_line(&name) {
            return Err(Fallen::Closed(None));
        }
        match presented {
            Presented::Granted(granted) => self.granted(granted, access, since, &metadata, &name, number).await,
            Presented::Refused { error, retry_after } => {
                if shared {
                    let _ = journal::unclaim(&self.ports, &self.name, &name, number).await;
                }
                self.with_line(&name, number, |line| line.spent = false);
                Err(match error.kind() {
                    Kind::Provider | Kind::Misconfigured => Fallen::Closed(Some(error)),
                    // About proofs: the next one would be no better.
                    Kind::Misbehaved if error.code().starts_with("dpop_") => Fallen::Closed(Some(error)),
                    _ => Fallen::Interrupted(error, retry_after),
                })
            }
            Presented::Rejected(_) => {
                if shared {
                    let keep = self.clone();
                    self.spawn(async move {
                        let _ = journal::reject(&keep.ports, &keep.name, &name).await;
                        keep.announce_sign_out(&name);
                    });
                }
                Err(Fallen::Over(Ended::Rejected))
            }
            Presented::Unknown(error) => Err(Fallen::Closed(Some(error))),
        }
    }

    pub(super) fn has_line(&self, name: &str) -> bool {
        self.tokens.borrow().as_ref().is_some_and(|tokens| tokens.line.name == name)
    }

    fn with_line(&self, name: &str, number: u64, change: impl FnOnce(&mut Line)) {
        if let Some(tokens) = self.tokens.borrow_mut().as_mut().filter(|tokens| tokens.line.name == name && tokens.line.number == number) {
            change(&mut tokens.line);
        }
    }

    async fn claim(self: &Rc<Self>, name: &str, number: u64, shared: bool) -> Result<(), Fallen> {
        if !shared {
            return Ok(());
        }
        // What this tab wrote before it presented something is not what it writes now, even if that token comes back to it.
        let by = [&self.tabs.name(), ".", &self.presentations.get().to_string()].concat();
        match journal::claim(&self.ports, &self.name, name, number, by).await {
            Ok(Claim::Ours) => Ok(()),
            Ok(Claim::Rejected) => Err(Fallen::Over(Ended::Rejected)),
            Ok(Claim::SignedOut) => Err(Fallen::Over(self.ended_elsewhere().unwrap_or(Ended::SignedOutElsewhere))),
            // Whoever presented it has what came for it, or may still get it.
            Ok(Claim::Taken(ago)) if ago < journal::LEASE => Err(self.let_them_first().await),
            Ok(Claim::Taken(_) | Claim::Replaced) => Err(Fallen::Closed(None)),
            Err(failure) => Err(Fallen::Skipped(failure.into())),
        }
    }

    /// Another tab was faster: what it has is taken over, or waited for.
    async fn let_them_first(self: &Rc<Self>) -> Fallen {
        if self.ask_tabs().await { Fallen::Closed(None) } else { Fallen::Interrupted(Interrupted::Busy.into(), None) }
    }

    /// Keeps what was granted for a refresh token: the next one first.
    async fn granted(
        self: &Rc<Self>,
        mut granted: Granted,
        access: &Access,
        since: Moment,
        metadata: &Metadata,
        name: &str,
        number: u64,
    ) -> Result<(AccessToken, Option<Claims>), Fallen> {
        let generation = self.generation.get();
        let next = granted.refresh_token.take();
        let rotated = next.is_some();
        self.with_line(name, number, |line| {
            if let Some(next) = next {
                line.refresh_token = Some(next);
                line.number = line.number.saturating_add(1);
            }
            line.renewals = line.renewals.saturating_add(1);
            line.spent = false;
        });
        if !rotated && self.tokens.borrow().as_ref().is_some_and(|tokens| tokens.line.shared) {
            // Not before the others are told.
            let (keep, name) = (self.clone(), name.to_owned());
            self.spawn(async move {
                let _ = journal::unclaim(&keep.ports, &keep.name, &name, number).await;
            });
        }
        let claims = match granted.id_token.take() {
            Some(id_token) if self.settings.discovery == Discovery::OpenId => {
                let claims = self.verify_renewed(&id_token, metadata).await.map_err(|error| match error {
                    Error::Misbehaved(Misbehaved::UserChanged) => Fallen::Over(Ended::UserChanged),
                    Error::Misbehaved(_) => {
                        // Who mixes up users or clients has mixed up the rest too.
                        self.with_line(name, number.saturating_add(u64::from(rotated)), |line| line.spent = true);
                        Fallen::Closed(Some(error))
                    }
                    error => Fallen::Interrupted(error, None),
                })?;
                if self.generation.get() == generation
                    && let Some(tokens) = self.tokens.borrow_mut().as_mut()
                {
                    tokens.id_token = Some(id_token);
                }
                Some(claims)
            }
            _ => None,
        };
        if self.generation.get() != generation || !self.has_line(name) {
            return Err(Fallen::Closed(None));
        }
        let mut token = AccessToken::new(access.clone(), granted, since);
        // Said once, it holds until something else is said.
        if token.details.is_empty()
            && let Some(before) = self.tokens.borrow().as_ref().and_then(|tokens| tokens.find(access))
        {
            token.details.clone_from(&before.details);
        }
        Ok((token, claims))
    }

    async fn verify_renewed(self: &Rc<Self>, id_token: &Secret<String>, metadata: &Metadata) -> Result<Claims, Error> {
        let signed = self.signature_of(Unverified::read(id_token.expose(), &metadata.id_token_algorithms)?, metadata).await?;
        let tokens = self.tokens.borrow();
        let expected = Renewed {
            issuer: metadata.issuer.as_str(),
            client_id: &self.settings.registration.client_id,
            trusted_audiences: &self.settings.trusted_audiences,
            subject: tokens.as_ref().and_then(|tokens| tokens.session.subject()),
            nonce: tokens.as_ref().and_then(|tokens| tokens.nonce.as_ref()),
        };
        Ok(signed.renewed(&expected)?)
    }

    /// The session goes on with this token.
    fn renewed(self: &Rc<Self>, token: AccessToken, claims: Option<Claims>, by: Rung) {
        let says;
        let news = {
            let mut tokens = self.tokens.borrow_mut();
            let Some(tokens) = tokens.as_mut() else { return };
            says = claims.is_some();
            let claims = claims.or(tokens.session.claims.clone());
            let before = std::mem::replace(&mut tokens.session, self.session(claims, &token, Some(by)));
            let news = (tokens.session.clone(), compare(&before.scope, &token.scope), token.since, token.lifetime);
            tokens.put(token);
            news
        };
        let (session, scope, since, lifetime) = news;
        self.note_line();
        self.trouble.take();
        self.redirecting.set(false);
        // Told before it is the next tab's turn, which asks for it then.
        self.announce();
        self.feed(Input::SignedIn { since, lifetime, rungs: self.rungs() });
        self.tell(Event::Renewed { by });
        if let Some(scope) = scope {
            self.tell(scope);
        }
        (self.report)(News::Session(session));
        if says {
            #[cfg(feature = "step-up")]
            self.authenticated(false);
        }
    }

    /// Tokens from another tab, or from a frame, or from the user's signing in, in place of those that were here.
    pub(super) fn install(self: &Rc<Self>, tokens: Tokens, by: Option<Rung>) {
        let Some((since, lifetime)) = tokens.main().map(|token| (token.since, token.lifetime)) else { return };
        let (session, presence, generation) = (tokens.session.clone(), tokens.presence, self.generation.get());
        *self.tokens.borrow_mut() = Some(tokens);
        // A limit may have passed on the way. They are revoked then, and dropped.
        self.hear_presence(presence);
        if self.generation.get() != generation {
            return;
        }
        self.obtaining.borrow_mut().retain(|(.., failed)| failed.is_none());
        self.estranged.set(false);
        self.note_line();
        self.trouble.take();
        // A page that was asked to leave for the session before need not, and what comes of it is not of this one.
        self.redirecting.set(false);
        if by != Some(Rung::Tab) {
            self.announce();
        }
        self.feed(Input::SignedIn { since, lifetime, rungs: self.rungs() });
        if let Some(by) = by {
            self.tell(Event::Renewed { by });
            (self.report)(News::Session(session));
        }
        #[cfg(feature = "step-up")]
        self.authenticated(by.is_none());
    }

    /// A token of its own for this access, by the refresh token.
    pub(super) async fn obtain(self: &Rc<Self>, access: &Access) -> Result<(), Error> {
        // What was not to be had is not asked for again in the same breath.
        let now = self.ports.clock.moment();
        self.obtaining.borrow_mut().retain(|(.., failed)| failed.is_none_or(|at| now.since(at) < BREATH));
        let known = self.obtaining.borrow().iter().find(|(other, ..)| other == access).map(|(_, flight, _)| flight.clone());
        let flight = known.unwrap_or_else(|| {
            let (keep, access) = (self.clone(), access.clone());
            let wanted = access.clone();
            let flight = Flight::new(async move { keep.obtained(&access).await });
            self.obtaining.borrow_mut().push((wanted, flight.clone(), None));
            flight
        });
        let outcome = flight.clone().await;
        let now = self.ports.clock.moment();
        let mut obtaining = self.obtaining.borrow_mut();
        match &outcome {
            Ok(()) => obtaining.retain(|(_, other, _)| !other.is(&flight)),
            Err(_) => obtaining.iter_mut().filter(|(_, other, _)| other.is(&flight)).for_each(|(.., failed)| {
                failed.get_or_insert(now);
            }),
        }
        outcome
    }

    async fn obtained(self: &Rc<Self>, access: &Access) -> Result<(), Error> {
        if access.exchanged_for.is_some() {
            return self.exchanged(access).await;
        }
        let before = self.token_age(access);
        let _turn = self.turn().await;
        let generation = self.generation.get();
        let line = || self.tokens.borrow().as_ref().map(|tokens| (tokens.line.name.clone(), tokens.line.number));
        let outcome = loop {
            // Another tab may have been at it.
            if self.token_age(access) != before {
                return Ok(());
            }
            let presenting = line();
            let outcome = self.present(access).await;
            self.unless_ended_since(generation)?;
            match outcome {
                // It was another tab's to present, which has handed over what came for it.
                Err(Fallen::Closed(None) | Fallen::Interrupted(Error::Interrupted(Interrupted::Busy), _)) if line() != presenting => {}
                outcome => break outcome,
            }
        };
        match outcome {
            Ok((token, _)) => {
                self.put(token);
                Ok(())
            }
            Err(Fallen::Closed(error)) => Err(error.unwrap_or(Interrupted::SignInNeeded.into())),
            Err(Fallen::Interrupted(error, _) | Fallen::Skipped(error)) => Err(error),
            Err(Fallen::Over(reason)) => {
                self.end(reason);
                Err(Interrupted::SignInNeeded.into())
            }
        }
    }

    /// A token for the one that the user signed in for. That one stays what it is, so nobody waits for a turn.
    async fn exchanged(self: &Rc<Self>, access: &Access) -> Result<(), Error> {
        let generation = self.generation.get();
        self.good_token(&self.settings.access).await?;
        let metadata = self.metadata().await?;
        self.unless_ended_since(generation)?;
        let (subject_token, granted) = {
            let tokens = self.tokens.borrow();
            let token = tokens.as_ref().and_then(Tokens::main).ok_or(Interrupted::SignInNeeded)?;
            (Secret::copied(token.token.expose()), token.scope.clone())
        };
        let (client_id, token_type) = (&self.settings.registration.client_id, self.settings.token_type);
        let mut exchange = AccessTokenExchange::new(&metadata, client_id, &subject_token, token_type, access, &granted);
        let since = self.ports.clock.moment();
        let answer = self.send(Source::Token, &mut exchange.request, None, &*self.ports.http).await?;
        let granted = exchange.finish(&answer.map_err(|failure| failure.of(Source::Token))?)?;
        self.unless_ended_since(generation)?;
        self.put(AccessToken::new(access.clone(), granted, since));
        Ok(())
    }

    /// Keeps a token for an access, for the other tabs too.
    fn put(self: &Rc<Self>, token: AccessToken) {
        let asked = Scope::parse(&token.access.scope).unwrap_or_default();
        let changed = if token.access.scope.is_empty() { None } else { compare(&asked, &token.scope) };
        if let Some(tokens) = self.tokens.borrow_mut().as_mut() {
            tokens.put(token);
        }
        self.announce();
        if let Some(changed) = changed {
            self.tell(changed);
        }
    }

    /// Which token there is for an access: when it was asked for.
    pub(super) fn token_age(&self, access: &Access) -> Option<Moment> {
        self.tokens.borrow().as_ref().and_then(|tokens| tokens.find(access)).map(|token| token.since)
    }

    // The hidden frame

    /// Asks in a hidden frame, about the user of this ID token if one is given.
    pub(super) async fn by_frame(self: &Rc<Self>, hint: Option<Secret<String>>) -> Result<(), Fallen> {
        let (generation, age) = (self.generation.get(), self.token_age(&self.settings.access));
        let expected = self.session_now().and_then(|session| session.subject().map(str::to_owned));
        let before = self.line_in_use().await?;
        let metadata = self.metadata().await.map_err(Fallen::before)?;
        self.reach(&metadata.authorization_endpoint, Source::Authorization).await.map_err(Fallen::before)?;
        let silent = SignIn::default().prompt([Prompt::None]);
        let mut registration = self.settings.registration.clone();
        registration.response_mode = registration.response_mode.in_frame(registration.response_type);
        // The page stays, and the key with it.
        let (url, _, login) = self.authorized(registration, silent, String::new(), true, hint).await.map_err(Fallen::before)?;
        self.unless_signed_out_elsewhere()?;
        if self.generation.get() != generation {
            return Err(Fallen::Closed(None));
        }
        let answer = frame::ask(&self.ports, &url, &self.settings.registration.redirect_uri, login.state());
        let callback = match unless(self.ended_since(generation), answer).await {
            None => return Err(Fallen::Closed(None)),
            Some(Ok(callback)) => callback,
            Some(Err(error)) => {
                if matches!(error, Error::Interrupted(Interrupted::FrameTimedOut)) {
                    // Without a network a frame does not answer either.
                    self.reach(&metadata.authorization_endpoint, Source::Authorization).await.map_err(Fallen::before)?;
                    self.close_frame();
                }
                return Err(Fallen::Closed(Some(error)));
            }
        };
        let accepted = login.accept(callback, self.ports.clock.now()).map_err(|error| {
            if error.asks_user() {
                self.close_frame();
            }
            match error.code() {
                // RFC 6749 §4.1.2.1: there is no status code that could say so.
                "server_error" | "temporarily_unavailable" => Fallen::Interrupted(error, None),
                // The page stood still until the answer was too old.
                "sign_in_expired" => Fallen::Interrupted(error, None),
                _ => Fallen::Closed(Some(error)),
            }
        })?;
        let since = self.ports.clock.moment();
        let redeemed = self.redeemed(accepted, generation).await;
        // Who signed in meanwhile is who counts, and may be another user.
        if self.generation.get() != generation || self.token_age(&self.settings.access) != age {
            return Err(Fallen::Closed(None));
        }
        let late = self.ports.clock.moment().since(since) > TURN;
        let redeemed = redeemed.map_err(|error| match error.kind() {
            // This code is lost, but the next frame brings another.
            Kind::Interrupted => Fallen::Interrupted(error, None),
            // The page stood still until the ID token was too old.
            _ if late => Fallen::Interrupted(error, None),
            _ => Fallen::Closed(Some(error)),
        })?;
        let subject = redeemed.claims.as_ref().map(Claims::subject);
        if expected.is_some() && expected.as_deref() != subject {
            return Err(Fallen::Over(Ended::UserChanged));
        }
        self.unless_signed_out_elsewhere()?;
        let tokens = match self.begin_line(redeemed, before, Some(Rung::Frame)).await {
            Some(tokens) if self.generation.get() == generation => tokens,
            None if self.generation.get() == generation => return Err(self.let_them_first().await),
            _ => return Err(Fallen::Closed(None)),
        };
        self.unless_signed_out_elsewhere()?;
        self.install(tokens, Some(Rung::Frame));
        Ok(())
    }

    /// Whose place a line takes that comes of a frame: of the one that is in use now, whoever began it, and of no later one. `None` if
    /// the journal does not know ours, which then is nobody else's.
    async fn line_in_use(self: &Rc<Self>) -> Result<Option<String>, Fallen> {
        self.unless_signed_out_elsewhere()?;
        let ours = self.tokens.borrow().as_ref().map(|tokens| (tokens.line.name.clone(), tokens.line.noted));
        if matches!(ours, Some((_, false))) {
            return Ok(None);
        }
        match journal::read(&self.ports, &self.name).await {
            Ok(Some(Row::Line { name, .. })) => Ok(Some(name)),
            Ok(Some(Row::Rejected)) if ours.is_some() && !self.is_bound() => Err(Fallen::Over(Ended::Rejected)),
            Ok(Some(Row::Rejected)) => Err(Fallen::Closed(None)),
            Ok(Some(Row::SignedOut)) => Err(self.signed_out_elsewhere()),
            Ok(None) | Err(_) => ours.map(|(name, _)| name).or(self.mark().line).map(Some).ok_or(Fallen::Closed(None)),
        }
    }

    /// Whoever signed out, in whatever tab, is not signed in again by something that was on its way.
    fn unless_signed_out_elsewhere(&self) -> Result<(), Fallen> {
        if self.mark().signed_out.is_some() { Err(self.signed_out_elsewhere()) } else { Ok(()) }
    }

    fn signed_out_elsewhere(&self) -> Fallen {
        let reason = self.ended_elsewhere().unwrap_or(Ended::SignedOutElsewhere);
        if self.tokens.borrow().is_some() { Fallen::Over(reason) } else { Fallen::Closed(None) }
    }

    /// Why the session is over, if that is noted.
    pub(super) fn ended_elsewhere(&self) -> Option<Ended> {
        let mark = self.mark();
        mark.signed_out.map(|_| mark.limit.unwrap_or(Ended::SignedOutElsewhere))
    }

    /// Remembers that a frame does not work here.
    fn close_frame(&self) {
        let now = self.ports.clock.now();
        self.note(|mark| mark.frame_closed = Some(now));
    }

    // The redirect

    fn redirect(self: &Rc<Self>) {
        let (mark, now) = (self.mark(), self.ports.clock.now());
        if let Err(fallen) = self.unless_signed_out_elsewhere() {
            self.fall(Rung::Redirect, fallen);
            return;
        }
        if mark.redirected.is_some_and(|at| now.distance(at) < REDIRECT_AFTER) {
            self.fall(Rung::Redirect, Fallen::Closed(None));
            return;
        }
        self.note(|mark| mark.redirected = Some(now));
        self.redirecting.set(true);
        (self.report)(News::Redirect);
    }

    /// The page could not be left.
    pub(super) fn redirect_failed(self: &Rc<Self>, error: Error) {
        if self.redirecting.replace(false) {
            self.fall(Rung::Redirect, Fallen::Closed(Some(error)));
        }
    }

    // What all rungs need

    /// Finds out whether anybody is there, at a place of that server that answers everybody: elsewhere a `HEAD` is an error in logs.
    pub(super) async fn reach(&self, endpoint: &HttpUrl, from: Source) -> Result<(), Error> {
        let metadata_url = self.settings.issuer.metadata_url(self.settings.discovery);
        let there = HttpUrl::parse(&metadata_url).is_ok_and(|url| url.same_origin(endpoint));
        let url = if there { &metadata_url } else { endpoint.as_str() };
        self.ports.http.reach(url, REACH).await.map_err(|failure| failure.of(from))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark::read(&*self.ports.store, &self.mark_key)
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Mark)) {
        let mut mark = self.mark();
        change(&mut mark);
        mark.write(&*self.ports.store, &self.mark_key);
    }

    /// Whoever signs in is who counts, whatever was before.
    pub(super) fn forget_sign_out(&self) {
        if self.mark().signed_out.is_some() {
            self.note(|mark| (mark.signed_out, mark.limit) = (None, None));
        }
    }

    /// Notes that somebody is signed in.
    fn note_line(&self) {
        let line = self.tokens.borrow().as_ref().map(|tokens| tokens.line.name.clone());
        let mark = self.mark();
        if mark.line != line || mark.signed_out.is_some() {
            self.note(|mark| {
                mark.line = line;
                (mark.signed_out, mark.limit) = (None, None);
            });
        }
    }
}

/// How two scopes differ, if they do.
pub(super) fn compare(asked: &Scope, granted: &Scope) -> Option<Event> {
    // What is about the user and not about an API: the scope of an access token need not name it.
    const OPENID: [&str; 6] = ["address", "email", "offline_access", "openid", "phone", "profile"];
    let news = |word: &&str, other: &Scope| !other.contains(word) && !OPENID.contains(word);
    let words = |of: &Scope, other: &Scope| of.iter().filter(|word| news(word, other)).map(str::to_owned).collect::<Vec<_>>();
    let (missing, added) = (words(asked, granted), words(granted, asked));
    (!missing.is_empty() || !added.is_empty()).then_some(Event::ScopeChanged { missing, added })
}
