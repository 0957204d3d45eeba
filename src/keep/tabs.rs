//! What tabs tell each other.
//!
//! Everything is a hint, because whoever runs a script at this origin can say it: a tab believes what the journal and the provider's
//! signature confirm. No message holds a token that anybody but its receiver can read.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use super::{
    Keep,
    journal::{self, Row},
    ports::Line,
    signal::{Signal, within},
    tokens::{Tokens, is_name},
};
use crate::{
    protocol::{Claims, Discovery, FrontChannelLogout, Json, StateDigest, UnixTime, Unverified, id_token::Renewed},
    session::{Ended, Presence, Rung},
};

/// How long another tab may take to say that it is signed in.
pub const OFFER_PATIENCE: Duration = Duration::from_millis(250);

/// How long another tab may take to hand its tokens over.
pub const GIFT_PATIENCE: Duration = Duration::from_secs(2);

/// How long other tabs may take to say that they ended the session that the provider named.
pub const LOGOUT_PATIENCE: Duration = Duration::from_secs(1);

/// A longer message is not read, in bytes.
const MAX_MESSAGE: usize = 512 * 1024;

/// No more is remembered of what was heard.
const MAX_HEARD: usize = 100;

/// The version of these messages. Others are not read: a tab may run another release.
const VERSION: u64 = 1;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message {
    /// The user was active at this time.
    Active { at: UnixTime },
    /// Who is signed in?
    Hello { from: String },
    /// I am.
    Session(Offer),
    /// Give me your tokens, sealed for this key.
    Ask { from: String, to: String, key: String },
    /// Here they are.
    Give { key: String, sealed: String },
    /// The user signed out.
    SignedOut { line: String },
    /// The provider says that the user signed out.
    Logout { from: String, said: FrontChannelLogout },
    /// That was me.
    LoggedOut { to: String },
}

/// Somebody is signed in, in another tab.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    pub(crate) from: String,
    pub(crate) line: String,
    pub(crate) number: u64,
    pub(crate) renewals: u64,
    /// A digest of who it is; empty if the app does not want to know.
    pub(crate) user: String,
}

impl Message {
    fn read(text: &str) -> Option<Message> {
        let message = if text.len() <= MAX_MESSAGE { Json::parse(text).ok()? } else { return None };
        let number = |name: &str| message.get(name)?.as_number()?.floor();
        if number("tokenkeep") != Some(VERSION) {
            return None;
        }
        let optional = |name: &str| message.text(name).map(str::to_owned);
        let text = |name: &str| optional(name).unwrap_or_default();
        Some(match message.text("type")? {
            "active" => Message::Active { at: UnixTime::from_millis(number("at")?) },
            "hello" => Message::Hello { from: text("from") },
            "session" => Message::Session(Offer {
                from: text("from"),
                line: text("line"),
                number: number("number")?,
                renewals: number("renewals")?,
                user: text("user"),
            }),
            "ask" => Message::Ask { from: text("from"), to: text("to"), key: text("key") },
            "give" => Message::Give { key: text("key"), sealed: text("sealed") },
            "signed_out" => Message::SignedOut { line: text("line") },
            "logout" => Message::Logout { from: text("from"), said: FrontChannelLogout { iss: optional("iss"), sid: optional("sid") } },
            "logged_out" => Message::LoggedOut { to: text("to") },
            _ => return None,
        })
    }

    fn write(&self) -> String {
        let text = |text: &String| Some(Json::from(text));
        let (kind, members) = match self {
            Message::Active { at } => ("active", vec![("at", Some(at.as_millis().into()))]),
            Message::Hello { from } => ("hello", vec![("from", text(from))]),
            Message::Session(Offer { from, line, number, renewals, user }) => {
                let (number, renewals) = (Some(Json::from(*number)), Some(Json::from(*renewals)));
                let (from, line, user) = (text(from), text(line), text(user));
                ("session", vec![("from", from), ("line", line), ("user", user), ("number", number), ("renewals", renewals)])
            }
            Message::Ask { from, to, key } => ("ask", vec![("from", text(from)), ("to", text(to)), ("key", text(key))]),
            Message::Give { key, sealed } => ("give", vec![("key", text(key)), ("sealed", text(sealed))]),
            Message::SignedOut { line } => ("signed_out", vec![("line", text(line))]),
            Message::Logout { from, said } => {
                let (iss, sid) = (said.iss.as_ref().and_then(text), said.sid.as_ref().and_then(text));
                ("logout", vec![("from", text(from)), ("iss", iss), ("sid", sid)])
            }
            Message::LoggedOut { to } => ("logged_out", vec![("to", text(to))]),
        };
        let mut message = vec![("tokenkeep", Some(Json::from(VERSION))), ("type", Some(Json::from(kind)))];
        message.extend(members);
        Json::object(message).to_string()
    }
}

/// This tab among the others.
#[derive(Default)]
pub(crate) struct Tabs {
    /// What this tab is called: random, and no secret. Empty as long as there is no line.
    name: RefCell<String>,
    line: RefCell<Option<Box<dyn Line>>>,
    /// Who said that somebody is signed in, since it was last asked.
    offers: RefCell<Vec<Offer>>,
    /// The keys for which something is to be handed over, and what was.
    gifts: RefCell<Vec<(String, Option<String>)>>,
    /// The last one that is newer than what is here.
    newer: RefCell<Option<Offer>>,
    adopting: Cell<bool>,
    logged_out: Cell<bool>,
    heard: Signal,
}

impl Tabs {
    fn post(&self, message: &Message) {
        if let Some(line) = &*self.line.borrow() {
            line.post(&message.write());
        }
    }

    pub(crate) fn name(&self) -> String {
        self.name.borrow().clone()
    }

    /// Whether there is a line to the other tabs.
    pub(crate) fn are_heard(&self) -> bool {
        self.line.borrow().is_some()
    }
}

impl Keep {
    /// Begins to listen to the other tabs.
    pub(super) fn listen(self: &Rc<Self>) {
        let Ok(name) = self.random_name() else { return };
        let keep = Rc::downgrade(self);
        let heard = Rc::new(move |text: String| {
            if let (Some(keep), Some(message)) = (keep.upgrade(), Message::read(&text)) {
                keep.hear(message);
            }
        });
        *self.tabs.line.borrow_mut() = self.ports.channel.open(&["tokenkeep.", &self.name].concat(), heard);
        *self.tabs.name.borrow_mut() = name;
    }

    pub(super) fn stop_listening(&self) {
        self.tabs.line.borrow_mut().take();
    }

    /// Tells the other tabs who is signed in here.
    pub(super) fn announce(&self) {
        if let Some(offer) = self.offer() {
            self.tabs.post(&Message::Session(offer));
        }
    }

    pub(super) fn announce_sign_out(&self, line: &str) {
        self.tabs.post(&Message::SignedOut { line: line.to_owned() });
    }

    pub(super) fn announce_activity(&self, at: UnixTime) {
        self.tabs.post(&Message::Active { at });
    }

    fn offer(&self) -> Option<Offer> {
        let tokens = self.tokens.borrow();
        let Tokens { line, session, .. } = tokens.as_ref().filter(|tokens| tokens.line.shared)?;
        let user = session.claims.as_ref().map(|claims| self.digest_of(claims)).unwrap_or_default();
        Some(Offer { from: self.tabs.name(), line: line.name.clone(), number: line.number, renewals: line.renewals, user })
    }

    fn digest_of(&self, claims: &Claims) -> String {
        StateDigest::of(&[self.settings.issuer.as_str(), " ", claims.subject()].concat()).as_str().to_owned()
    }

    fn hear(self: &Rc<Self>, message: Message) {
        let name = self.tabs.name();
        match message {
            Message::Active { at } => self.hear_presence(Presence { signed_in: None, active: Some(at) }),
            Message::Hello { from } if from != name => self.announce(),
            Message::Session(offer) if offer.from != name && is_name(&offer.line) && !self.is_bound() => self.hear_of(offer),
            Message::Ask { to, key, .. } if to == name => {
                let keep = self.clone();
                self.spawn(async move { keep.give(key).await });
            }
            Message::Give { key, sealed } => {
                let mut gifts = self.tabs.gifts.borrow_mut();
                if let Some((_, gift)) = gifts.iter_mut().find(|(awaited, gift)| *awaited == key && gift.is_none()) {
                    *gift = Some(sealed);
                    drop(gifts);
                    self.tabs.heard.raise();
                }
            }
            // Whatever line it was: this tab may not have heard of the latest one.
            Message::SignedOut { .. } if self.tokens.borrow().is_some() => {
                if let Some(reason) = self.ended_elsewhere() {
                    self.end(reason);
                } else {
                    let keep = self.clone();
                    self.spawn(async move { keep.look_up().await });
                }
            }
            Message::Logout { from, said } => {
                let meant = self.tokens.borrow().as_ref().and_then(|tokens| {
                    let claims = tokens.session.claims.as_ref()?;
                    said.means(claims, self.settings.front_channel_logout_session_required).then(|| tokens.line.name.clone())
                });
                if let Some(line) = meant {
                    self.end(Ended::SignedOutAtProvider);
                    let keep = self.clone();
                    self.spawn(async move {
                        if keep.is_bound() {
                            keep.sign_out_line(&line).await;
                        } else {
                            let _ = journal::sign_out(&keep.ports, &keep.name, &line).await;
                        }
                        keep.announce_sign_out(&line);
                        keep.tabs.post(&Message::LoggedOut { to: from });
                    });
                }
            }
            Message::LoggedOut { to } if to == name => {
                self.tabs.logged_out.set(true);
                self.tabs.heard.raise();
            }
            _ => {}
        }
    }

    /// Another tab says that somebody is signed in there.
    fn hear_of(self: &Rc<Self>, offer: Offer) {
        let mut offers = self.tabs.offers.borrow_mut();
        offers.retain(|other| other.from != offer.from);
        if offers.len() < MAX_HEARD {
            offers.push(offer.clone());
        }
        drop(offers);
        self.tabs.heard.raise();
        let wanted = if self.tokens.borrow().is_some() { self.is_newer(&offer) } else { self.life.get().is_out() && !self.estranged.get() };
        if wanted && !self.signing_in.get() {
            *self.tabs.newer.borrow_mut() = Some(offer);
            if !self.tabs.adopting.replace(true) {
                let keep = self.clone();
                self.spawn(async move { keep.catch_up().await });
            }
        }
    }

    fn is_newer(&self, offer: &Offer) -> bool {
        self.tokens.borrow().as_ref().is_none_or(|tokens| tokens.line.name != offer.line || tokens.line.renewals < offer.renewals)
    }

    /// Takes over what other tabs have announced, until nothing is newer.
    async fn catch_up(self: Rc<Self>) {
        loop {
            let newer = self.tabs.newer.borrow_mut().take();
            let Some(offer) = newer.filter(|offer| self.is_newer(offer)) else { break };
            self.adopt(&offer).await;
        }
        self.tabs.adopting.set(false);
        self.tabs.heard.raise();
    }

    /// Answers when nothing is being taken over.
    pub(super) async fn caught_up(&self) {
        while self.tabs.adopting.get() {
            self.tabs.heard.changed_since(self.tabs.heard.changes()).await;
        }
    }

    /// Whether a tab that is asked now has what is newer.
    pub(super) async fn ask_tabs(self: &Rc<Self>) -> bool {
        self.tabs.offers.borrow_mut().clear();
        if self.is_bound() || !self.tabs.are_heard() {
            return false;
        }
        self.tabs.post(&Message::Hello { from: self.tabs.name() });
        let mut asked = Vec::new();
        loop {
            let changes = self.tabs.heard.changes();
            // What was renewed most often first: within a line it is the latest.
            let best = self
                .tabs
                .offers
                .borrow()
                .iter()
                .filter(|offer| self.is_newer(offer) && !asked.contains(&offer.from))
                .max_by_key(|offer| offer.renewals)
                .cloned();
            match best {
                Some(offer) => {
                    asked.push(offer.from.clone());
                    if self.adopt(&offer).await {
                        // What was announced meanwhile is newer still.
                        let newer =
                            self.tabs.offers.borrow().iter().find(|newer| newer.line == offer.line && self.is_newer(newer)).cloned();
                        newer.into_iter().for_each(|newer| self.hear_of(newer));
                        return true;
                    }
                }
                None if within(&*self.ports.clock, OFFER_PATIENCE, self.tabs.heard.changed_since(changes)).await.is_some() => {}
                None => return false,
            }
        }
    }

    /// Hands the tokens over, sealed.
    async fn give(self: Rc<Self>, key: String) {
        let text = {
            let tokens = self.tokens.borrow();
            let Some(tokens) = tokens.as_ref().filter(|tokens| tokens.line.shared) else { return };
            tokens.to_text(self.ports.clock.moment(), self.life.get().presence())
        };
        if let Ok(sealed) = self.ports.crypto.seal(&text, &key).await {
            self.tabs.post(&Message::Give { key, sealed });
        }
    }

    /// Takes another tab's tokens over, if the journal knows them and the provider's signature says who it is.
    async fn adopt(self: &Rc<Self>, offer: &Offer) -> bool {
        let generation = self.generation.get();
        let Ok(strongbox) = self.ports.crypto.strongbox().await else { return false };
        let key = strongbox.public_key().to_owned();
        self.tabs.gifts.borrow_mut().push((key.clone(), None));
        self.tabs.post(&Message::Ask { from: self.tabs.name(), to: offer.from.clone(), key: key.clone() });
        let gift = within(&*self.ports.clock, GIFT_PATIENCE, async {
            loop {
                let changes = self.tabs.heard.changes();
                let found = self.tabs.gifts.borrow().iter().find(|(awaited, _)| *awaited == key).and_then(|(_, gift)| gift.clone());
                match found {
                    Some(sealed) => return sealed,
                    None => self.tabs.heard.changed_since(changes).await,
                }
            }
        });
        let gift = gift.await;
        self.tabs.gifts.borrow_mut().retain(|(awaited, _)| *awaited != key);
        let Some(sealed) = gift else { return false };
        let Ok(text) = strongbox.open(&sealed).await else { return false };
        let session = |token: &super::tokens::AccessToken| self.session(None, token, Some(Rung::Tab));
        let Some(mut tokens) = Tokens::from_text(text.expose(), self.ports.clock.moment(), session) else { return false };
        let claims = match self.settings.discovery {
            Discovery::OpenId => match self.claims_of_gift(&tokens).await {
                None => return false,
                claims => claims,
            },
            Discovery::OAuth => None,
        };
        // Last, because whatever takes time may be too long.
        match journal::read(&self.ports, &self.name).await {
            Ok(Some(Row::Line { name, presented, at, .. })) if name == tokens.line.name => {
                // Nobody is signed in with what is good for nothing, neither now nor for another token.
                let now = self.ports.clock.moment();
                let is_good = tokens.main().is_some_and(|token| token.is_good(now));
                let is_unspent = presented < tokens.line.number || now.wall.distance(at) < journal::LEASE;
                let leads_on = tokens.line.refresh_token.is_some() && is_unspent;
                if !is_good && !leads_on {
                    return false;
                }
            }
            _ => return false,
        }
        if let Some(claims) = claims {
            let another = self.tokens.borrow().as_ref().and_then(|ours| ours.session.subject().map(|ours| ours != claims.subject()));
            if another == Some(true) {
                // Whoever has our line is who is signed in here, and nobody else.
                if self.has_line(&tokens.line.name) {
                    return false;
                }
                self.estranged.set(true);
                self.end(Ended::UserChanged);
                return false;
            }
            tokens.session.claims = Some(claims);
        }
        if self.generation.get() != generation
            || !self.is_newer(offer)
            || tokens.line.name != offer.line
            || tokens.line.renewals < offer.renewals
            || self.mark().signed_out.is_some()
        {
            return false;
        }
        self.install(tokens, Some(Rung::Tab));
        true
    }

    async fn claims_of_gift(self: &Rc<Self>, tokens: &Tokens) -> Option<Claims> {
        let id_token = tokens.id_token.as_ref()?;
        // Who was verified here before needs no key.
        let known = self.tokens.borrow().as_ref().and_then(|ours| {
            let same = ours.id_token.as_ref().is_some_and(|ours| ours.expose() == id_token.expose());
            same.then(|| ours.session.claims.clone()).flatten()
        });
        if known.is_some() {
            return known;
        }
        let metadata = self.metadata().await.ok()?;
        let unverified = Unverified::read(id_token.expose(), &metadata.id_token_algorithms).ok()?;
        let signed = self.signature_of(unverified, &metadata).await.ok()?;
        let expected = Renewed {
            issuer: metadata.issuer.as_str(),
            client_id: &self.settings.registration.client_id,
            trusted_audiences: &self.settings.trusted_audiences,
            subject: None,
            nonce: None,
        };
        signed.renewed(&expected).ok()
    }

    /// Passes on what the provider said at a front-channel logout URI. True when a tab ended its session for it.
    pub(super) async fn tell_logout(self: Rc<Self>, said: FrontChannelLogout) -> bool {
        self.tabs.logged_out.set(false);
        self.tabs.post(&Message::Logout { from: self.tabs.name(), said });
        let told = async {
            while !self.tabs.logged_out.get() {
                self.tabs.heard.changed_since(self.tabs.heard.changes()).await;
            }
        };
        within(&*self.ports.clock, LOGOUT_PATIENCE, told).await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_again() {
        let text = |text: &str| text.to_owned();
        let said = FrontChannelLogout { iss: Some(text("https://as.example")), sid: None };
        for message in [
            Message::Hello { from: text("a") },
            Message::Session(Offer { from: text("a"), line: text("l"), number: 3, renewals: 4, user: text("u") }),
            Message::Ask { from: text("a"), to: text("b"), key: text("k") },
            Message::Give { key: text("k"), sealed: text("s") },
            Message::SignedOut { line: text("l") },
            Message::Logout { from: text("a"), said },
            Message::LoggedOut { to: text("a") },
        ] {
            assert_eq!(Message::read(&message.write()), Some(message));
        }
    }

    #[test]
    fn what_another_release_says_is_not_read() {
        for text in
            ["", "{}", "[]", r#"{"tokenkeep":2,"type":"hello","from":"a"}"#, r#"{"tokenkeep":1,"type":"tokens"}"#, r#"{"type":"hello"}"#]
        {
            assert_eq!(Message::read(text), None, "{text}");
        }
        assert_eq!(Message::read(&" ".repeat(MAX_MESSAGE + 1)), None);
    }
}
