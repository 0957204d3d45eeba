// The entry for a screen without a keyboard: `open` with `signInByDevice`. Its keep is in the page, because such a screen shows one page.

import { opener } from "./auth.js";
import { extended } from "./calls.js";

export { AuthError } from "./error.js";

export const open = /* @__PURE__ */ opener(["page"], {
  load: () => import("./wasm/device.js"),
  located: () => new URL("./wasm/device_bg.wasm", import.meta.url),
  extend: (auth, call) => {
    extended(auth, call);
    auth.signInByDevice = ({ signal } = {}) => begin(call, signal);
  },
});

async function begin(call, signal) {
  signal?.throwIfAborted();
  const signIn = await call((handle) => handle.sign_in_by_device());
  if (signal?.aborted) {
    // Whoever joined it goes on.
    signIn.free();
    throw signal.reason;
  }
  const cancel = () => signIn.cancel();
  signal?.addEventListener("abort", cancel);
  const finished = call(() => signIn.finished())
    .catch((why) => {
      throw signal?.aborted ? signal.reason : why;
    })
    .finally(() => {
      signal?.removeEventListener("abort", cancel);
      signIn.free();
    });
  // Not everybody awaits it: what failed is in the session.
  finished.catch(() => {});
  return Object.freeze({ ...JSON.parse(signIn.shown()), finished });
}
