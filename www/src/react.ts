// `react.html`: an app in React, with nothing around it.
//
// A sign-in that begins here comes back to `/callback`, which is `index.html`, and goes on there: `pages/in-react.ts`. An app that is all
// in React is its own redirect URI, and needs no more than this.

import { open } from "tokenkeep/session";

import { load } from "./config.js";
import { mount } from "./react/mount.js";

const { options, api } = await load();
mount(document.querySelector("main")!, open(options), api);
