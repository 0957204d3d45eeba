import type { App } from "../app.js";
import { type Child, h } from "../dom.js";
import { path } from "../router.js";

/** A page in React inside this app: it shares what is there, `auth` above all. React is loaded for it only. */
export function inReact({ auth, api }: App): Child {
  document.title = "In React · tokenkeep demo";
  const section = h("section", {});
  void import("../react/mount.js").then(({ mount }) => {
    if (!section.isConnected) return;
    const unmount = mount(section, auth, api.url("/"));
    const stop = path.subscribe(() => {
      stop();
      unmount();
    });
  });
  return section;
}
