// What an app imports. Nothing runs at import.

import { opener } from "./auth.js";

export { AuthError } from "./error.js";

export const open = /* @__PURE__ */ opener(["shared", "worker", "page"], {
  load: () => import("./wasm/tokenkeep.js"),
  // Where the wasm and the worker are, unless the app says.
  located: () => new URL("./wasm/tokenkeep_bg.wasm", import.meta.url),
  script: () => new URL("./wasm/keep.js", import.meta.url),
});
