import { AuthError } from "tokenkeep/session";

import type { App } from "../app.js";
import { type Child, h } from "../dom.js";
import { go, page, path } from "../router.js";
import { part } from "../source.js";

/** Where the provider sends the user back to. What failed stands above the page, with a button to try again. */
export function callback({ auth }: App): Child {
  // The same answer as in `main.ts`: one response is handled once.
  void auth.finishSignIn().then(
    (finished) => leave("returnTo" in finished ? finished.returnTo : "/"),
    (error: unknown) => {
      // Nobody comes here on purpose: an old address, or a response that was handled before.
      if (error instanceof AuthError && error.code === "already_used") leave("/");
    },
  );
  return page(
    "Sign-in",
    part(
      auth,
      ({ status }) => status === "failed",
      (failed) =>
        failed
          ? h("p", { class: "lead" }, "Nobody is signed in.")
          : h("p", { class: "lead", role: "status" }, "Signing you in…"),
    ),
  );
}

function leave(place: string): void {
  if (path.getSnapshot() === "/callback") go(place, "replace");
}
