// Sign-in in a window of its own, for an `auth` of `tokenkeep/session`. Described in popup.d.ts.

import { callOf } from "./calls.js";
import { expect, json, own } from "./options.js";
import { popUp } from "./popup-window.js";

// Not a word is awaited before the window is opened.
export async function signInWithPopup(auth, options = {}) {
  const { signal, otherwise, ...asked } = own(options);
  const work = callOf(auth);
  if (work === undefined) {
    expect("auth", null);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    expect("signal", null);
  }
  if (otherwise !== undefined && otherwise !== "redirect") {
    expect("otherwise", null);
  }
  const call = (method, ...rest) => work((handle) => handle[method](...rest));
  if (typeof window === "undefined") {
    return call("begin_popup", "{}");
  }
  await popUp(call, json(asked), signal, otherwise && (() => auth.signIn(asked)));
  return auth.session;
}
