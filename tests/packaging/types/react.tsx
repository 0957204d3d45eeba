// What a React app may write.

import type { ReactNode } from "react";
import { open } from "tokenkeep";
import type { AuthError, Event, Session, SignedIn as SignedInSession, StepUp } from "tokenkeep";
import { mock } from "tokenkeep/mock";
import { AuthProvider, SignedIn, SignedOut, useAuth, useSession, useStepUp } from "tokenkeep/react";

import { is } from "./same.js";

interface Staff {
  readonly roles: readonly string[];
}

export function App(): ReactNode {
  return (
    <AuthProvider auth={open<Staff>({ issuer: "https://login.example.com", clientId: "my-app" })}>
      <SignedIn fallback={<p>Nobody</p>}>
        <Page />
        and more
      </SignedIn>
      <SignedIn>{({ claims, subject }) => <p title={subject}>{claims.name}</p>}</SignedIn>
      <SignedIn<Staff>>{({ claims }) => claims.roles.map((role) => <p key={role}>{role}</p>)}</SignedIn>
      <SignedIn fallback={undefined} />
      <SignedOut>{(session) => session.status === "failed" && session.error.message}</SignedOut>
      <SignedOut>
        <p>Nobody</p>
      </SignedOut>
    </AuthProvider>
  );
}

export const tested = (
  <AuthProvider auth={mock<Staff>({ session: { claims: { roles: [] } } })}>
    <App />
  </AuthProvider>
);

function Page(): ReactNode {
  const { session, signIn, signOut, fetch, userInfo, renew, on, signedOutJustNow, finishSignIn, frontChannelLogout, declineStepUp } =
    useAuth<Staff>();
  const stepUp = useStepUp();
  is<StepUp | undefined>()(stepUp);
  is<Session<Staff>>()(session);
  is<boolean>()(signedOutJustNow);
  on("failed", ({ error }) => is<AuthError>()(error));
  on("*", (event) => is<Event>()(event));
  const all = async () => {
    is<readonly string[]>()((await userInfo()).roles);
    is<Response>()(await fetch("https://api.example.com/me", { method: "PUT" }));
    await Promise.all([renew(), finishSignIn(), frontChannelLogout()]);
    await signOut({ local: true });
    await signIn({ ...stepUp, returnTo: "/" });
    is<void>()(declineStepUp());
  };
  return session.status === "signed_in" ? <button onClick={() => void all()}>{session.claims.roles[0]}</button> : null;
}

export function Who(): ReactNode {
  const session = useSession<Staff>();
  if (session.status !== "signed_in") return null;
  is<SignedInSession<Staff>>()(session);
  return session.claims.roles.join();
}
