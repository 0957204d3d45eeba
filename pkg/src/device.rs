//! The entry `tokenkeep/device`: sign-in on another device. `device.js` makes it what `device.d.ts` promises.

use js_sys::Promise;
use tokenkeep::protocol::Json;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{client::Handle, promise};

/// A sign-in on another device, until it is freed.
#[wasm_bindgen]
pub struct DeviceSignIn(tokenkeep::DeviceSignIn);

#[wasm_bindgen]
impl Handle {
    /// Begins a sign-in on another device; gives a [`DeviceSignIn`].
    pub fn sign_in_by_device(&self) -> Promise {
        promise(self.client.sign_in_by_device(), |sign_in| DeviceSignIn(sign_in).into())
    }
}

#[wasm_bindgen]
impl DeviceSignIn {
    /// What is shown, as JSON.
    pub fn shown(&self) -> String {
        let DeviceSignIn(sign_in) = self;
        Json::object(vec![
            ("userCode", Some(sign_in.user_code().into())),
            ("verificationUri", Some(sign_in.verification_uri().into())),
            ("verificationUriComplete", sign_in.verification_uri_complete().map(Json::from)),
            ("expiresAt", Some(sign_in.expires().as_millis().into())),
            ("qrSvg", sign_in.qr_svg().map(|svg| svg.as_str().into())),
        ])
        .to_string()
    }

    /// Waits until somebody has signed in.
    pub fn finished(&self) -> Promise {
        promise(self.0.finished(), |_| JsValue::UNDEFINED)
    }

    /// Gives it up.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}
