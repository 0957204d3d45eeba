import { bearer, show } from "./page.js";

// No library. The runner brings a token, for calls by a fetch written by hand.
show(async () => ({ signedIn: false, call: (url) => bearer(url, window.token) }));
