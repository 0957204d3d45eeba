import type { SignInOptions } from "tokenkeep/session";

import type { App } from "../app.js";
import { type Child, h } from "../dom.js";
import { problem, troubleOf } from "../problem.js";
import { page } from "../router.js";

/** The app's `initiate_login_uri`: a portal, or the provider's own page, sends users here who shall sign in. */
export function initiate({ auth, issuer }: App): Child {
  const shown = h("div", {});
  const show = (...children: Child[]) => shown.replaceChildren(h("div", {}, ...children));
  const { href, search } = location;
  // Or the way back from the provider would lead there again.
  if (search) history.replaceState(history.state, "", "/initiate");
  auth.initiatedSignIn(href).then(
    async (asked) => {
      if (!asked) {
        const apps = h("a", { id: "apps", href: `${issuer}/`, rel: "external" }, "your apps");
        show(h("p", {}, "Nobody asks for a sign-in here now. Begin at the provider: ", apps, "."));
        return;
      }
      show(h("p", { role: "status" }, "The provider asks you to sign in", ...hinted(asked), "."));
      await known(auth);
      if (auth.session.status !== "signed_in") {
        // What goes wrong is in `auth.session`, and so on the page.
        await auth.signIn(asked).catch(() => {});
      } else {
        show(h("p", {}, "You are signed in already. ", h("a", { href: `${asked.returnTo}` }, "Go on")));
      }
    },
    (error: unknown) => show(problem("This is no sign-in for this app", troubleOf(error))),
  );
  return page(
    "Opened from elsewhere",
    h(
      "p",
      { class: "lead" },
      "A portal, or the provider’s own page, opens the app with ",
      h("code", {}, "iss"),
      ", ",
      h("code", {}, "login_hint"),
      " and ",
      h("code", {}, "target_link_uri"),
      " in the address. The app signs the user in by itself: at its own provider and no other, and then shows a page of its own and no other.",
    ),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "For"),
      h("dd", {}, "an app that is opened from a list of apps, and shall not ask for a click then."),
      h("dt", {}, "Not for"),
      h("dd", {}, "an app that nobody opens from elsewhere: whoever makes such a link starts a sign-in."),
    ),
    shown,
  );
}

function hinted({ loginHint }: SignInOptions): Child[] {
  return loginHint === undefined ? [] : [" as ", h("strong", {}, loginHint)];
}

/** Who is signed in here is found out first, and signed in by nobody else's wish. */
function known(auth: App["auth"]): Promise<void> {
  return new Promise((resolve) => {
    const look = () => auth.session.status !== "unknown" && resolve();
    auth.subscribe(look);
    look();
  });
}
