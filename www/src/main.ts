// A single-page app that signs its user in, shows who that is, and calls an API for them. All that is about signing in is here; what
// the app shows is in `app.ts` and `pages/`.

import { open } from "tokenkeep/session";

import { show } from "./app.js";
import { type Config, load, troubleInConfig, wrongConfig } from "./config.js";
import { h } from "./dom.js";
import { Log } from "./log.js";
import { idleOptions } from "./pages/idle.js";
import { problem, troubleOf } from "./problem.js";
import { start } from "./router.js";

document.body.replaceChildren(h("p", { class: "splash", role: "status" }, "Loading…"));

try {
  await begin(await load());
} catch (error) {
  const wrong = troubleInConfig(error);
  document.body.replaceChildren(wrong ? wrongConfig(wrong) : broken(error));
}

async function begin({ options, issuer, api }: Config): Promise<void> {
  // Not finished at once, so that the log hears of it from the very start.
  const auth = await open({ ...options, ...idleOptions(), finishSignIn: false });
  const log = new Log();
  auth.on("*", (event) => log.note(event));
  // What comes of it is in `auth.session`, and `pages/callback.ts` goes on.
  auth.finishSignIn().catch(() => {});
  start();
  document.body.replaceChildren(...show(auth, log, options, issuer, api));
}

function broken(error: unknown): HTMLElement {
  return h(
    "main",
    { id: "main", class: "alone" },
    h("h1", {}, "The app did not start"),
    problem("It could not be loaded", troubleOf(error)),
  );
}
