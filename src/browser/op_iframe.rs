//! The provider's frame, asked by a script ([OpenID Connect Session Management](https://openid.net/specs/openid-connect-session-1_0.html)).

use std::rc::Rc;

use wasm_bindgen::{JsValue, closure::Closure, prelude::wasm_bindgen};

use super::{
    Arg::{self, Is},
    call,
    wire::{promise, written_if_any},
};
use crate::page::{Client, State, Subscription};

#[wasm_bindgen(module = "/pkg/op-iframe.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn watch(ask: &JsValue) -> Result<JsValue, JsValue>;
}

/// Watches for a client until the answer is dropped.
pub(crate) fn monitor(client: &Client) -> Subscription {
    let asks = client.clone();
    let ask = Closure::<dyn Fn(String, String) -> JsValue>::new(move |said: String, about: String| {
        let work = asks.check_session(&said, &about);
        // What goes wrong is asked for again later.
        promise(async move { Ok(written_if_any(work.await?)) })
    });
    // Without a page there is nothing to watch from.
    let Ok(watching) = watch(ask.as_ref()) else { return Subscription::ending(|| {}) };
    let watching = Rc::new(watching);
    let look = {
        let watching = watching.clone();
        move |state: &State| drop(call(&watching, "look", &[Is(matches!(state, State::SignedIn(_)))]))
    };
    look(&client.state());
    let listening = client.on_state(look);
    Subscription::ending(move || {
        let _ = (&ask, &listening);
        drop(call(&watching, "stop", &[] as &[Arg<'_>]));
    })
}
