//! tokenkeep for JavaScript: thin, and without any decision of its own. `index.js` beside this makes it what `index.d.ts` promises.
//!
//! Everything but a request and its answer crosses as JSON text, which costs less wasm than objects.
#![cfg(target_family = "wasm")]

mod json;

use std::{pin::Pin, rc::Rc};

use js_sys::{Function, Promise};
use tokenkeep::{
    Client, Config, Error, Request, SignIn, SignOut, Subscription,
    browser::{AddressBar, Forward, ports},
    protocol::{Json, Misconfigured},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;

/// A client, for as long as JavaScript holds it.
#[wasm_bindgen]
pub struct Handle {
    client: Client,
    address_bar: Rc<AddressBar>,
    _listening: [Subscription; 2],
}

/// Opens a client. `before` is the address as it was when the page began to load, if a script took the response out of it since. `tell`
/// gets every state and every event.
///
/// # Errors
/// The error, as JSON.
#[wasm_bindgen]
pub fn open(options: &str, before: Option<String>, tell: Function) -> Result<Handle, JsValue> {
    let (client, address_bar) = begin(options, before).map_err(thrown)?;
    let say = move |told: &Json| {
        // What the page throws while it listens is not ours.
        let _ = tell.call1(&JsValue::UNDEFINED, &told.to_string().into());
    };
    let (say, other) = (Rc::new(say), client.clone());
    let states = say.clone();
    let listening = [other.on_state(move |state| states(&json::state(state))), client.on_event(move |event| say(&json::event(event)))];
    Ok(Handle { client, address_bar, _listening: listening })
}

fn begin(options: &str, before: Option<String>) -> Result<(Client, Rc<AddressBar>), Error> {
    let config = Config::from_json(options)?;
    let address_bar = Rc::new(AddressBar::new().ok_or(Misconfigured::NoWindow)?.before(before));
    Ok((Client::open(&config, ports(), address_bar.clone())?, address_bar))
}

#[wasm_bindgen]
impl Handle {
    /// Leaves for the provider.
    pub fn sign_in(&self, options: &str) -> Promise {
        let work = SignIn::from_json(options).map(|sign_in| self.client.sign_in(sign_in));
        promise(async move { work?.await }, |()| JsValue::UNDEFINED)
    }

    /// Finishes a sign-in, or finds out who is signed in.
    pub fn finish_sign_in(&self) -> Promise {
        promise(self.client.finish_sign_in(), |finished| json::finished(&finished).to_string().into())
    }

    /// Whether the response that was taken out of the address is another client's. From now on the address is the one that is shown.
    pub fn response_is_left(&self) -> bool {
        self.address_bar.forget_before()
    }

    /// Calls an API with a `Request`, once or at most twice; gives the `Response`.
    pub fn fetch(&self, request: JsValue, once: bool) -> Promise {
        let forward = Rc::new(Forward::new(request));
        let head = forward.head();
        let client = self.client.clone();
        boxed(async move {
            let head: Request = if once { head?.once() } else { head? };
            client.fetch_by(Some(forward.clone()), head).await.map_err(thrown)?;
            Ok(forward.answer().into())
        })
    }

    /// Asks the provider about the user.
    pub fn user_info(&self) -> Promise {
        promise(self.client.user_info(), |claims| json::claims(&claims).to_string().into())
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
        self.address_bar.forget_before();
    }
}

fn promise<T: 'static>(work: impl Future<Output = Result<T, Error>> + 'static, answer: impl FnOnce(T) -> JsValue + 'static) -> Promise {
    boxed(async move { work.await.map(answer).map_err(thrown) })
}

/// One type for all promises: what keeps them is there once then.
fn boxed(work: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let work: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> = Box::pin(work);
    future_to_promise(work)
}

fn thrown(error: impl Into<Error>) -> JsValue {
    json::error(&error.into()).to_string().into()
}
