//! The browser's own APIs behind the ports, in a real browser. `cargo test --target wasm32-unknown-unknown --test browser`.
// A native build has no browser to test.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod channel;
mod clock;
mod crypto;
mod fetch;
mod frame;
mod journal;
mod locks;
mod navigation;
mod page;
mod storage;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Runs a text of JavaScript: what a test does to the page, or asks it.
fn js(code: &str) -> wasm_bindgen::JsValue {
    js_sys::eval(code).unwrap_or_else(|thrown| panic!("{code}: {thrown:?}"))
}

/// Shows another path in the address bar, and the whole address.
fn at(path: &str) -> String {
    js(&format!("history.replaceState({{ router: 1 }}, '', '{path}'); location.href")).as_string().unwrap()
}

/// Runs a text of JavaScript that makes a promise, and waits for it.
async fn js_async(code: &str) -> wasm_bindgen::JsValue {
    let promise = js(&format!("(async () => {{ {code} }})()"));
    let outcome = wasm_bindgen_futures::JsFuture::from(js_sys::Promise::from(promise)).await;
    outcome.unwrap_or_else(|thrown| panic!("{code}: {thrown:?}"))
}

/// Waits until something is so; if it never is, the test runs into its own time limit.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        js_async("await new Promise((done) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { port1.close(); done(); }; port2.postMessage(0); })").await;
    }
}

/// Replaces a property of the page's global object, until dropped.
struct Replaced(&'static str);

impl Replaced {
    fn new(name: &'static str, with: &str) -> Replaced {
        js(&format!(
            "globalThis.__kept_{name} = Object.getOwnPropertyDescriptor(globalThis, '{name}'); Object.defineProperty(globalThis, '{name}', {{configurable: true, get() {{ {with} }}}});"
        ));
        Replaced(name)
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        let name = self.0;
        js(&format!("if (__kept_{name}) Object.defineProperty(globalThis, '{name}', __kept_{name}); else delete globalThis.{name};"));
    }
}
