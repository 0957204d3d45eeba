// What every page of the app shows, and what the pages need.

import type { Auth } from "tokenkeep";

import { Api } from "./api.js";
import { h } from "./dom.js";
import { header } from "./header.js";
import { type Log, eventLog } from "./log.js";
import { apiPage } from "./pages/api.js";
import { callback } from "./pages/callback.js";
import { frontChannelLogout } from "./pages/front-channel-logout.js";
import { home } from "./pages/home.js";
import { inReact } from "./pages/in-react.js";
import { notFound } from "./pages/not-found.js";
import { orders } from "./pages/orders.js";
import { profile } from "./pages/profile.js";
import { signInProblem } from "./problem.js";
import { type Countdown, countdown, signInAgain } from "./renewal.js";
import { path } from "./router.js";
import { part } from "./source.js";

export interface App {
  auth: Auth;
  api: Api;
  /** One for all that show it. */
  left: Countdown;
}

const PAGES: Readonly<Record<string, typeof home>> = {
  "/": home,
  "/profile": profile,
  "/api": apiPage,
  "/orders": orders,
  "/callback": callback,
  "/front-channel-logout": frontChannelLogout,
  "/react.html": inReact,
};

export function show(auth: Auth, log: Log, issuer: string, apiUrl: string): Node[] {
  const app: App = { auth, api: new Api(auth, apiUrl, log), left: countdown(auth) };
  const pages = part(
    path,
    (at) => (Object.hasOwn(PAGES, at) ? PAGES[at] : undefined) ?? notFound,
    (make) => make(app),
  );
  return [
    h("a", { class: "skip", href: "#main", rel: "external" }, "Skip to content"),
    header(app),
    h(
      "div",
      { class: "columns" },
      h("main", { id: "main", tabindex: "-1" }, signInProblem(auth, issuer), signInAgain(auth), pages),
      eventLog(log),
    ),
    h(
      "footer",
      {},
      "Talks to the provider ",
      h("code", {}, issuer),
      ", as ",
      h("a", { href: "/config.json", rel: "external" }, "/config.json"),
      " says. There is a page ",
      h("a", { href: "/react.html" }, "in React"),
      ", too.",
    ),
  ];
}
