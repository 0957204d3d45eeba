// The page in React: who is signed in, and a call of the API. See `react.tsx` for how it is put on a page of its own.

import { useState } from "react";
import { SignedIn, SignedOut, useAuth } from "tokenkeep/react";

import { troubleOf } from "../problem.js";

export function Page({ api }: { api: string }) {
  const { signIn, signOut } = useAuth();
  return (
    <>
      <h1 tabIndex={-1}>In React</h1>
      <p className="lead">
        The same sign-in, shown by <code>useAuth</code>, <code>&lt;SignedIn&gt;</code> and <code>&lt;SignedOut&gt;</code>.
      </p>
      <SignedIn>
        {({ claims }) => (
          <>
            <div className="card who">
              <p>
                You are signed in as <strong id="react-name">{claims.name}</strong>.
              </p>
              <div className="buttons">
                <button type="button" onClick={() => void signOut().catch(ignore)}>
                  Sign out
                </button>
                <button type="button" onClick={() => void signOut({ local: true }).catch(ignore)}>
                  Only here
                </button>
              </div>
            </div>
            <Me api={api} />
          </>
        )}
      </SignedIn>
      <SignedOut>
        {(session) => (
          <div className="card who">
            <p role={session.status === "failed" ? "alert" : undefined}>
              {session.status === "failed" ? `Signing in failed: ${session.error.message}.` : "Nobody is signed in."}
            </p>
            <button type="button" className="main" onClick={() => void signIn().catch(ignore)}>
              Sign in
            </button>
          </div>
        )}
      </SignedOut>
    </>
  );
}

/** Calls the API, with the token that this code never sees. */
function Me({ api }: { api: string }) {
  const auth = useAuth();
  const [answer, setAnswer] = useState<string>();

  async function call() {
    try {
      const response = await auth.fetch(new URL("me", api));
      setAnswer(`${response.status}\n${JSON.stringify(await response.json(), null, 2)}`);
    } catch (error) {
      setAnswer(troubleOf(error).message);
    }
  }

  return (
    <>
      <p>
        <button type="button" className="main" onClick={() => void call()}>
          Call /me
        </button>
      </p>
      {answer === undefined ? null : (
        <pre id="react-answer" tabIndex={0}>
          {answer}
        </pre>
      )}
    </>
  );
}

/** What goes wrong is in the session. */
function ignore() {}
