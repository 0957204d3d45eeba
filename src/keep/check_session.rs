//! Watches whether the user is still signed in at the provider: what the page posts to the provider's frame, and one silent question when
//! that says `changed`, however many pages hear of it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::{Event, Keep, flight::Flight, renew::Fallen};
use crate::protocol::{
    Discovery, Error, Json, Kind, Secret,
    check_session::{Answered, CheckSession, Effect, Input, MonitorStopped, Said},
    wire::Wire,
};

/// A longer ID token does not go into a URL as a hint, in bytes: servers refuse what is too long.
const MAX_HINT: usize = 4096;

/// What is asked, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpFrame {
    /// What the frame loads: the provider's `check_session_iframe`.
    pub url: String,
    /// Who gets the message, and nobody else.
    pub origin: String,
    /// `client_id` and `session_state`, with a space between.
    pub message: String,
}

impl Wire for OpFrame {
    fn write(&self) -> Json {
        Json::object(vec![
            ("url", Some((&self.url).into())),
            ("origin", Some((&self.origin).into())),
            ("message", Some((&self.message).into())),
        ])
    }

    fn read(json: &Json) -> Option<OpFrame> {
        let text = |name| json.text(name).map(str::to_owned);
        Some(OpFrame { url: text("url")?, origin: text("origin")?, message: text("message")? })
    }
}

/// What a keep knows of the watching.
#[derive(Default)]
pub(super) struct Monitor {
    machine: Cell<CheckSession>,
    asking: RefCell<Option<Flight<Result<(), Error>>>>,
}

impl Monitor {
    /// Another session begins, or none does.
    pub(super) fn begin_anew(&self) {
        self.machine.take();
    }
}

impl Keep {
    /// A page says something of the provider's frame, to which it posted this message. Answers with what it shall post next; `None` when
    /// there is nothing to watch.
    pub(super) async fn check_session(self: Rc<Self>, said: Said, about: String) -> Result<Option<OpFrame>, Error> {
        let Some(frame) = self.op_frame(said == Said::Begun).await? else { return Ok(None) };
        // What was asked about something else is answered by what there is now.
        if said == Said::Begun || frame.message != about {
            return Ok(Some(frame));
        }
        let known = self.monitor.asking.borrow().clone();
        let flight = match known.filter(|_| said == Said::Changed) {
            Some(flight) => flight,
            None => match self.take_monitor(Input::Said(said)) {
                Effect::Ask => {
                    self.tell(Event::SessionChanged);
                    let keep = self.clone();
                    Flight::new(async move { keep.ask_whether_signed_in(about).await })
                }
                Effect::Watch => return Ok(Some(frame)),
                Effect::End | Effect::Nothing | Effect::Stop(_) => return Ok(None),
            },
        };
        self.monitor.asking.replace(Some(flight.clone()));
        let asked = flight.clone().await;
        self.monitor.asking.borrow_mut().take_if(|now| now.is(&flight));
        asked?;
        self.op_frame(false).await
    }

    fn take_monitor(&self, input: Input) -> Effect {
        let (machine, effect) = self.monitor.machine.get().step(input);
        self.monitor.machine.set(machine);
        if let Effect::Stop(reason) = effect {
            self.tell(Event::SessionMonitorStopped { reason });
        }
        effect
    }

    /// What there is to ask. A page that begins is told why there is nothing.
    async fn op_frame(self: &Rc<Self>, begins: bool) -> Result<Option<OpFrame>, Error> {
        if self.tokens.borrow().is_none() {
            return Ok(None);
        }
        if let Some(reason) = self.monitor.machine.get().stopped() {
            if begins {
                self.tell(Event::SessionMonitorStopped { reason });
            }
            return Ok(None);
        }
        let generation = self.generation.get();
        let metadata = self.metadata().await?;
        if self.generation.get() != generation {
            return Ok(None);
        }
        let endpoint = metadata.check_session_iframe.as_ref().filter(|_| self.settings.discovery == Discovery::OpenId);
        let unfit = match (endpoint, self.message()) {
            (None, _) => MonitorStopped::NotOffered,
            (Some(_), None) => MonitorStopped::NoSessionState,
            (Some(url), Some(message)) => {
                return Ok(Some(OpFrame { url: url.as_str().to_owned(), origin: url.origin().to_owned(), message }));
            }
        };
        self.take_monitor(Input::Unfit(unfit));
        Ok(None)
    }

    fn message(&self) -> Option<String> {
        let tokens = self.tokens.borrow();
        Some([&*self.settings.registration.client_id, " ", tokens.as_ref()?.session_state.as_ref()?].concat())
    }

    /// Asks the provider without showing anything: with the ID token as a hint, so that it answers about this user and nobody else.
    async fn ask_whether_signed_in(self: Rc<Self>, about: String) -> Result<(), Error> {
        let generation = self.generation.get();
        let _turn = self.turn().await;
        // Whoever had the turn may have asked.
        if self.generation.get() != generation || self.message().as_ref() != Some(&about) {
            return Ok(());
        }
        let hint = self.tokens.borrow().as_ref().and_then(|tokens| tokens.id_token.as_ref().map(|token| Secret::copied(token.expose())));
        let outcome = self.by_frame(hint.filter(|hint| hint.expose().len() <= MAX_HINT)).await;
        if self.generation.get() != generation {
            return Ok(());
        }
        let answered = match outcome {
            Ok(()) => Answered::SameUser,
            // Another user, or a sign-out in another tab.
            Err(Fallen::Over(reason)) => {
                self.end(reason);
                return Ok(());
            }
            Err(Fallen::Closed(Some(error))) if error.kind() == Kind::Provider => Answered::Nobody,
            Err(_) => Answered::Interrupted,
        };
        if self.take_monitor(Input::Answered(answered)) == Effect::End {
            self.signed_out_at_provider().await;
        }
        Ok(())
    }
}
