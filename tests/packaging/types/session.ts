// What an app may write that wants what is around a session.

import { AuthError, open } from "tokenkeep/session";
import type { Auth, Options } from "tokenkeep/session";
import type { Auth as DefaultAuth } from "tokenkeep";
import { signInWithPopup } from "tokenkeep/popup";

import { is } from "./same.js";

export async function everyOption(): Promise<Auth> {
  const options: Pick<
    Required<Options>,
    "popupRedirectPath" | "popupRedirectUri" | "stepUp" | "idleLimitSeconds" | "idleWarningSeconds" | "sessionLimitSeconds"
  > = {
    popupRedirectPath: "/popup.html",
    popupRedirectUri: "https://app.example.com/popup.html",
    stepUp: true,
    idleLimitSeconds: 900,
    idleWarningSeconds: 60,
    sessionLimitSeconds: 43_200,
  };
  const auth = await open({ ...options, issuer: "https://login.example.com", clientId: "my-app", keep: "shared", lingerSeconds: 60 });
  // Whoever wants less takes it, too.
  const less: DefaultAuth = auth;
  is<void>()(less.stayActive());
  is<boolean>()(new Error() instanceof AuthError);
  return auth;
}

export async function inAWindow(auth: Auth<{ department?: string }>, signal: AbortSignal): Promise<string | undefined> {
  const session = await signInWithPopup(auth, { loginHint: "alice", signal, otherwise: "redirect" });
  await signInWithPopup(auth);
  return session.status === "signed_in" ? session.claims.department : undefined;
}
