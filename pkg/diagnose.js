// The doctor of an app: what is wrong between it and its provider. No wasm, and nothing runs at import. Described in diagnose.d.ts.

export { diagnose } from "./diagnose/browser.js";
