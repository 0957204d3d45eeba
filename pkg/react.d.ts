/**
 * tokenkeep for React, 18 or later.
 *
 * ```tsx
 * import { createRoot } from "react-dom/client";
 * import { open } from "tokenkeep";
 * import { AuthProvider, SignedIn, SignedOut, useAuth } from "tokenkeep/react";
 *
 * const auth = open({ issuer: "https://login.example.com", clientId: "my-app" });
 *
 * function App() {
 *   const { signIn, signOut } = useAuth();
 *   return (
 *     <>
 *       <SignedIn>{({ claims }) => <button onClick={() => signOut()}>Sign out {claims.name}</button>}</SignedIn>
 *       <SignedOut>
 *         <button onClick={() => signIn()}>Sign in</button>
 *       </SignedOut>
 *     </>
 *   );
 * }
 *
 * createRoot(document.getElementById("root")!).render(
 *   <AuthProvider auth={auth}>
 *     <App />
 *   </AuthProvider>,
 * );
 * ```
 */

import type { ReactNode } from "react";

import type { Auth, Failed, Session, SignedIn as SignedInSession, SignedOut as SignedOutSession, StepUp } from "./index.js";

export interface AuthProviderProps {
  /**
   * What `open` gives, awaited or not: the session is `unknown` until it is there. Call `open` outside of components, once: what a
   * component does, React may do twice.
   */
  auth: Auth<object> | PromiseLike<Auth<object>>;
  children?: ReactNode;
}

/** Gives an `Auth` to all components below. It does not close it. */
export function AuthProvider(props: AuthProviderProps): ReactNode;

/** What a component holds. The methods are bound, and the same as long as the provider's `auth` is. */
export type AuthInReact<C extends object = {}> = Pick<
  Auth<C>,
  | "session" | "signIn" | "finishSignIn" | "fetch" | "userInfo" | "renew" | "declineStepUp" | "signOut" | "signedOutJustNow"
  | "frontChannelLogout" | "on" | "stayActive"
>;

/**
 * Who is signed in, and what a user may do. While the provider's promise is under way, methods wait for it.
 *
 * @typeParam C claims that your provider puts into ID tokens, beside the standard ones.
 * @throws {AuthError} `auth_not_provided` without an `AuthProvider` above.
 */
export function useAuth<C extends object = {}>(): AuthInReact<C>;

/** Whether somebody is signed in. On a server, and while the server's HTML is taken over, it is `unknown`. */
export function useSession<C extends object = {}>(): Session<C>;

/** What a call waits for, with the option `stepUp`: the question to put to the user. `signIn(stepUp)` is yes, `declineStepUp()` is no. */
export function useStepUp(): StepUp | undefined;

export interface SignedInProps<C extends object = {}> {
  /** Shown while somebody is. A function is given the session. */
  children?: ReactNode | ((session: SignedInSession<C>) => ReactNode);
  /** Shown while nobody is. As long as that is not known, neither is shown. */
  fallback?: ReactNode;
}

/** Shows its children while somebody is signed in. */
export function SignedIn<C extends object = {}>(props: SignedInProps<C>): ReactNode;

export interface SignedOutProps {
  /** Shown while nobody is. A function is given the session, which says whether signing in failed. */
  children?: ReactNode | ((session: SignedOutSession | Failed) => ReactNode);
}

/** Shows its children while nobody is signed in, also because signing in failed. */
export function SignedOut(props: SignedOutProps): ReactNode;
