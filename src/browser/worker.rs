//! The worker's end of a keep in a [`SharedWorker`](https://developer.mozilla.org/docs/Web/API/SharedWorker): all that a worker's `main`
//! does. Pages find it by [`Worker`](super::Worker).

use std::{cell::RefCell, rc::Rc};

use js_sys::{Array, Function};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};

use super::{
    Forward, Memory, RemoteFrames, RemotePage, get, global, text,
    there::VERSION,
    wire::{promise, written},
    worker_ports,
};
use crate::{
    keep::{Config, Event},
    page::{
        Client, Pages, SignOut, State, Subscription,
        ports::{FramedBy, Wake},
    },
    protocol::{Error, Misconfigured, SignIn, wire::Wire},
};

/// A method's name, and its arguments.
type Call = Closure<dyn Fn(String, Array) -> Result<JsValue, JsValue>>;

#[wasm_bindgen(module = "/pkg/keep.js")]
extern "C" {
    #[wasm_bindgen(js_name = serveBy)]
    fn serve_by(call: &JsValue);
    /// An object whose methods are all this function.
    fn object(call: &JsValue) -> JsValue;
}

/// Keeps tokens for the pages that open a keep here, as long as this worker lives.
pub(crate) fn serve() {
    let begin = Call::new(|_: String, options: Array| {
        let text = |index| options.get(index).as_string().unwrap_or_default();
        if text(1) != VERSION {
            return Err(refused(Misconfigured::KeepUnavailable));
        }
        let (outlives, post) = (options.get(2).is_truthy(), options.get(3).dyn_into::<Function>()?);
        begin(&text(0), outlives, post).map_err(refused)
    });
    serve_by(begin.as_ref());
    // The worker's own end is the end of it.
    begin.forget();
}

fn begin(config: &str, outlives: bool, post: Function) -> Result<JsValue, Error> {
    let origin = get(&global(), "location").ok().and_then(|location| text(&location, "origin")).unwrap_or_default();
    let (memory, frames) = (Rc::new(Memory::new(post.clone())), Rc::new(RemoteFrames::new(post)));
    let pages = Pages::open(&Config::from_json(config)?, worker_ports(memory.clone(), frames.clone(), outlives), &origin)?;
    let keep = Call::new(move |method: String, arguments: Array| {
        let [one, two, three] = [0, 1, 2].map(|index| arguments.get(index));
        match method.as_str() {
            "join" => {
                let framed_by = match one.as_string().as_deref() {
                    Some("nobody") => FramedBy::Nobody,
                    Some("this_origin") => FramedBy::ThisOrigin,
                    _ => FramedBy::AnotherOrigin,
                };
                let page = Rc::new(RemotePage::new(origin.clone(), framed_by, two.dyn_into()?));
                return Ok(joined(pages.join(page.clone()), page, three.dyn_into()?));
            }
            "note" => memory.note(one.as_string().unwrap_or_default(), two.as_string()),
            "frame" => frames.happened(one.as_f64().unwrap_or_default() as i32, two),
            "forget" => pages.forget(),
            _ => {}
        }
        Ok(JsValue::UNDEFINED)
    });
    let told = object(keep.as_ref());
    keep.forget();
    Ok(told)
}

/// One page, until it is freed.
fn joined(client: Client, page: Rc<RemotePage>, tell: Function) -> JsValue {
    let tell = move |told: String| {
        // A page that is gone hears nothing.
        let _ = tell.call1(&JsValue::UNDEFINED, &told.into());
    };
    let (states, events) = (tell.clone(), tell);
    let listening: [Subscription; 2] = [
        client.on_state(move |state: &State| states(state.write().to_string())),
        client.on_event(move |event: &Event| events(event.write().to_string())),
    ];
    let held: Rc<RefCell<Option<Call>>> = Rc::default();
    let own = held.clone();
    let call = Call::new(move |method: String, arguments: Array| {
        let _ = &listening;
        let one = arguments.get(0);
        let given = || one.as_string().unwrap_or_default();
        Ok(match method.as_str() {
            "at" => {
                page.is_at(given());
                JsValue::UNDEFINED
            }
            "woke" => {
                page.woke(match given().as_str() {
                    "online" => Wake::Online,
                    "pageshow" => Wake::Returned,
                    _ => Wake::Visible,
                });
                JsValue::UNDEFINED
            }
            #[cfg(feature = "limits")]
            "active" => {
                page.active(one.as_f64().unwrap_or_default());
                JsValue::UNDEFINED
            }
            "state" => written(&client.state()),
            "signed_out_just_now" => client.signed_out_just_now().into(),
            "response_is_left" => page.is_left().into(),
            "sign_in" => {
                let work = SignIn::from_json(&given()).map(|sign_in| client.sign_in(sign_in));
                promise(async move { work?.await.map(|()| JsValue::UNDEFINED) })
            }
            "finish_sign_in" => told(client.finish_sign_in()),
            #[cfg(feature = "popup")]
            "begin_popup" | "finish_popup" | "end_popup" => super::popup::answer(&client, &method, &given(), arguments.get(1)),
            "access_token" => {
                let work = client.access_token(&given());
                promise(async move { work.await.map(|token| token.expose().into()) })
            }
            #[cfg(feature = "check-session")]
            "check_session" => {
                let work = client.check_session(&given(), &arguments.get(1).as_string().unwrap_or_default());
                promise(async move { Ok(super::wire::written_if_any(work.await?)) })
            }
            "user_info" => told(client.user_info()),
            "renew" => told(client.renew()),
            "sign_out" => {
                let work = client.sign_out(if one.is_truthy() { SignOut::Local } else { SignOut::Provider });
                promise(async move { work.await.map(|()| JsValue::UNDEFINED) })
            }
            "front_channel_logout" => {
                let work = client.front_channel_logout();
                promise(async move { Ok(work.await.into()) })
            }
            #[cfg(feature = "step-up")]
            "step_up" => written(&client.step_up().map_or(Event::StepUpSettled, Event::StepUpNeeded)),
            #[cfg(feature = "step-up")]
            "decline_step_up" => {
                client.decline_step_up();
                JsValue::UNDEFINED
            }
            "fetch" => {
                let forward = Rc::new(Forward::new(one.clone()).unless_gone(arguments.get(2)));
                let head = forward.head()?;
                let head = if arguments.get(1).is_truthy() { head.once() } else { head };
                let work = client.fetch_by(Some(forward.clone()), head);
                promise(async move { work.await.map(|_| forward.answer().into()) })
            }
            // It is dropped when this call has ended.
            "free" => {
                own.take();
                JsValue::UNDEFINED
            }
            _ => JsValue::UNDEFINED,
        })
    });
    let handle = object(call.as_ref());
    *held.borrow_mut() = Some(call);
    handle
}

fn told<T: Wire + 'static>(work: impl Future<Output = Result<T, Error>> + 'static) -> JsValue {
    promise(async move { work.await.map(|value| written(&value)) })
}

fn refused(error: impl Into<Error>) -> JsValue {
    written(&error.into())
}
