// An app that watches the session at the provider, and one that is opened from elsewhere.

import { type MonitorStopped, type SignInOptions, open } from "tokenkeep/session";
import { monitorSession } from "tokenkeep/check-session";

import { is } from "./same.js";

export async function watched(): Promise<() => void> {
  const auth = await open<{ tenant: string }>({ issuer: "https://login.example.com", clientId: "my-app" });
  auth.on("session_changed", ({ text }) => is<string>()(text));
  auth.on("session_monitor_stopped", ({ reason }) => is<MonitorStopped>()(reason));
  const asked = await auth.initiatedSignIn();
  is<SignInOptions | undefined>()(asked);
  await auth.signIn(await auth.initiatedSignIn(new URL("https://app.example.com/initiate?iss=https://login.example.com")));
  return monitorSession(auth);
}
