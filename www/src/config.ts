// `/config.json`: which provider and which API the app talks to. The same build can be pointed at any.

import { AuthError, type Options } from "tokenkeep/session";

import example from "../../demo/config.json?raw";
import { button, h } from "./dom.js";
import { type Trouble, sentence, troubleOf } from "./problem.js";

/** What the members of the file are called in the options of `open`. */
const OPTIONS: Readonly<Record<string, keyof Options>> = {
  api: "api",
  audience: "audience",
  client_id: "clientId",
  clock_leeway_seconds: "clockLeewaySeconds",
  dangerous_front_channel_logout_without_session: "dangerousFrontChannelLogoutWithoutSession",
  dpop: "dpop",
  id_token_hint: "idTokenHint",
  idle_limit_seconds: "idleLimitSeconds",
  idle_warning_seconds: "idleWarningSeconds",
  issuer: "issuer",
  oauth_only: "oauthOnly",
  popup_redirect_path: "popupRedirectPath",
  popup_redirect_uri: "popupRedirectUri",
  post_logout_redirect_path: "postLogoutRedirectPath",
  post_logout_redirect_uri: "postLogoutRedirectUri",
  redirect_path: "redirectPath",
  redirect_uri: "redirectUri",
  renew_by_frame: "renewByFrame",
  renew_by_redirect: "renewByRedirect",
  resource: "resource",
  response_mode: "responseMode",
  scopes: "scopes",
  step_up: "stepUp",
  session_limit_seconds: "sessionLimitSeconds",
  trusted_audiences: "trustedAudiences",
  user_info: "userInfo",
};

/** What the file says. */
export interface Config {
  options: Options;
  issuer: string;
  /** The API that the pages call: the first, if there are several. */
  api: string;
}

/** Why there is no app. */
class WrongConfig extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export async function load(): Promise<Config> {
  const answer = await fetch("/config.json", { cache: "no-store", credentials: "omit" }).catch(() => {
    throw new WrongConfig("unreachable", "the server gave no answer");
  });
  if (!answer.ok) throw new WrongConfig("config_status", `the server answered ${answer.status} instead of the file`);
  const text = await answer.text();
  // A server of a single-page app answers so for every file that it does not have.
  if (text.trimStart().startsWith("<")) {
    throw new WrongConfig(
      "config_missing",
      "there is no such file: the server answered with a web page, as it does for whatever it does not have",
    );
  }
  return read(text);
}

function read(text: string): Config {
  const members = parse(text);
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) {
    if (name === "client_secret") {
      throw new WrongConfig(
        "client_secret",
        "a page cannot keep a `client_secret`: remove it, and register the app at the provider as a public client with PKCE",
      );
    }
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (!option) throw new WrongConfig("option_unknown", `there is no option of this name (option: ${name})`);
    options[option] = value;
  }
  const { issuer, api } = members;
  const firstApi = Array.isArray(api) ? api[0] : api;
  if (firstApi === undefined) throw new WrongConfig("option_missing", "an option that is required is not there (option: api)");
  // Where nothing says how a user signed in, no call waits for that.
  if (options.oauthOnly !== true) options.stepUp ??= true;
  // `open` looks at the type of each, and says which is wrong.
  return { options: options as unknown as Options, issuer: String(issuer), api: String(firstApi) };
}

function parse(text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new WrongConfig("config_malformed", "the configuration must be one JSON object (why: not JSON)");
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new WrongConfig("config_malformed", "the configuration must be one JSON object (why: not a JSON object)");
  }
  return document as Record<string, unknown>;
}

/** Whether the file is why there is no app, and what is wrong with it, in the file's own words. */
export function troubleInConfig(thrown: unknown): Trouble | undefined {
  if (thrown instanceof WrongConfig) return { code: thrown.code, message: thrown.message };
  if (!(thrown instanceof AuthError) || thrown.kind !== "misconfigured") return undefined;
  const { code, message } = troubleOf(thrown);
  return { code, message: Object.entries(OPTIONS).reduce((said, [name, option]) => said.replaceAll(option, name), message) };
}

/** Says what is wrong with the file, and what a right one looks like. */
export function wrongConfig(trouble: Trouble): HTMLElement {
  const fact = (name: string, ...about: (Node | string)[]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, ...about)];
  return h(
    "main",
    { id: "main", class: "alone" },
    h("h1", {}, "The app has no configuration"),
    h(
      "div",
      { class: "problem", role: "alert", id: "problem", "data-code": trouble.code },
      h("p", {}, h("code", {}, "/config.json"), " cannot be used. ", sentence(trouble.message)),
      h("p", { class: "quiet" }, "Code: ", h("code", {}, trouble.code)),
    ),
    h("h2", {}, "How to fix it"),
    h(
      "p",
      {},
      "Serve a file like this one as ",
      h("code", {}, "/config.json"),
      ", with the values of your provider. In this repository it is ",
      h("code", {}, "demo/config.json"),
      ", and Vite copies it.",
    ),
    h("pre", { tabindex: "0" }, example),
    h(
      "dl",
      { class: "facts" },
      fact("issuer", "The provider’s URL, exactly as the provider writes it."),
      fact(
        "client_id",
        "What the provider calls this app. It is registered there as a public client, with the redirect URI ",
        h("code", {}, `${location.origin}/callback`),
        ".",
      ),
      fact("api", "The API to call, or a list of them. Nothing else gets the access token."),
      fact("scopes", "What to ask for: ", h("code", {}, "openid profile"), " if you leave it out."),
      fact("resource", "Which API the access token is for, if your provider wants to know."),
    ),
    button("Try again", () => location.reload(), { class: "main" }),
  );
}
