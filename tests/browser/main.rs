//! The browser's own APIs behind the ports, in a real browser. `cargo test --target wasm32-unknown-unknown --test browser`.
// A native build has no browser to test.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod crypto;
mod fetch;
mod page;
mod storage;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Runs a text of JavaScript: what a test does to the page, or asks it.
fn js(code: &str) -> wasm_bindgen::JsValue {
    js_sys::eval(code).unwrap_or_else(|thrown| panic!("{code}: {thrown:?}"))
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
