// What a test may write.

import type { Auth, AuthError, Session, SignInOptions } from "tokenkeep";
import { authError, mock } from "tokenkeep/mock";
import type { Call, MockAuth, MockEvent, MockOptions, MockSession } from "tokenkeep/mock";

import { is } from "./same.js";

interface Staff {
  readonly roles: readonly string[];
}

export function plain(): Auth {
  const auth = mock();
  is<MockAuth>()(auth);
  is<Session>()(auth.session);
  is<number>()(auth.now);
  is<void>()(auth.advance(60));
  return auth;
}

export function everyOption(): MockAuth<Staff> {
  const options: Required<MockOptions<Staff>> = {
    session: { subject: "alice", claims: { name: "Alice", roles: ["admin"] }, scopes: ["openid"], expiresAt: undefined, renewedBy: "tab" },
    now: Date.UTC(2030, 0),
    lifetimeSeconds: 60,
    api: ["https://api.example/", { url: "https://other.example/" }],
    fetch: (request) => Response.json(request.url),
    userInfo: () => ({ roles: [] }),
    renew: () => {
      throw authError({ code: "offline", kind: "interrupted" });
    },
    signIn: async (options) => (options?.loginHint ? { subject: options.loginHint, claims: { roles: [] } } : undefined),
    finishSignIn: async () => ({ outcome: "signed_in", returnTo: "/" }),
    signOut: (options) => is<boolean | undefined>()(options?.local),
    frontChannelLogout: () => true,
    initiatedSignIn: () => ({ loginHint: "alice", returnTo: "/" }),
  };
  return mock<Staff>(options);
}

export function everySession(auth: MockAuth<Staff>, other: Auth<Staff>, error: AuthError): void {
  auth.set({ claims: { roles: [] } });
  auth.set({ status: "signed_in", subject: undefined, claims: { roles: [] } });
  auth.set({ status: "unknown" });
  auth.set({ status: "signed_out" });
  auth.set({ status: "signed_out", reason: "expired" });
  auth.set({ status: "failed", error });
  auth.set(other.session);
  const without: MockSession = { subject: "alice" };
  mock().set(without);
}

export function everyEvent(auth: MockAuth, error: AuthError): void {
  auth.emit({ type: "keys_read" });
  auth.emit({ type: "renewed", by: "frame", text: "renewed" });
  auth.emit({ type: "renewal_failed", by: "frame", error, pauseSeconds: undefined });
  const event: MockEvent = { type: "scope_changed", missing: ["profile"], added: [] };
  auth.emit(event);
  auth.on("*", (event) => auth.emit(event));
}

export function everyCall({ calls }: MockAuth): void {
  const call: Call | undefined = calls[0];
  if (call?.method === "signIn") is<SignInOptions | undefined>()(call.args[0]);
  if (call?.method === "fetch") is<RequestInfo | URL>()(call.args[0]);
  calls.length = 0;
}

export const errors: readonly AuthError[] = [
  authError({ code: "provider", error: "access_denied", errorDescription: "no", errorUri: "https://login.example/", message: "no" }),
  authError({ code: "unexpected_status", kind: "misbehaved", status: 500 }),
  authError({ code: "option_unknown", kind: "misconfigured", option: "sesion" }),
];
