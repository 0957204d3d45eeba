//! The clocks, and the event loop.

use std::{cell::Cell, rc::Rc, time::Duration};

use tokenkeep::{
    browser::{BrowserClock, EventLoop},
    keep::ports::{Clock, Tasks},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, until};

#[test]
async fn the_clocks_run_and_pause() {
    let (before, steady) = (BrowserClock.now(), BrowserClock.steady());
    assert!(before.as_secs() > 1_700_000_000);
    BrowserClock.sleep(Duration::from_millis(20)).await;
    assert!(BrowserClock.now().since(before) >= Duration::from_millis(19));
    assert!(BrowserClock.steady() - steady >= Duration::from_millis(18));
}

#[test]
fn the_steady_clock_is_not_the_wall_clock() {
    let steady = BrowserClock.steady();
    let _set = Replaced::new("Date", "return { now: () => 1e15 }");
    assert!(BrowserClock.steady() - steady < Duration::from_secs(60));
}

#[test]
fn a_broken_steady_clock_stands_still() {
    for broken in ["return undefined", "return { now: () => NaN }", "return { now: () => -1 }", "return { now() { throw 'a string' } }"] {
        let _broken = Replaced::new("performance", broken);
        assert_eq!(BrowserClock.steady(), Duration::ZERO, "{broken}");
    }
}

#[test]
async fn work_that_nobody_awaits_is_done() {
    let done: Rc<Cell<bool>> = Rc::default();
    let doing = done.clone();
    EventLoop.spawn(Box::pin(async move {
        BrowserClock.sleep(Duration::ZERO).await;
        doing.set(true);
    }));
    until(|| done.get()).await;
}
