//! The default entry: a client in a page, and a keep in a worker. `index.js` makes it what `index.d.ts` promises.

use std::rc::Rc;

use js_sys::{Function, Promise};
use tokenkeep::{
    Client, Config, Error, Request, SignIn, SignOut, Subscription,
    browser::{AddressBar, Forward, Memory, RemoteFrames, RemotePage, ports, worker_ports},
    page::{
        Pages,
        ports::{FramedBy, Wake},
    },
    protocol::{Json, Misconfigured},
};
#[cfg(feature = "session")]
use tokenkeep::{Event, page::PopupSignIn};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{boxed, json, promise, thrown};

/// A client, for as long as JavaScript holds it.
#[wasm_bindgen]
pub struct Handle {
    pub(crate) client: Client,
    place: Place,
    _listening: [Subscription; 2],
}

/// Where the page is.
enum Place {
    Here(Rc<AddressBar>),
    There(Rc<RemotePage>),
}

/// Opens a client. `before` is the address as it was when the page began to load, if a script took the response out of it since. `tell`
/// gets every state and every event.
///
/// # Errors
/// The error, as JSON.
#[wasm_bindgen]
pub fn open(options: &str, before: Option<String>, tell: Function) -> Result<Handle, JsValue> {
    let begin = || {
        let config = Config::from_json(options)?;
        let address_bar = Rc::new(AddressBar::new().ok_or(Misconfigured::NoWindow)?.before(before));
        Ok((Client::open(&config, ports(), address_bar.clone())?, Place::Here(address_bar)))
    };
    let (client, place) = begin().map_err(|error: Error| thrown(error))?;
    Ok(Handle::new(client, place, tell))
}

/// A keep in a worker, and what it knows of its pages.
#[wasm_bindgen]
pub struct Keep {
    pages: Pages,
    memory: Rc<Memory>,
    frames: Rc<RemoteFrames>,
    origin: String,
}

/// Opens a keep for the pages of an origin. Whether it outlives them is for the browser to say. `post` gets what all of them shall note,
/// and what the latest one shall do.
///
/// # Errors
/// The error, as JSON.
#[wasm_bindgen]
pub fn keep(options: &str, origin: String, outlives: bool, post: Function) -> Result<Keep, JsValue> {
    let (memory, frames) = (Rc::new(Memory::new(post.clone())), Rc::new(RemoteFrames::new(post)));
    let begin = || Pages::open(&Config::from_json(options)?, worker_ports(memory.clone(), frames.clone(), outlives), &origin);
    let pages = begin().map_err(|error: Error| thrown(error))?;
    Ok(Keep { pages, memory, frames, origin })
}

#[wasm_bindgen]
impl Keep {
    /// One more page. `post` gets what it shall do, `tell` every state and every event.
    pub fn join(&self, framed_by: &str, post: Function, tell: Function) -> Handle {
        let framed_by = match framed_by {
            "nobody" => FramedBy::Nobody,
            "this_origin" => FramedBy::ThisOrigin,
            _ => FramedBy::AnotherOrigin,
        };
        let page = Rc::new(RemotePage::new(self.origin.clone(), framed_by, post));
        Handle::new(self.pages.join(page.clone()), Place::There(page), tell)
    }

    /// What a page has noted, or has not any more.
    pub fn note(&self, key: String, text: Option<String>) {
        self.memory.note(key, text);
    }

    /// Something happened around a hidden frame.
    pub fn frame(&self, number: i32, event: JsValue) {
        self.frames.happened(number, event);
    }

    /// Drops the tokens: nobody has been here for a while.
    pub fn forget(&self) {
        self.pages.forget();
    }
}

impl Handle {
    fn new(client: Client, place: Place, tell: Function) -> Handle {
        let say = move |told: &Json| {
            // What the page throws while it listens is not ours.
            let _ = tell.call1(&JsValue::UNDEFINED, &told.to_string().into());
        };
        let (say, states) = (Rc::new(say), client.clone());
        let events = say.clone();
        let listening = [states.on_state(move |state| say(&json::state(state))), client.on_event(move |event| events(&json::event(event)))];
        Handle { client, place, _listening: listening }
    }
}

#[wasm_bindgen]
impl Handle {
    /// Where the page is now, when it is not here.
    pub fn at(&self, address: String) {
        if let Place::There(page) = &self.place {
            page.is_at(address);
        }
    }

    /// There is reason to look at the clock again, in a page that is not here.
    pub fn woke(&self, why: &str) {
        if let Place::There(page) = &self.place {
            page.woke(match why {
                "online" => Wake::Online,
                "pageshow" => Wake::Returned,
                _ => Wake::Visible,
            });
        }
    }

    /// The user was active at this time, in milliseconds since 1970, in a page that is not here.
    #[cfg(feature = "session")]
    pub fn active(&self, at: f64) {
        if let Place::There(page) = &self.place {
            page.active(at);
        }
    }

    /// The user is active, as the app says.
    #[cfg(feature = "session")]
    pub fn stay_active(&self) {
        self.client.stay_active();
    }

    /// The state, as `tell` gets it.
    pub fn state(&self) -> String {
        json::state(&self.client.state()).to_string()
    }

    /// Leaves for the provider.
    pub fn sign_in(&self, options: &str) -> Promise {
        let work = SignIn::from_json(options).map(|sign_in| self.client.sign_in(sign_in));
        promise(async move { work?.await }, |()| JsValue::UNDEFINED)
    }

    /// Begins a sign-in in a window of its own; gives where to send that, and the `state`.
    #[cfg(feature = "session")]
    pub fn begin_popup(&self, options: &str) -> Promise {
        let work = SignIn::from_json(options).map(|sign_in| self.client.begin_popup(sign_in));
        promise(async move { work?.await }, |begun| begun.to_json().to_string().into())
    }

    /// Hands over what came from that window. Gives nothing if that is no response to this sign-in.
    #[cfg(feature = "session")]
    pub fn finish_popup(&self, state: &str, address: &str) -> Promise {
        promise(self.client.finish_popup(state, address), |session| session.map_or(JsValue::UNDEFINED, |_| JsValue::NULL))
    }

    /// Gives that sign-in up; says why.
    #[cfg(feature = "session")]
    pub fn end_popup(&self, state: &str, why: &str) -> Promise {
        promise(self.client.end_popup(state, PopupSignIn::ended(why)), |()| JsValue::UNDEFINED)
    }

    /// Finishes a sign-in, or finds out who is signed in.
    pub fn finish_sign_in(&self) -> Promise {
        promise(self.client.finish_sign_in(), |finished| json::finished(&finished).to_string().into())
    }

    /// What an address asks for that somebody sent the user to, as JSON.
    ///
    /// # Errors
    /// The error, as JSON.
    #[cfg(feature = "session")]
    pub fn initiated_sign_in(&self, address: &str) -> Result<Option<String>, JsValue> {
        let asked = self.client.initiated_sign_in(address).map_err(thrown)?;
        Ok(asked.map(|asked| json::initiated(&asked).to_string()))
    }

    /// Whether the response that was taken out of the address is another client's. From now on the address is the one that is shown.
    pub fn response_is_left(&self) -> bool {
        match &self.place {
            Place::Here(address_bar) => address_bar.forget_before(),
            Place::There(page) => page.is_left(),
        }
    }

    /// What a call waits for, or that none does, as `tell` gets it.
    #[cfg(feature = "session")]
    pub fn step_up(&self) -> String {
        json::event(&self.client.step_up().map_or(Event::StepUpSettled, Event::StepUpNeeded)).to_string()
    }

    /// The user does not want what a call waits for.
    #[cfg(feature = "session")]
    pub fn decline_step_up(&self) {
        self.client.decline_step_up();
    }

    /// Calls an API with a `Request`, once or again if it may be sent again; gives the `Response`. One that waits is given up when its page,
    /// as an `AbortSignal` says, is gone.
    pub fn fetch(&self, request: JsValue, once: bool, gone: JsValue) -> Promise {
        let forward = Rc::new(Forward::new(request).unless_gone(gone));
        let head = forward.head();
        let client = self.client.clone();
        boxed(async move {
            let head: Request = if once { head?.once() } else { head? };
            client.fetch_by(Some(forward.clone()), head).await.map_err(thrown)?;
            Ok(forward.answer().into())
        })
    }

    /// The access token for a URL, if the app may see it.
    pub fn access_token(&self, url: &str) -> Promise {
        promise(self.client.access_token(url), |token| token.expose().into())
    }

    /// Asks the provider about the user.
    pub fn user_info(&self) -> Promise {
        promise(self.client.user_info(), |claims| json::claims(&claims).to_string().into())
    }

    /// Takes what is said of the provider's frame, and gives what to post to it next, as JSON.
    #[cfg(feature = "session")]
    pub fn check_session(&self, said: &str, about: &str) -> Promise {
        promise(self.client.check_session(said, about), |next| {
            next.map_or(JsValue::UNDEFINED, |next| json::op_frame(&next).to_string().into())
        })
    }

    /// Renews the access token.
    pub fn renew(&self) -> Promise {
        promise(self.client.renew(), |_| JsValue::UNDEFINED)
    }

    /// Signs out.
    pub fn sign_out(&self, local: bool) -> Promise {
        promise(self.client.sign_out(if local { SignOut::Local } else { SignOut::Provider }), |()| JsValue::UNDEFINED)
    }

    /// Whether the user signed out a moment ago.
    pub fn signed_out_just_now(&self) -> bool {
        self.client.signed_out_just_now()
    }

    /// Ends the session that the address names.
    pub fn front_channel_logout(&self) -> Promise {
        let work = self.client.front_channel_logout();
        boxed(async move { Ok(work.await.into()) })
    }

    /// Drops the tokens, and removes all that was stored.
    pub fn close(&self) {
        self.client.close();
        if let Place::Here(address_bar) = &self.place {
            address_bar.forget_before();
        }
    }
}
