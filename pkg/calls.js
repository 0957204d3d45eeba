import { AuthError } from "./error.js";
import { parsed } from "./options.js";

/** How what is imported beside an `auth` asks its keep: by what gets the handle, and gives a promise. Of a mock there is none. */
export const callers = new WeakMap();

/** Adds to an `auth` what the default entry has not. */
export function extended(auth, call) {
  callers.set(auth, call);
  auth.initiatedSignIn = async (url = location.href) => {
    const asked = await call(async (handle) => handle.initiated_sign_in(`${url}`));
    return asked && parsed(asked);
  };
}

/** How to ask the keep of an `auth`, or `undefined` for a mock. */
export function callOf(auth) {
  if (!callers.has(auth)) {
    const message = "this takes an `auth` of another entry: import `open` from `tokenkeep/session`";
    throw new AuthError({ code: "session_entry_missing", kind: "misconfigured", message });
  }
  return callers.get(auth);
}
