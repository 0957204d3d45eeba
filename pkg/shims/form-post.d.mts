/**
 * Receives an authorization response that comes by POST (`response_mode=form_post`) on a Node server, and hands it to the app's page in the
 * same window, as `#tokenkeep_form=…`, which `takePosted` of `tokenkeep/form-post` understands. The server keeps and logs nothing of it.
 *
 * ```js
 * import { createServer } from "node:http";
 * import { receiveFormPost } from "tokenkeep/form-post-shim";
 *
 * createServer((request, response) => {
 *   const { pathname } = new URL(request.url, "http://app");
 *   if (pathname === "/callback") return receiveFormPost(request, response, () => serveTheApp(request, response));
 *   serveTheApp(request, response);
 * });
 *
 * app.all("/callback", receiveFormPost); // in Express, before anything that reads bodies
 * ```
 *
 * What is not POST goes to `next`, or gets 405 without one. A body of another type gets 415, one of more than 64 KiB gets 413.
 */
export function receiveFormPost(request: IncomingMessage, response: ServerResponse, next?: () => unknown): Promise<unknown>;

/** As much of `node:http` as is needed, so that types of Node are not. */
interface IncomingMessage {
  readonly method?: string | undefined;
  readonly headers: { readonly "content-type"?: string | undefined };
  iterator(options: { destroyOnReturn: boolean }): unknown;
}

interface ServerResponse {
  writeHead(status: number, headers: Record<string, string>): { end(text: string): unknown };
}

export {};
