// What every page does, with whichever library: open it, say when it knows who is signed in, sign in, call an API.

/** `open` gives `{ signedIn, signIn(), call(url) }`, or nothing for a page without a library. */
export async function show(open) {
  const asked = performance.now();
  const { timeOrigin } = performance;
  // A library may leave for the provider, and is asked once more when the browser is back.
  console.debug(JSON.stringify({ began: timeOrigin, asked: timeOrigin + asked }));
  const library = await open();
  const ready = performance.now();
  const [{ fetchStart }] = performance.getEntriesByType("navigation");
  window.bench = {
    ...library,
    rate: (url, duration) => rate(library.call, url, duration),
    latencies: (url, count) => latencies(library.call, url, count),
  };
  // The runner listens. Asking the page again and again would cost the page.
  console.info(JSON.stringify({ signedIn: library.signedIn, ready, at: timeOrigin + ready, sinceFetch: ready - fetchStart }));
}

/** Calls one after the other, each read to its end, for so many milliseconds: how many, and how many in a second. */
async function rate(call, url, duration) {
  const start = performance.now();
  let calls = 0;
  let now = start;
  while (now - start < duration) {
    await read(await call(url), "text");
    calls += 1;
    now = performance.now();
  }
  return { calls, perSecond: (calls * 1000) / (now - start) };
}

/** So many calls, one after the other: the milliseconds of each until its answer is read, and the bytes of the last one. */
async function latencies(call, url, count) {
  const each = [];
  let body;
  while (each.length < count) {
    const start = performance.now();
    body = await read(await call(url), "arrayBuffer");
    each.push(performance.now() - start);
  }
  return { each, bytes: body.byteLength };
}

function read(answer, as) {
  if (!answer.ok) {
    throw new Error(`the API answered ${answer.status}`);
  }
  return answer[as]();
}

export const bearer = (url, token) => fetch(url, { headers: { Authorization: `Bearer ${token}` } });
