//! The page's end of a keep in a [`SharedWorker`](https://developer.mozilla.org/docs/Web/API/SharedWorker). Messages are carried by the
//! script that the npm package has, too; here is what they mean.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use js_sys::{Object, Reflect};
use wasm_bindgen::{JsValue, closure::Closure, prelude::wasm_bindgen};

use super::{
    AddressBar,
    Arg::{Is, Text, Value},
    call, fetch, new, settled, text,
    wire::read,
};
#[cfg(feature = "device")]
use crate::page::DeviceSignIn;
#[cfg(feature = "popup")]
use crate::page::PopupSignIn;
#[cfg(feature = "step-up")]
use crate::protocol::StepUp;
#[cfg(feature = "check-session")]
use crate::{keep::OpFrame, protocol::check_session::Said};
use crate::{
    keep::{
        Config, Event, Session,
        flight::Flight,
        ports::{Answer, Http},
    },
    page::{
        Client, Finished, Kept, KeptIn, Link, SignOut, State, Subscription, Told, Worker, place,
        ports::{Navigation, Wake},
        worker::{OpenHere, Pending},
    },
    protocol::{Claims, Error, Interrupted, Issuer, Json, Misconfigured, Request, Response, Secret, SignIn, Source, wire::Wire},
};

#[wasm_bindgen(module = "/pkg/remote.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn connect(kind: &str, options: &JsValue) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/pkg/response.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = handOver)]
    fn hand_over() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = takeResponse)]
    fn take_response() -> Result<JsValue, JsValue>;
}

// Both ends import it: this takes it along.
#[wasm_bindgen(module = "/pkg/wire.js")]
extern "C" {
    #[wasm_bindgen(js_name = nameOf)]
    fn _name_of();
}

/// What names the worker's code: it is of this very crate.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Kept {
    /// Opens a client. Its state is unknown until a worker has started, and calls wait for that. What cannot work becomes [`State::Failed`].
    ///
    /// **When this returns, the response of a sign-in has left the address bar.** [`Client::finish_sign_in`] has it.
    ///
    /// ```no_run
    /// use tokenkeep::{Config, Worker};
    ///
    /// let config = Config::new("https://login.example.com", "my-app").api("https://api.example.com/");
    /// let client = config.keep_in(Worker::at("/keep_loader.js")).open();
    /// ```
    pub fn open(&self) -> Client {
        // Without a page there is no worker either.
        let _ = take_response();
        let there = Rc::new(There {
            told: Told::default(),
            #[cfg(feature = "step-up")]
            step_up: RefCell::default(),
            config: self.config.clone(),
            address_bar: AddressBar::new(),
            door: RefCell::default(),
            opening: RefCell::default(),
            listening: RefCell::default(),
        });
        if let Some(address_bar) = &there.address_bar {
            let page = Rc::downgrade(&there);
            address_bar.on_wake(Rc::new(move |wake| {
                if let (Wake::Returned, Some(page)) = (wake, page.upgrade()) {
                    page.told.leavings.tell(&false);
                }
            }));
        }
        let (worker, page) = (self.worker.clone(), Rc::downgrade(&there));
        let opening = Flight::new(async move { find(worker, page).await });
        *there.opening.borrow_mut() = Some(opening.clone());
        wasm_bindgen_futures::spawn_local(async move {
            // What came of it is in the state.
            let _ = opening.await;
        });
        Client::linked(there)
    }
}

/// Tries one kind of worker after the other.
async fn find(worker: Worker, page: Weak<There>) -> Result<Door, Error> {
    let gone = || Error::from(Interrupted::KeepGone);
    let config = page.upgrade().ok_or_else(gone)?.config.clone();
    let mut outcome = Err(Misconfigured::KeepUnavailable.into());
    for kind in worker.kinds {
        let hears = page.clone();
        let tell = Closure::<dyn Fn(JsValue) -> JsValue>::new(move |told: JsValue| {
            if let (Some(page), Some(told)) = (hears.upgrade(), told.as_string()) {
                page.hear(&told);
            }
            JsValue::UNDEFINED
        });
        match begin(&worker, *kind, &config, tell.as_ref()).await {
            Ok(remote) => {
                page.upgrade().ok_or_else(gone)?.listening.borrow_mut().push(Listening::Messages(tell));
                outcome = Ok(Door::There(remote, *kind));
                break;
            }
            // The worker is there, and says no.
            Err(thrown) if thrown.is_string() => {
                outcome = Err(refused(&thrown));
                break;
            }
            Err(_) => {}
        }
    }
    let page = page.upgrade().ok_or_else(gone)?;
    if let (Err(Error::Misconfigured(Misconfigured::KeepUnavailable)), Some(open)) = (&outcome, worker.otherwise) {
        outcome = page.opened_here(open);
    }
    match &outcome {
        Ok(door) => *page.door.borrow_mut() = Some(door.clone()),
        Err(error) => {
            page.told.events.tell(&Event::Failed(error.clone()));
            page.told.set(State::Failed(error.clone()));
        }
    }
    outcome
}

async fn begin(worker: &Worker, kind: KeptIn, config: &Config, tell: &JsValue) -> Result<JsValue, JsValue> {
    let options = Object::new().into();
    let linger = u32::try_from(worker.linger.as_millis()).unwrap_or(u32::MAX);
    let (config, kind) = (config.to_json().to_string(), if kind == KeptIn::SharedWorker { "shared" } else { "worker" });
    let pending = match worker.pending {
        Some(Pending::Durable) => "durable".into(),
        Some(Pending::Memory) => "memory".into(),
        None => JsValue::UNDEFINED,
    };
    let texts = [("config", config.as_str()), ("script", &worker.script), ("wasm", VERSION)];
    for (name, value) in texts.map(|(name, value)| (name, value.into())).into_iter().chain([
        ("linger", linger.into()),
        ("pending", pending),
        ("tell", tell.clone()),
    ]) {
        Reflect::set(&options, &name.into(), &value)?;
    }
    settled(&connect(kind, &options)?).await
}

/// A page whose keep is elsewhere.
struct There {
    told: Told,
    /// What the keep says that a call waits for.
    #[cfg(feature = "step-up")]
    step_up: RefCell<Option<StepUp>>,
    config: Config,
    address_bar: Option<AddressBar>,
    door: RefCell<Option<Door>>,
    opening: RefCell<Option<Flight<Result<Door, Error>>>>,
    listening: RefCell<Vec<Listening>>,
}

/// Where the keep was found.
#[derive(Clone)]
enum Door {
    Here(Rc<dyn Link>),
    There(JsValue, KeptIn),
}

/// What is listened to as long as the page is there.
enum Listening {
    Messages(#[expect(dead_code, reason = "JavaScript calls it")] Closure<dyn Fn(JsValue) -> JsValue>),
    Page(#[expect(dead_code, reason = "it ends when it is dropped")] [Subscription; 3]),
}

impl There {
    fn hear(&self, told: &str) {
        let Ok(told) = Json::parse(told) else { return };
        if let Some(event) = Event::read(&told) {
            #[cfg(feature = "step-up")]
            if !self.is_news(&event) {
                return;
            }
            self.told.events.tell(&event);
        } else if let Some(state) = State::read(&told) {
            self.told.set(state);
        }
    }

    /// Whether it says anything new. A page that comes late, or comes back, is told how things are.
    #[cfg(feature = "step-up")]
    fn is_news(&self, event: &Event) -> bool {
        let now = match event {
            Event::StepUpNeeded(step_up) => Some(step_up.clone()),
            Event::StepUpSettled => None,
            _ => return true,
        };
        self.step_up.replace(now.clone()) != now
    }

    /// No worker started: the keep is in this page, with what a script took out of the address.
    fn opened_here(self: &Rc<Self>, open: OpenHere) -> Result<Door, Error> {
        let address = hand_over().ok().and_then(|response| text(&response, "address"));
        let client = open(&self.config, address)?;
        let [states, events, leavings] = [(); 3].map(|()| Rc::downgrade(self));
        let listening = [
            client.on_state(move |state| on(&states, |told| told.set(state.clone()))),
            client.on_event(move |event| on(&events, |told| told.events.tell(event))),
            client.on_leaving(move |leaving| on(&leavings, |told| told.leavings.tell(leaving))),
        ];
        self.listening.borrow_mut().push(Listening::Page(listening));
        Ok(Door::Here(client.link()))
    }

    /// Asks the keep: at once if it is known where it is.
    fn ask<T: 'static>(
        &self,
        here: impl FnOnce(Rc<dyn Link>) -> Answer<'static, Result<T, Error>> + 'static,
        there: impl FnOnce(&JsValue) -> Result<JsValue, JsValue> + 'static,
        read: impl AsyncFnOnce(JsValue) -> Option<Result<T, Error>> + 'static,
    ) -> Answer<'static, Result<T, Error>> {
        let ask = move |door: &Door| -> Answer<'static, Result<T, Error>> {
            match door {
                Door::Here(link) => here(link.clone()),
                Door::There(remote, _) => {
                    let asked = there(remote);
                    Box::pin(async move {
                        let answer = match asked {
                            Ok(promise) => settled(&promise).await,
                            Err(thrown) => Err(thrown),
                        };
                        let answer = answer.map_err(|thrown| refused(&thrown))?;
                        // Our own keep says nothing else.
                        read(answer).await.unwrap_or_else(|| Err(Interrupted::KeepGone.into()))
                    })
                }
            }
        };
        if let Some(door) = &*self.door.borrow() {
            return ask(door);
        }
        let door = self.found();
        Box::pin(async move { ask(&door.await?).await })
    }

    /// Waits until it is known where the keep is.
    fn found(&self) -> impl Future<Output = Result<Door, Error>> + use<> {
        let (door, opening) = (self.door.borrow().clone(), self.opening.borrow().clone());
        async move {
            match (door, opening) {
                (Some(door), _) => Ok(door),
                (None, Some(opening)) => opening.await,
                (None, None) => Err(Interrupted::KeepGone.into()),
            }
        }
    }
}

impl Link for There {
    fn told(&self) -> &Told {
        &self.told
    }

    fn kept_in(&self) -> Option<KeptIn> {
        self.door.borrow().as_ref().map(|door| if let Door::There(_, kind) = door { *kind } else { KeptIn::Page })
    }

    fn sign_in(self: Rc<Self>, sign_in: SignIn) -> Answer<'static, Result<(), Error>> {
        let options = sign_in.to_json().to_string();
        let leaving =
            self.ask(|link| link.sign_in(sign_in), move |remote| call(remote, "sign_in", &[Text(&options)]), async |_| Some(Ok(())));
        // A keep in this page says so itself.
        let says = !matches!(&*self.door.borrow(), Some(Door::Here(_)));
        if says {
            self.told.leavings.tell(&true);
        }
        Box::pin(async move {
            let outcome = leaving.await;
            if says && outcome.is_err() {
                self.told.leavings.tell(&false);
            }
            outcome
        })
    }

    #[cfg(feature = "device")]
    fn sign_in_by_device(self: Rc<Self>) -> Answer<'static, Result<DeviceSignIn, Error>> {
        let door = self.found();
        Box::pin(async move {
            match door.await? {
                Door::Here(link) => link.sign_in_by_device().await,
                Door::There(..) => Err(Misconfigured::DeviceElsewhere.into()),
            }
        })
    }

    #[cfg(feature = "popup")]
    fn begin_popup(self: Rc<Self>, sign_in: SignIn) -> Answer<'static, Result<PopupSignIn, Error>> {
        let options = sign_in.to_json().to_string();
        self.ask(
            |link| link.begin_popup(sign_in),
            move |remote| call(remote, "begin_popup", &[Text(&options)]),
            async |told| read(&told).map(Ok),
        )
    }

    #[cfg(feature = "popup")]
    fn finish_popup(self: Rc<Self>, state: &str, address: &str) -> Answer<'static, Result<Option<Session>, Error>> {
        let [here, there] = [(); 2].map(|()| [state.to_owned(), address.to_owned()]);
        self.ask(
            move |link| {
                let [state, address] = here;
                link.finish_popup(&state, &address)
            },
            move |remote| call(remote, "finish_popup", &there.each_ref().map(|text| Text(text))),
            async |told| if told.is_undefined() { Some(Ok(None)) } else { read(&told).map(|session| Ok(Some(session))) },
        )
    }

    #[cfg(feature = "popup")]
    fn end_popup(self: Rc<Self>, state: &str, why: Interrupted) -> Answer<'static, Result<(), Error>> {
        let [here, there] = [(); 2].map(|()| state.to_owned());
        self.ask(
            move |link| link.end_popup(&here, why),
            move |remote| call(remote, "end_popup", &[Text(&there), Text(why.code())]),
            async |_| Some(Ok(())),
        )
    }

    fn finish_sign_in(self: Rc<Self>) -> Answer<'static, Result<Finished, Error>> {
        self.ask(Link::finish_sign_in, |remote| call(remote, "finish_sign_in", &[]), async |told| read(&told).map(Ok))
    }

    #[cfg(feature = "check-session")]
    fn check_session(self: Rc<Self>, said: Said, about: String) -> Answer<'static, Result<Option<OpFrame>, Error>> {
        let posted = about.clone();
        self.ask(
            move |link| link.check_session(said, about),
            move |remote| call(remote, "check_session", &[Text(said.name()), Text(&posted)]),
            async |told| Some(Ok(read(&told))),
        )
    }

    fn fetch(self: Rc<Self>, http: Option<Rc<dyn Http>>, request: Request) -> Answer<'static, Result<Response, Error>> {
        if http.is_some() && self.kept_in() != Some(KeptIn::Page) {
            // It would see the token.
            return Box::pin(async { Err(Misconfigured::TokenIsKept.into()) });
        }
        let door = self.found();
        let patience = self.config.patience();
        Box::pin(async move {
            match door.await? {
                Door::Here(link) => link.fetch(http, request).await,
                Door::There(remote, _) => {
                    let by = |url: &JsValue, init: &JsValue| {
                        let asked = new("Request", &[Value(url), Value(init)])?;
                        call(&remote, "fetch", &[Value(&asked), Is(!request.replay)])
                    };
                    fetch::send_by(&request, request.deadline.saturating_add(patience), by).await.map_err(|failure| match failure {
                        fetch::Refusal::Thrown(thrown) => refused(&thrown),
                        fetch::Refusal::Http(failure) => failure.of(Source::Api),
                    })
                }
            }
        })
    }

    fn access_token(self: Rc<Self>, url: &str) -> Answer<'static, Result<Secret<String>, Error>> {
        let [here, there] = [(); 2].map(|()| url.to_owned());
        self.ask(
            move |link| link.access_token(&here),
            move |remote| call(remote, "access_token", &[Text(&there)]),
            async |token| Some(Ok(Secret::new(token.as_string()?))),
        )
    }

    fn user_info(self: Rc<Self>) -> Answer<'static, Result<Claims, Error>> {
        self.ask(Link::user_info, |remote| call(remote, "user_info", &[]), async |told| read(&told).map(Ok))
    }

    fn renew(self: Rc<Self>) -> Answer<'static, Result<Session, Error>> {
        self.ask(Link::renew, |remote| call(remote, "renew", &[]), async |told| read(&told).map(Ok))
    }

    #[cfg(feature = "step-up")]
    fn step_up(&self) -> Option<StepUp> {
        match &*self.door.borrow() {
            Some(Door::Here(link)) => link.step_up(),
            _ => self.step_up.borrow().clone(),
        }
    }

    #[cfg(feature = "step-up")]
    fn decline_step_up(&self) {
        match &*self.door.borrow() {
            Some(Door::Here(link)) => link.decline_step_up(),
            Some(Door::There(remote, _)) => drop(call(remote, "decline_step_up", &[])),
            None => {}
        }
    }

    fn sign_out(self: Rc<Self>, reach: SignOut) -> Answer<'static, Result<(), Error>> {
        let local = reach == SignOut::Local;
        self.ask(move |link| link.sign_out(reach), move |remote| call(remote, "sign_out", &[Is(local)]), async |_| Some(Ok(())))
    }

    fn signed_out_just_now(&self) -> bool {
        match &*self.door.borrow() {
            Some(Door::Here(link)) => link.signed_out_just_now(),
            Some(Door::There(remote, _)) => call(remote, "signed_out_just_now", &[]).is_ok_and(|is| is.is_truthy()),
            None => false,
        }
    }

    fn front_channel_logout(self: Rc<Self>) -> Answer<'static, bool> {
        let ended = self.ask(
            |link| Box::pin(async { Ok(link.front_channel_logout().await) }),
            |remote| call(remote, "front_channel_logout", &[]),
            async |is| Some(Ok(is.is_truthy())),
        );
        Box::pin(async { ended.await.unwrap_or(false) })
    }

    fn issuer(&self) -> Option<Issuer> {
        self.config.issuer()
    }

    #[cfg(feature = "limits")]
    fn stay_active(&self) {
        match &*self.door.borrow() {
            Some(Door::Here(link)) => link.stay_active(),
            Some(Door::There(remote, _)) => drop(call(remote, "stay_active", &[])),
            None => {}
        }
    }

    fn place(&self, url: &str) -> String {
        let place = |address_bar: &AddressBar| Some(place(address_bar, url, &self.config.redirect_uri_at(&address_bar.origin())?));
        self.address_bar.as_ref().and_then(place).unwrap_or_else(|| "/".to_owned())
    }

    fn close(&self) {
        match &*self.door.borrow() {
            Some(Door::Here(link)) => link.close(),
            Some(Door::There(remote, _)) => drop(call(remote, "close", &[])),
            None => {}
        }
    }
}

impl Drop for There {
    fn drop(&mut self) {
        if let Some(Door::There(remote, _)) = &*self.door.borrow() {
            // The keep serves whoever else is there.
            let _ = call(remote, "free", &[]);
        }
    }
}

fn on(page: &Weak<There>, tell: impl FnOnce(&Told)) {
    if let Some(page) = page.upgrade() {
        tell(&page.told);
    }
}

/// What the worker, or the script before it, said no with.
fn refused(thrown: &JsValue) -> Error {
    read(thrown).unwrap_or_else(|| match text(thrown, "name").as_deref() {
        Some("AbortError" | "TimeoutError") => Interrupted::TimedOut { from: Source::Api }.into(),
        _ => Misconfigured::RequestMalformed.into(),
    })
}
