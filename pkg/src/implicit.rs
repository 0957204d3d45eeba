//! The entry `tokenkeep/form-post`: who the user is, and nothing else. `form-post.js` makes it what `form-post.d.ts` promises.

use js_sys::Promise;
use tokenkeep::{
    Config, Error, SignIn,
    browser::ports,
    implicit::{self, Identity},
    protocol::Json,
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{json, promise, thrown};

/// What finds out who the user is.
#[wasm_bindgen]
pub struct IdTokenSignIn(implicit::IdTokenSignIn);

#[wasm_bindgen]
impl IdTokenSignIn {
    /// For an app at this origin.
    ///
    /// # Errors
    /// The error, as JSON.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str, origin: &str) -> Result<IdTokenSignIn, JsValue> {
        let open = || implicit::IdTokenSignIn::open(&Config::from_json(options)?, ports(), origin);
        open().map(IdTokenSignIn).map_err(|error: Error| thrown(error))
    }

    /// Begins a sign-in; gives the URL to send the user to.
    pub fn begin(&self, options: &str, return_to: String) -> Promise {
        let work = SignIn::from_json(options).map(|sign_in| self.0.begin(sign_in, return_to));
        promise(async move { work?.await }, |url| url.expose().into())
    }

    /// Finishes a sign-in, if the address has a response of ours; gives who it is, as JSON.
    pub fn finish(&self, address: &str) -> Option<Promise> {
        let said = |Identity { claims, return_to }: Identity| {
            let said = Json::object(vec![("claims", Some(json::claims(&claims))), ("returnTo", Some((&return_to).into()))]);
            said.to_string().into()
        };
        self.0.finish(address).map(|identity| promise(identity, said))
    }
}
