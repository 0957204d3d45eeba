// What nobody may write. Each line below a directive is wrong, and the directive says in which way.

import { AuthError, open } from "tokenkeep";
import type { Auth, Claims, Options, Session, SignInOptions } from "tokenkeep";
import { open as openServer } from "tokenkeep/confidential";
import type { Confidential } from "tokenkeep/confidential";
import { open as openDevice } from "tokenkeep/device";
import { diagnose } from "tokenkeep/diagnose";
import type { Finding } from "tokenkeep/diagnose";
import { signInWithPopup } from "tokenkeep/popup";
import { ready, takePosted } from "tokenkeep/form-post";
import { open as openSession } from "tokenkeep/session";
import { authError, mock } from "tokenkeep/mock";
import { AuthProvider, SignedIn, useAuth, useSession } from "tokenkeep/react";

interface Staff {
  readonly roles: readonly string[];
}

declare const options: Options;
declare const auth: Auth;
declare const staff: Auth<Staff>;
declare const server: Confidential;
declare const session: Session<Staff>;
declare const claims: Claims;
declare const loose: Session<{ roles: string[] }>;

// Options

// @ts-expect-error TS2741: an option is missing
void open({ issuer: "https://login.example.com" });
// @ts-expect-error TS2322: an option is of the wrong type
void open({ ...options, clientId: 1 });
// @ts-expect-error TS2322: one of its words is
void open({ ...options, responseMode: "web_message" });
// @ts-expect-error TS2353: there is no option of this name
void open({ ...options, clientSecret: "secret" });
// @ts-expect-error TS2561: nor of this one
void open({ ...options, redirectURI: "https://app.example.com/callback" });
// @ts-expect-error TS2375: an option that is set to undefined is none
const undefinedOption: Options = { issuer: "https://login.example.com", clientId: "my-app", audience: undefined };
// @ts-expect-error TS2353: an API has a URL and what its token is for
const api: Options["api"] = { url: "https://api.example.com/", token: "me" };
// @ts-expect-error TS2554: options are needed
void open();
// @ts-expect-error TS2344: claims are an object
void open<string>(options);

// The session

// @ts-expect-error TS2339: who is not known to be signed in has no claims
session.claims;
// @ts-expect-error TS2339: nor a subject
if (session.status !== "failed") session.subject;
// @ts-expect-error TS2339: who is signed in has no error
if (session.status === "signed_in") session.error;
// @ts-expect-error TS2367: there is no such status
if (session.status === "loading") throw session;
// @ts-expect-error TS2540: a session is not changed
if (session.status === "signed_in") session.subject = "bob";
// @ts-expect-error TS2540: nor are its claims
if (session.status === "signed_in") session.claims.name = "Bob";
// @ts-expect-error TS2540: also those that are typed
if (loose.status === "signed_in") loose.claims.roles = [];
// @ts-expect-error TS2339: nor its scopes
if (session.status === "signed_in") session.scopes.push("admin");
// @ts-expect-error TS2339: it holds no token
if (session.status === "signed_in") session.accessToken;
// @ts-expect-error TS2540: it is read only
auth.session = session;
// @ts-expect-error TS2339: whose claims are typed has those
if (session.status === "signed_in") session.claims.roles.toFixed();
// @ts-expect-error TS2322: a standard claim has its type
const name: number | undefined = claims.name;
// @ts-expect-error TS2571: of another claim nothing is known
claims["groups"].length;
// @ts-expect-error TS4111: and it is asked for as something that may not be there
claims.groups;
// @ts-expect-error TS2322: who knows fewer claims is not given to who needs more
const more: Auth<Staff> = auth;
// @ts-expect-error TS2322: a list of claims may be shorter
const role: string = session.status === "signed_in" ? session.claims.roles[0] : "";

// Methods

// @ts-expect-error TS2353: there is no option of this name for a sign-in
void auth.signIn({ returnURL: "/" });
// @ts-expect-error TS2353: and no token to hand over
void auth.signIn({ idToken: "" });
// @ts-expect-error TS2322: there is no such prompt
void auth.signIn({ prompt: "silent" });
// @ts-expect-error TS2322: none stands alone
const prompt: SignInOptions["prompt"] = ["none", "login"];
// @ts-expect-error TS2322: an extra parameter is a text
void auth.signIn({ extra: { max_age: 1 } });
// @ts-expect-error TS2353: signing out has one option
void auth.signOut({ returnTo: "/" });
// @ts-expect-error TS2559: and it has a name
void auth.signOut("/");
// @ts-expect-error TS2554: there is something to fetch
void auth.fetch();
// @ts-expect-error TS2551: there is no token to get
void auth.getAccessToken();
// @ts-expect-error TS2339: what came of it differs
void auth.finishSignIn().then((finished) => finished.returnTo);
// @ts-expect-error TS2339: renewing gives no token
void auth.renew().then((token) => token.access_token);

// Events

// @ts-expect-error TS2769: there is no event of this name
auth.on("logout", () => {});
// @ts-expect-error TS2339: this event has no such property
auth.on("ended", (event) => event.error);
// @ts-expect-error TS2339: any event has a type and a text
auth.on("*", (event) => event.reason);
// @ts-expect-error TS2367: there is no such reason
auth.on("ended", (event) => event.reason === "timeout");
// @ts-expect-error TS2540: an event is not changed
auth.on("renewed", (event) => (event.by = "tab"));
// @ts-expect-error TS2769: a listener takes this event
auth.on("renewed", (event: { reason: string }) => event.reason);

// Errors

// @ts-expect-error TS2367: there is no such code
if (new Error() instanceof AuthError && authError({ code: "offline", kind: "interrupted" }).code === "login_required") throw 0;
// @ts-expect-error TS2540: an error is not changed
authError({ code: "offline", kind: "interrupted" }).code = "busy";

// The mock

// @ts-expect-error TS2561: there is no option of this name
mock({ sesion: { subject: "alice" } });
// @ts-expect-error TS2322: an answer is a Response
mock({ fetch: () => ({ status: 200 }) });
// @ts-expect-error TS2322: typed claims are there
mock<Staff>({ session: { subject: "alice" } });
// @ts-expect-error TS2322: and they have their type
mock<Staff>({ session: { claims: { roles: "admin" } } });
// @ts-expect-error TS2345: a failure says why
mock().set({ status: "failed" });
// @ts-expect-error TS2345: an event has what it has
mock().emit({ type: "renewed" });
// @ts-expect-error TS2820: there is no event of this name
mock().emit({ type: "renew" });
// @ts-expect-error TS2345: an error of the provider says which
authError({ code: "provider" });
// @ts-expect-error TS2345: of any other it is known who must act
authError({ code: "offline" });
// @ts-expect-error TS2322: a redirect leaves the page
mock({ renew: () => "redirect" });

// By POST

// @ts-expect-error TS2554: it is ready for a redirect URI
ready();
// @ts-expect-error TS2353: the scope is the redirect URI's path
ready("/callback", { scope: "/" });
// @ts-expect-error TS2345: there may be nothing
decodeURIComponent(await takePosted());

// React

// @ts-expect-error TS2741: a provider provides something
const nothing = <AuthProvider />;
// @ts-expect-error TS2322: which is an Auth
const configured = <AuthProvider auth={options} />;
// @ts-expect-error TS2339: the session decides what there is
const unsure = <SignedIn>{(session) => session.error}</SignedIn>;
// @ts-expect-error TS2571: untyped claims are unknown
const untyped = <SignedIn>{({ claims }) => claims["roles"].length}</SignedIn>;
// @ts-expect-error TS2339: a component closes nothing
useAuth().close();
// @ts-expect-error TS2339: who is not known to be signed in has no claims
useSession<Staff>().claims;

// Devices

// @ts-expect-error TS2322: a television's keep is in its page
openDevice({ issuer: "https://login.example.com", clientId: "my-tv", keep: "shared" });
// @ts-expect-error TS2353: and has no worker
openDevice({ issuer: "https://login.example.com", clientId: "my-tv", lingerSeconds: 5 });
// @ts-expect-error TS2353: the default entry knows nothing of that
open({ issuer: "https://login.example.com", clientId: "my-app", dangerousDeviceAuthorization: true });
// @ts-expect-error TS2339: nor of this
(await open(options)).signInByDevice();
// In a window

// @ts-expect-error TS2322: there is one other way
signInWithPopup(await openSession(options), { otherwise: "frame" });
// @ts-expect-error TS2740: it takes an auth, not the promise of one
signInWithPopup(openSession(options));
// @ts-expect-error TS2739: nor that of the default entry, which has no window
signInWithPopup(await open(options));
// @ts-expect-error TS2353: and no such option
open({ issuer: "https://login.example.com", clientId: "my-app", stepUp: true });
// On a server

// @ts-expect-error TS2345: a client has one way to show who it is
void openServer({ issuer: "https://login.example.com", clientId: "my-server" });
// @ts-expect-error TS2345: and no more than one
void openServer({ issuer: "https://login.example.com", clientId: "my-server", clientSecret: "secret", privateKey: {} });
// @ts-expect-error TS2345: a secret is no key
void openServer({ issuer: "https://login.example.com", clientId: "my-server", clientSecret: "secret", authentication: "private_key_jwt" });
// @ts-expect-error TS2353: a refresh token knows no audience
void server.refresh("token", { audience: "orders" });
// @ts-expect-error TS2741: a token to be exchanged is missing
void server.exchange({ audience: "orders" });
// @ts-expect-error TS2339: what is no access token has none
void server.exchange({ subjectToken: "token" }).then((other) => other.kind === "other" && other.accessToken);

// The doctor

declare const finding: Finding;

// @ts-expect-error TS2741: it needs the two things without which nothing works
void diagnose({ issuer: "https://login.example.com" });
// @ts-expect-error TS2353: there is no option of this name
void diagnose({ ...options, clientSecret: "secret" });
// @ts-expect-error TS2367: there is no such code
void (finding.code === "issuer_slash");
// @ts-expect-error TS2540: what was found stays
finding.severity = "info";
