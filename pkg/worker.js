// The worker of the package: where its wasm is, the first page says. Its name has that in it, so all pages say the same.

import { serve } from "./keep.js";
import load, { keep } from "./wasm/tokenkeep.js";

serve(async (config, wasm, outlives, post) => {
  const refuse = (message) => {
    throw JSON.stringify({ code: "wasm_unavailable", kind: "misconfigured", retryable: false, message });
  };
  if (typeof wasm === "string" && new URL(wasm, location.href).origin !== location.origin) {
    refuse("the wasm is of another origin than the worker");
  }
  await load({ module_or_path: wasm }).catch((cause) => refuse(`the wasm was not loaded, see "Bundlers" in the README: ${cause}`));
  return keep(config, location.origin, outlives, post);
});
