// Notices that the user signed out at the provider, or that somebody else signed in there (OpenID Connect Session Management 1.0).

import { callOf } from "./calls.js";
import { watch } from "./op-iframe.js";

export function monitorSession(auth) {
  const work = callOf(auth);
  // There is no page here, or no provider.
  if (work === undefined || typeof document === "undefined") {
    return () => {};
  }
  const watching = watch((said, about) => work((handle) => handle.check_session(said, about)));
  const look = () => watching.look(auth.session.status === "signed_in");
  const end = auth.subscribe(look);
  look();
  return () => {
    end();
    watching.stop();
  };
}
