//! [`navigator.locks`](https://developer.mozilla.org/docs/Web/API/Web_Locks_API): one tab at a time.

use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

use super::{
    Arg::{Is, Text, Value},
    abort::Abort,
    call, get, global,
    listener::function,
    object,
    queue::Queue,
};
use crate::keep::ports::{Acquire, Answer, Lock, LockFailure, Locks};

/// The locks of this browser at this origin.
#[derive(Clone, Copy, Debug)]
pub struct WebLocks;

impl Locks for WebLocks {
    fn acquire<'a>(&'a self, name: &'a str, how: Acquire) -> Answer<'a, Result<Box<dyn Lock>, LockFailure>> {
        Box::pin(async move {
            let patience = match how {
                Acquire::Steal => None,
                Acquire::Within(span) => Some(Abort::after(span).map_err(|_| LockFailure::Unsupported)?),
            };
            match acquire(name, patience.as_ref()).await {
                Ok(Some(held)) => Ok(Box::new(held) as Box<dyn Lock>),
                Ok(None) if patience.is_some_and(|patience| patience.is_over()) => Err(LockFailure::Held),
                _ => Err(LockFailure::Unsupported),
            }
        })
    }
}

async fn acquire(name: &str, patience: Option<&Abort>) -> Result<Option<Held>, JsValue> {
    let locks = get(&get(&global(), "navigator")?, "locks")?;
    let how = match patience {
        None => ("steal", Is(true)),
        Some(patience) => ("signal", Value(patience.signal())),
    };
    // The lock is ours until this promise is kept. Its guard exists before the lock: one that is granted when nobody awaits it any
    // more is given back at once.
    let mut release = None;
    let promise = JsValue::from(Promise::new(&mut |resolve, _| release = Some(resolve)));
    let held = Held(release.ok_or(JsValue::UNDEFINED)?);
    let outcome: Rc<Queue> = Rc::default();
    let granted = {
        let outcome = outcome.clone();
        function(move |_| {
            outcome.push(JsValue::TRUE);
            promise.clone()
        })
    };
    let ended = {
        let outcome = outcome.clone();
        function(move |_| {
            outcome.push(JsValue::FALSE);
            JsValue::UNDEFINED
        })
    };
    let request = call(&locks, "request", &[Text(name), Value(&object(&[how])?), Value(&granted)])?;
    // This is also what hears, and keeps to itself, that a lock was stolen.
    call(&request, "then", &[Value(&ended), Value(&ended)])?;
    Ok(outcome.next().await.is_truthy().then_some(held))
}

struct Held(Function);

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.call0(&JsValue::UNDEFINED);
    }
}
