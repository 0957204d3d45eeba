// What every page does, with whichever library: open it, say when it knows who is signed in, sign in, call an API.

/** `open` gives `{ signedIn, signIn(), call(url) }`, or nothing for a page without a library. */
export async function show(open) {
  const library = await open();
  const ready = performance.now();
  const [{ fetchStart }] = performance.getEntriesByType("navigation");
  window.bench = { ...library, rate: (url, duration) => rate(library.call, url, duration) };
  // The runner listens. Asking the page again and again would cost the page.
  console.info(JSON.stringify({ signedIn: library.signedIn, ready, sinceFetch: ready - fetchStart }));
}

/** Calls one after the other, each read to its end, for so many milliseconds: how many, and how many in a second. */
async function rate(call, url, duration) {
  const start = performance.now();
  let calls = 0;
  let now = start;
  while (now - start < duration) {
    const answer = await call(url);
    if (!answer.ok) {
      throw new Error(`the API answered ${answer.status}`);
    }
    await answer.text();
    calls += 1;
    now = performance.now();
  }
  return { calls, perSecond: (calls * 1000) / (now - start) };
}

export const bearer = (url, token) => fetch(url, { headers: { Authorization: `Bearer ${token}` } });
