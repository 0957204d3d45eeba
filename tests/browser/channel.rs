//! BroadcastChannel.

use std::{cell::RefCell, rc::Rc};

use tokenkeep::{
    browser::Broadcast,
    keep::ports::{Channel, Line},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, js, until};

type Heard = Rc<RefCell<Vec<String>>>;

fn open(name: &str) -> (Box<dyn Line>, Heard) {
    let heard: Heard = Rc::default();
    let hearing = heard.clone();
    (Broadcast.open(name, Rc::new(move |text| hearing.borrow_mut().push(text))).unwrap(), heard)
}

#[test]
async fn all_others_hear_it_in_order_and_oneself_does_not() {
    let ((one, at_one), (two, at_two)) = (open("test-1"), open("test-1"));
    let (_elsewhere, at_elsewhere) = open("test-1-other");
    one.post("a");
    one.post("b");
    two.post("c");
    until(|| at_two.borrow().len() == 2 && at_one.borrow().len() == 1).await;
    assert_eq!((&*at_one.borrow(), &*at_two.borrow()), (&vec!["c".to_owned()], &vec!["a".to_owned(), "b".to_owned()]));
    assert!(at_elsewhere.borrow().is_empty());
}

#[test]
async fn what_is_no_text_is_not_heard() {
    let (_line, heard) = open("test-2");
    js("globalThis.raw = new BroadcastChannel('test-2');
        for (const data of [1, null, undefined, {}, ['text'], new String('text'), new Uint8Array(2), 'text']) raw.postMessage(data);
        raw.close()");
    until(|| !heard.borrow().is_empty()).await;
    assert_eq!(*heard.borrow(), ["text"]);
}

#[test]
async fn a_line_that_was_dropped_hears_and_says_nothing() {
    let ((line, at_line), (other, at_other), (third, _)) = (open("test-3"), open("test-3"), open("test-3"));
    line.post("before");
    other.post("before");
    until(|| at_other.borrow().len() == 1 && at_line.borrow().len() == 1).await;
    js(
        "globalThis.kept = BroadcastChannel.prototype.close; BroadcastChannel.prototype.close = function () { globalThis.dropped = this; kept.call(this); }",
    );
    drop(line);
    js("BroadcastChannel.prototype.close = kept");
    // Closed, and without the listener: it would throw.
    js("dropped.dispatchEvent(new MessageEvent('message', { data: 'after' }))");
    assert!(js("try { dropped.postMessage('x'); false } catch { true }").is_truthy());
    third.post("after");
    until(|| at_other.borrow().len() == 2).await;
    assert_eq!(*at_line.borrow(), ["before"]);
}

#[test]
async fn a_line_may_be_dropped_by_what_it_hears() {
    let line: Rc<RefCell<Option<Box<dyn Line>>>> = Rc::default();
    let dropping = line.clone();
    *line.borrow_mut() = Broadcast.open("test-4", Rc::new(move |_| drop(dropping.borrow_mut().take())));
    let (other, _) = open("test-4");
    other.post("a");
    until(|| line.borrow().is_none()).await;
}

#[test]
fn without_channels_there_is_no_line() {
    for missing in ["return undefined", "return function () { throw 'a string' }", "throw 'a string'"] {
        let _missing = Replaced::new("BroadcastChannel", missing);
        assert!(Broadcast.open("test-5", Rc::new(|_| ())).is_none(), "{missing}");
    }
}

#[test]
fn a_replaced_channel_cannot_break_us() {
    let _replaced = Replaced::new("BroadcastChannel", "return function () { this.postMessage = () => { throw 'a string' } }");
    if let Some(line) = Broadcast.open("test-6", Rc::new(|_| ())) {
        line.post("a");
    }
}
