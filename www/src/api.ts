// The API: called with a token when somebody is signed in, and without one when nobody is.

import type { Auth } from "tokenkeep/session";

import type { Log } from "./log.js";
import { troubleOf } from "./problem.js";

export class Api {
  #auth: Auth;
  #base: string;
  #log: Log;

  constructor(auth: Auth, base: string, log: Log) {
    this.#auth = auth;
    this.#base = base.replace(/\/+$/, "");
    this.#log = log;
  }

  url(path: string): string {
    return this.#base + path;
  }

  /** Whether the next call carries a token. */
  get hasToken(): boolean {
    return this.#auth.session.status === "signed_in";
  }

  async get(path: string): Promise<Response> {
    const url = this.url(path);
    try {
      if (this.hasToken) return await this.#auth.fetch(url);
      const answer = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer", redirect: "error" });
      this.#log.add("ApiAnswered", `${answer.status} from ${url}`);
      return answer;
    } catch (error) {
      this.#log.add("Failed", troubleOf(error).code);
      throw error;
    }
  }
}
