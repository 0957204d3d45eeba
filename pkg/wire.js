// What the page's end of a port and the worker's agree on. Messages are described in `keep.js`.

/** What pages note for a keep that is gone by then: that somebody is signed in, and when they signed out. No secret. */
export const NOTE = "tokenkeep.session.";

/**
 * Takes a lock that nobody else knows, until the signal comes or this realm ends: who waits for it learns of that. Ports say nothing when a
 * worker has ended or a page has crashed. Where there are no locks there is no name.
 */
export async function hold(signal) {
  const name = `tokenkeep.${crypto.randomUUID()}`;
  return new Promise((resolve) => {
    const held = () => {
      resolve(name);
      return new Promise((free) => (signal?.aborted ? free() : signal?.addEventListener("abort", free)));
    };
    (navigator.locks?.request(name, held) ?? Promise.reject()).catch(() => resolve(undefined));
  });
}

/** Waits until that lock is free. */
export function whenFree(name, then, signal) {
  if (typeof name === "string") {
    navigator.locks?.request(name, { signal }, then).catch(() => {});
  }
}

/** The name of the keep with this configuration and code. */
export async function nameOf(config, wasm, { linger, pending }) {
  const digest = async (bytes) => {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  // A module goes to a worker of its page alone, which nobody else can name.
  const code = typeof wasm === "string" ? wasm : wasm instanceof WebAssembly.Module ? "module" : await digest(wasm);
  return `tokenkeep 1 ${await digest(new TextEncoder().encode(JSON.stringify([config, code, linger, pending])))}`;
}
