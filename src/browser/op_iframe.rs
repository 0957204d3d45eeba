//! The provider's frame, asked by a script ([OpenID Connect Session Management](https://openid.net/specs/openid-connect-session-1_0.html)).

use std::{pin::Pin, rc::Rc};

use js_sys::Promise;
use wasm_bindgen::{JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;

use super::{
    Arg::{self, Is},
    call,
};
use crate::{
    page::{Client, State, Subscription},
    protocol::wire::Wire,
};

#[wasm_bindgen(module = "/pkg/op-iframe.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn watch(ask: &JsValue) -> Result<JsValue, JsValue>;
}

/// Watches for a client until the answer is dropped.
pub(crate) fn monitor(client: &Client) -> Subscription {
    let asks = client.clone();
    let ask = Closure::<dyn Fn(String, String) -> Promise>::new(move |said: String, about: String| {
        let work = asks.check_session(&said, &about);
        let work: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> = Box::pin(async move {
            // Whatever went wrong: the script asks again later.
            let next = work.await.map_err(|_| JsValue::NULL)?;
            Ok(next.map_or(JsValue::UNDEFINED, |next| next.write().to_string().into()))
        });
        future_to_promise(work)
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
