// The entry for what is around a session: `open` with step-up and limits, whose `auth` `tokenkeep/popup` and `tokenkeep/check-session` take.

import { opener } from "./auth.js";
import { extended } from "./calls.js";

export { AuthError } from "./error.js";

export const open = /* @__PURE__ */ opener(["shared", "worker", "page"], {
  load: () => import("./wasm/session.js"),
  located: () => new URL("./wasm/session_bg.wasm", import.meta.url),
  script: () => new URL("./wasm/session-keep.js", import.meta.url),
  extend: extended,
});
