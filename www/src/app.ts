// What every page of the app shows, and what the pages need.

import type { Auth, Options } from "tokenkeep/session";

import { Api } from "./api.js";
import { h } from "./dom.js";
import { header } from "./header.js";
import { type Log, eventLog } from "./log.js";
import { apiPage } from "./pages/api.js";
import { callback } from "./pages/callback.js";
import { doctor } from "./pages/doctor.js";
import { frontChannelLogout } from "./pages/front-channel-logout.js";
import { home } from "./pages/home.js";
import { initiate } from "./pages/initiate.js";
import { monitor } from "./pages/monitor.js";
import { idle, idleSoon, watchIdle } from "./pages/idle.js";
import { inReact } from "./pages/in-react.js";
import { notFound } from "./pages/not-found.js";
import { orders } from "./pages/orders.js";
import { popup } from "./pages/popup.js";
import { profile } from "./pages/profile.js";
import { session } from "./pages/session.js";
import { stepUp } from "./pages/step-up.js";
import { signInProblem } from "./problem.js";
import { type Countdown, countdown, signInAgain } from "./renewal.js";
import { path } from "./router.js";
import { part } from "./source.js";

export interface App {
  auth: Auth;
  /** What `open` was given. */
  options: Options;
  api: Api;
  log: Log;
  issuer: string;
  /** One for all that show it. */
  left: Countdown;
}

const PAGES: Readonly<Record<string, typeof home>> = {
  "/": home,
  "/profile": profile,
  "/api": apiPage,
  "/orders": orders,
  "/session": session,
  "/doctor": doctor,
  "/popup": popup,
  "/initiate": initiate,
  "/monitor": monitor,
  "/step-up": stepUp,
  "/idle": idle,
  "/callback": callback,
  "/front-channel-logout": frontChannelLogout,
  "/react.html": inReact,
};

export function show(auth: Auth, log: Log, options: Options, issuer: string, apiUrl: string): Node[] {
  watchIdle(auth);
  const app: App = { auth, options, api: new Api(auth, apiUrl, log), log, issuer, left: countdown(auth) };
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
      h("main", { id: "main", tabindex: "-1" }, signInProblem(auth, issuer), signInAgain(auth), idleSoon(auth), pages),
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
