// A television, in TypeScript.

import { AuthError, open } from "tokenkeep/device";
import type { Auth, DeviceSignIn, Options, Session } from "tokenkeep/device";
import type { Auth as DefaultAuth } from "tokenkeep";

import { is } from "./same.js";

export async function television(signal: AbortSignal): Promise<void> {
  const options: Options = {
    issuer: "https://login.example.com",
    clientId: "my-tv",
    dangerousDeviceAuthorization: true,
    keep: "page",
    dpop: true,
  };
  const auth: Auth<{ tenant: string }> = await open<{ tenant: string }>(options);
  const signIn: DeviceSignIn = await auth.signInByDevice({ signal });
  await auth.signInByDevice();
  is<string>()(signIn.userCode);
  is<string>()(signIn.verificationUri);
  is<number>()(signIn.expiresAt);
  is<string | undefined>()(signIn.verificationUriComplete);
  is<string | undefined>()(signIn.qrSvg);
  is<Promise<void>>()(signIn.finished);
  await signIn.finished.catch((why: unknown) => why instanceof AuthError && why.code === "device_code_expired");
  const session: Session<{ tenant: string }> = auth.session;
  if (session.status === "signed_in") is<string>()(session.claims.tenant);
  // What takes an `Auth` takes this one.
  const usual: DefaultAuth = auth;
  await usual.signOut();
}
