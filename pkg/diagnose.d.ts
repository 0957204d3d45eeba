/**
 * The doctor: looks at the provider and at the app as a page of the app does, and says what is wrong and how to fix it.
 *
 * ```ts
 * import { diagnose } from "tokenkeep/diagnose";
 *
 * const findings = await diagnose({ issuer: "https://login.example.com", clientId: "my-app", api: "https://api.example.com/" });
 * for (const { severity, code, cause, fix } of findings) console.log(`${severity} ${code}: ${cause} ${fix}`);
 * ```
 *
 * In a page it sees what the page sees; a failed request is in the browser's console then, because it is one. In Node the same checks see more:
 * every header, and the authorization endpoint. `npx tokenkeep diagnose` is that, for a terminal and for CI.
 *
 * Nobody is signed in by it, and no secret is sent: the token endpoint gets a code that is made up and says so, as `Authorization` the APIs
 * and the UserInfo endpoint do, and a server may write that into its log as a failed attempt. Redirects of the authorization endpoint are
 * not followed.
 */

import type { Options } from "./index.js";

/** Looks, and says what it found, the worst first. An empty list: nothing to say. It does not reject for anything that a server does. */
export function diagnose(options: DiagnoseOptions): Promise<Finding[]>;

/** Those of `open`, by the same names. What is not for this is ignored. */
export interface DiagnoseOptions extends Partial<Options> {
  issuer: string;
  clientId: string;
  /** The app's origin, in Node: that of `redirectUri` if left out. In a page it is the page's own. */
  origin?: string;
}

/** Something that is wrong, or might be. */
export interface Finding {
  /** What a program compares. */
  readonly code: FindingCode;
  /** `error`: signing in, or calling the API, does not work. `warning`: something will not work, or protects less. `info`: to know. */
  readonly severity: "error" | "warning" | "info";
  /** What is the matter. A sentence or two, with code between back ticks. What a server said may be in it: not to be shown as HTML. */
  readonly cause: string;
  /** What to do. */
  readonly fix: string;
  /** At which URL. */
  readonly where?: string;
}

/** All codes. They stay what they are; there may be more. */
export type FindingCode =
  | "api_cors"
  | "api_not_checked"
  | "app_unreachable"
  | "authorization_refused"
  | "authorization_unclear"
  | "challenge_missing"
  | "cimd_unsupported"
  | "client_id_malformed"
  | "client_metadata_document"
  | "client_refused"
  | "client_unknown"
  | "clock_skew"
  | "coop_popup"
  | "csp_connect_src"
  | "csp_error_page"
  | "csp_form_action"
  | "csp_frame_ancestors"
  | "csp_frame_src"
  | "csp_missing"
  | "csp_trusted_types"
  | "csp_wasm"
  | "csp_worker_missing"
  | "csp_worker_src"
  | "csp_worker_src_wide"
  | "date_not_exposed"
  | "discovery_cors"
  | "discovery_kind"
  | "dpop_proof_refused"
  | "dpop_unannounced"
  | "dpop_unsupported"
  | "end_session_missing"
  | "endpoint_insecure"
  | "endpoint_redirects"
  | "endpoint_unreachable"
  | "frame_refused"
  | "grant_refused"
  | "headers_not_exposed"
  | "id_token_algorithms"
  | "insecure_context"
  | "iss_missing"
  | "iss_unsupported"
  | "issuer_host"
  | "issuer_malformed"
  | "issuer_mismatch"
  | "issuer_path"
  | "issuer_scheme"
  | "issuer_trailing_slash"
  | "jwks_cors"
  | "jwks_unusable"
  | "metadata_incomplete"
  | "metadata_missing"
  | "metadata_redirects"
  | "metadata_unreadable"
  | "offline_access_not_requested"
  | "offline_access_unsupported"
  | "par_cors"
  | "par_missing"
  | "pkce_unannounced"
  | "pkce_unsupported"
  | "prompt_none_unsupported"
  | "provider_not_checked"
  | "provider_unreachable"
  | "redirect_uri_http"
  | "redirect_uri_malformed"
  | "redirect_uri_not_registered"
  | "redirect_uri_not_served"
  | "redirect_uri_origin"
  | "refresh_unsupported"
  | "response_mode_unsupported"
  | "response_type_unsupported"
  | "revocation_cors"
  | "revocation_missing"
  | "scope_refused"
  | "shared_worker_missing"
  | "storage_blocked"
  | "third_party_cookies"
  | "token_cors"
  | "userinfo_cors"
  | "worker_script_missing";
