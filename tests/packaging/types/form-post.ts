// What an app may write whose answers come by POST.

import { ready, takePosted } from "tokenkeep/form-post";
import type { ReadyOptions } from "tokenkeep/form-post";
import { receiveFormPost } from "tokenkeep/form-post-shim";

import { is } from "./same.js";

export async function inThePage(): Promise<URLSearchParams | undefined> {
  const options: ReadyOptions = { script: new URL("/form-post-worker.js", location.href) };
  is<void>()(await ready(new URL("/callback", location.href), options));
  await ready("/callback", { script: "/form-post-worker.js" });
  await ready("/callback");
  const fields = await takePosted();
  is<string | undefined>()(fields);
  return fields === undefined ? undefined : new URLSearchParams(fields);
}

/** As in `@types/node`. */
interface Incoming {
  method?: string | undefined;
  headers: { "content-type"?: string | undefined; [name: string]: string | string[] | undefined };
  iterator(options?: { destroyOnReturn?: boolean }): AsyncIterator<unknown>;
}

interface Outgoing {
  writeHead(status: number, headers?: Record<string, string | number>): this;
  end(text: string, then?: () => void): this;
}

export const onTheServer = (request: Incoming, response: Outgoing, next: (error?: unknown) => void) =>
  receiveFormPost(request, response, next);
