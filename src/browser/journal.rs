//! [`indexedDB`](https://developer.mozilla.org/docs/Web/API/IndexedDB_API): what all tabs agree on, because a change is a transaction.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use wasm_bindgen::JsValue;

use super::{
    Arg::{Text, Value},
    call, get, global,
    listener::{Listener, function},
    name_of,
    queue::Queue,
    text,
};
use crate::keep::ports::{Answer, Change, Journal, StoreFailure};

const DATABASE: &str = "tokenkeep";
const STORE: &str = "journal";

/// What all tabs of this browser at this origin agree on.
///
/// It is opened anew for each update: a connection that stays open stops other tabs from upgrading the database, and a page from
/// entering the back/forward cache.
#[derive(Clone, Copy, Debug)]
pub struct IndexedDb;

impl Journal for IndexedDb {
    fn update<'a>(&'a self, key: &'a str, change: Change) -> Answer<'a, Result<(), StoreFailure>> {
        let update = Rc::new(Update { key: key.into(), change: RefCell::new(Some(change)), ..Update::default() });
        Box::pin(async move {
            let mut outcome = update.run().await;
            // A browser loses a connection now and then; but a change is asked for once.
            if outcome.is_err() && update.change.borrow().is_some() {
                outcome = update.run().await;
            }
            outcome.map_err(|thrown| match name_of(&thrown).as_str() {
                "QuotaExceededError" => StoreFailure::Full,
                _ => StoreFailure::Blocked,
            })
        })
    }
}

#[derive(Default)]
struct Update {
    key: JsValue,
    change: RefCell<Option<Change>>,
    ended: Queue,
    listeners: RefCell<Vec<Listener>>,
}

impl Update {
    async fn run(self: &Rc<Update>) -> Result<(), JsValue> {
        let opening = call(&get(&global(), "indexedDB")?, "open", &[Text(DATABASE)])?;
        // Who opens a database has to close it, even if nobody waits for it by then: so this outlives the update.
        let update = Rc::downgrade(self);
        let heard = function(move |event| {
            opened(&update, &event);
            JsValue::UNDEFINED
        });
        for event in ["upgradeneeded", "success", "error", "blocked"] {
            call(&opening, "addEventListener", &[Text(event), Value(&heard)])?;
        }
        let outcome = self.ended.next().await;
        if outcome == JsValue::TRUE { Ok(()) } else { Err(outcome) }
    }

    /// Begins the transaction; the rest happens in its events.
    fn begin(self: &Rc<Update>, database: &JsValue) -> Result<(), JsValue> {
        let transaction = call(database, "transaction", &[Text(STORE), Text("readwrite")])?;
        let store = call(&transaction, "objectStore", &[Text(STORE)])?;
        let reading = call(&store, "get", &[Value(&self.key)])?;
        let listener = |(target, event)| {
            let (update, store) = (Rc::downgrade(self), store.clone());
            Listener::new(target, event, move |event| {
                if let Some(update) = update.upgrade() {
                    update.hear(&store, &event);
                }
            })
        };
        let heard = [(&reading, "success"), (&transaction, "complete"), (&transaction, "abort")];
        *self.listeners.borrow_mut() = heard.map(listener).into();
        Ok(())
    }

    fn hear(&self, store: &JsValue, event: &JsValue) {
        match kind_of(event).as_str() {
            "success" => {
                let text = of_target(event, "result").ok().and_then(|text| text.as_string());
                let change = self.change.take();
                if let Some(text) = change.and_then(|change| change(text))
                    && let Err(thrown) = call(store, "put", &[Text(&text), Value(&self.key)])
                {
                    self.ended.push(thrown);
                }
            }
            "complete" => self.ended.push(JsValue::TRUE),
            _ => self.ended.push(of_target(event, "error").unwrap_or_default()),
        }
    }
}

fn opened(update: &Weak<Update>, event: &JsValue) {
    let (kind, update) = (kind_of(event), update.upgrade());
    let outcome = of_target(event, "result").and_then(|database| match kind.as_str() {
        "upgradeneeded" => call(&database, "createObjectStore", &[Text(STORE)]).map(|_| ()),
        "success" => {
            let begun = update.as_ref().map_or(Ok(()), |update| update.begin(&database));
            // A transaction that has begun ends first.
            call(&database, "close", &[]).and(begun)
        }
        _ => Err(of_target(event, "error").unwrap_or_default()),
    });
    if let (Some(update), Err(thrown)) = (update, outcome) {
        if kind == "blocked" {
            // Opening it again would wait behind this.
            update.change.take();
        }
        update.ended.push(thrown);
    }
}

fn kind_of(event: &JsValue) -> String {
    text(event, "type").unwrap_or_default()
}

fn of_target(event: &JsValue, member: &str) -> Result<JsValue, JsValue> {
    get(&get(event, "target")?, member)
}
