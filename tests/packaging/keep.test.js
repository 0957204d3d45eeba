// A keep in a worker: what it does, and what no page gets to see.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { open, startApp } from "./lib/app.js";
import { answerProvider } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";

const { site, demo, visit, signedIn } = await startApp();
const options = { ...demo.options, keep: ["shared"] };

/** Loads a page again. */
async function reload(page) {
  await page.reload();
  await page.waitForFunction(() => window.tokenkeep !== undefined);
}

/** What an API of the app's own was called with. */
const calls = [];
site.answers["/api/calls"] = async (request, response) => {
  const body = [];
  for await (const piece of request) {
    body.push(piece);
  }
  calls.push({ method: request.method, headers: request.headers, body: Buffer.concat(body) });
  response.writeHead(200, { "Content-Type": "text/plain", "X-Answer": "yes" }).end(`call ${calls.length}`);
};
const own = {
  issuer: demo.issuer,
  clientId: "tokenkeep-demo",
  api: `${site.origin}/api/`,
  scopes: "openid profile offline_access",
  keep: ["shared"],
};

/** The requests to the provider that a page sends while something is done. Those of a SharedWorker are not seen here. */
async function asked(page, what) {
  const requests = [];
  const note = (request) => request.url().startsWith(demo.issuer) && requests.push(`${request.method()} ${request.url()}`);
  page.context().on("request", note);
  await what();
  page.context().off("request", note);
  return requests;
}

const who = (page) => page.evaluate(() => [auth.keep, auth.session.status, auth.session.subject]);

test("a reload goes on with the same token", async () => {
  const page = await signedIn(own);
  await page.evaluate(() => auth.fetch("/api/calls"));
  await reload(page);
  assert.equal(await open(page, own), "signed_in");
  await page.evaluate(() => auth.fetch("/api/calls"));
  const [before, after] = calls.slice(-2).map(({ headers }) => headers.authorization);
  assert.equal(after, before);
  await page.context().close();
});

test("signs in, calls, is there after a reload without asking anybody, and signs out", async () => {
  const page = await signedIn(options);
  assert.deepEqual(await who(page), ["shared", "signed_in", "user-1001"]);
  assert.equal(await page.evaluate(async (url) => (await (await auth.fetch(url)).json()).sub, `${demo.api}me`), "user-1001");
  const requests = await asked(page, async () => {
    await reload(page);
    assert.equal(await open(page, options), "signed_in");
  });
  assert.deepEqual(requests, []);
  assert.equal(await page.evaluate(async (url) => (await auth.fetch(url)).status, `${demo.api}me`), 200);
  const back = page.waitForEvent("framenavigated", (frame) => frame.url().startsWith(`${site.origin}/?state=`));
  const status = await page.evaluate(() => {
    void auth.signOut();
    return auth.session.status;
  });
  assert.equal(status, "signed_out");
  await back;
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, options), "signed_out");
  assert.equal(await page.evaluate(() => auth.signedOutJustNow), true);
  await page.context().close();
});

test("all tabs are one session", async () => {
  const page = await signedIn(options);
  const other = await visit("/other", { context: page.context() });
  assert.equal(await open(other, options), "signed_in");
  await other.evaluate(() => {
    window.told = [];
    auth.on("*", ({ type, reason }) => told.push(reason ?? type));
  });
  await page.evaluate(() => auth.signOut({ local: true }));
  await other.waitForFunction(() => auth.session.status === "signed_out");
  assert.equal(await other.evaluate(() => told[0]), "signed_out");
  // Nobody is sent to sign in again by themselves, in whichever tab.
  assert.deepEqual(await Promise.all([page, other].map((tab) => tab.evaluate(() => auth.signedOutJustNow))), [true, true]);
  await page.context().close();
});

/** What a page's port is told to note is in `window.noted`; `window.port` is that port. */
function overhear(page) {
  return page.evaluate(() => {
    window.noted = [];
    const { addEventListener } = MessagePort.prototype;
    MessagePort.prototype.addEventListener = function (...rest) {
      window.port = this;
      addEventListener.call(this, "message", ({ data: [what, ...note] }) => what === "note" && noted.push(note));
      return addEventListener.apply(this, rest);
    };
  });
}

/** Somebody else has noted in this page that the user signed out: neither this page nor its keep hears of that. */
function signedOutUnheard(page) {
  return page.evaluate(() => {
    const [key] = Object.keys(localStorage).filter((key) => key.startsWith("tokenkeep.session."));
    localStorage.setItem(key, JSON.stringify({ signed_out: Date.now() }));
    return [key, localStorage.getItem(key)];
  });
}

for (const [name, before] of [
  ["of each other's notes", own],
  ["of what was noted before the keep began", { ...own, lingerSeconds: 61 }],
]) {
  test(`what pages hear late ${name} changes nothing`, async () => {
    const page = await visit();
    await overhear(page);
    await open(page, before);
    await page.evaluate(() => auth.signOut({ local: true }));
    await page.waitForFunction(() => noted.length > 0);
    const note = await page.evaluate(() => Object.entries({ ...localStorage })[0]);
    assert.ok("signed_out" in JSON.parse(note[1]), note);
    await open(page, own);
    await page.evaluate(() => void auth.signIn());
    await answerProvider(page);
    await page.waitForURL(`${site.origin}/callback?*`);
    await page.waitForFunction(() => window.tokenkeep !== undefined);
    await overhear(page);
    assert.equal(await open(page, own), "signed_in");
    const status = await page.evaluate(async (note) => {
      port.postMessage(["note", ...note]);
      await auth.fetch("/api/calls").catch(() => {});
      return auth.session.status;
    }, note);
    assert.equal(status, "signed_in");
    await page.context().close();
  });
}

test("a page says what is noted now, whatever it hears of late", async () => {
  const page = await signedIn(own);
  const status = await page.evaluate(async () => {
    const [key] = Object.keys(localStorage);
    const newValue = JSON.stringify({ signed_out: Date.now() });
    dispatchEvent(new StorageEvent("storage", { key, newValue }));
    await auth.fetch("/api/calls").catch(() => {});
    return auth.session.status;
  });
  assert.equal(status, "signed_in");
  await page.context().close();
});

test("a page leaves a note alone that is newer than what the keep knows", async () => {
  for (const [name, change, left] of [
    ["newer", signedOutUnheard, ([, newer], now) => newer === now],
    ["none", (page) => page.evaluate(() => localStorage.clear()), (_, now) => "signed_out" in JSON.parse(now)],
    ["known", () => {}, (_, now) => "signed_out" in JSON.parse(now)],
  ]) {
    const page = await signedIn(own);
    await overhear(page);
    await open(page, own);
    const before = await change(page);
    await page.evaluate(() => auth.signOut({ local: true }));
    await page.waitForFunction(() => noted.length > 0);
    const [key, now] = await page.evaluate(() => [noted[0][0], localStorage.getItem(noted[0][0])]);
    assert.ok(left(before, now), `${name}: ${key} is ${now}, and was ${before}`);
    await page.context().close();
  }
});

for (const [name, look] of [
  ["comes later", async (page) => open(await visit("/", { context: page.context() }), own)],
  ["comes back from the cache", (page) => page.evaluate(() => {
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  })],
]) {
  test(`a keep learns from a page that ${name} what it has not heard`, async () => {
    const page = await signedIn(own);
    await page.evaluate(() => {
      window.reasons = [];
      auth.on("ended", ({ reason }) => reasons.push(reason));
    });
    await signedOutUnheard(page);
    assert.equal((await who(page))[1], "signed_in");
    await look(page);
    await page.waitForFunction(() => auth.session.status === "signed_out");
    assert.deepEqual(await page.evaluate("reasons"), ["signed_out_elsewhere"]);
    await page.context().close();
  });
}

test("a page with another list of APIs gets another keep, and finds nothing in it", async () => {
  const page = await signedIn(own);
  const other = await visit("/", { context: page.context() });
  assert.equal(await open(other, { ...own, api: [own.api, `${site.elsewhere}/`], renewByFrame: false }), "signed_out");
  assert.equal(await open(other, { ...own, lingerSeconds: 61, renewByFrame: false }), "signed_out");
  assert.equal(await open(other, own), "signed_in");
  await page.context().close();
});

test("no message holds a token, and storage none either", async () => {
  const context = await (await visit()).context();
  await context.addInitScript(() => {
    window.messages = [];
    const { postMessage } = MessagePort.prototype;
    MessagePort.prototype.postMessage = function (message, ...rest) {
      messages.push(JSON.stringify(message));
      return postMessage.call(this, message, ...rest);
    };
    const { addEventListener } = MessagePort.prototype;
    MessagePort.prototype.addEventListener = function (...rest) {
      addEventListener.call(this, "message", ({ data }) => messages.push(JSON.stringify(data)));
      return addEventListener.apply(this, rest);
    };
  });
  const page = await visit("/", { context });
  await open(page, own);
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL(`${site.origin}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  await open(page, own);
  await page.evaluate(async () => {
    await (await auth.fetch("/api/calls")).text();
    const before = auth.session;
    while (auth.session === before) {
      await auth.renew();
      await new Promise(requestAnimationFrame);
    }
    await (await auth.fetch("/api/calls")).text();
  });
  const tokens = calls.slice(-2).map(({ headers }) => headers.authorization.replace("Bearer ", ""));
  assert.equal(new Set(tokens).size, 2);
  const stored = () => [localStorage, sessionStorage].map((storage) => JSON.stringify({ ...storage }));
  const seen = (await page.evaluate("messages")).concat(await page.evaluate(stored)).join("\n");
  assert.match(seen, /"opened"/);
  for (const secret of [...tokens, "eyJ", "verifier"]) {
    assert.ok(!seen.includes(secret), `${secret} was seen`);
  }
  await context.close();
});

test("the access token is shown to an app that said so, and to no other", async () => {
  const shown = { ...own, dangerousExposeAccessToken: true };
  const page = await signedIn(shown);
  const token = (options, keep) => async () => {
    await open(page, { ...options, ...(keep && { keep: [keep] }) });
    return page.evaluate((url) => auth.accessToken(url).catch(({ code, kind }) => [code, kind]), "/api/calls");
  };
  const given = await token(shown)();
  await page.evaluate(() => auth.fetch("/api/calls"));
  assert.equal(calls.at(-1).headers.authorization, `Bearer ${given}`);
  assert.equal(await page.evaluate(() => auth.accessToken("https://elsewhere.example/").catch(({ code }) => code)), "destination_not_allowed");
  for (const keep of ["shared", "worker", "page"]) {
    assert.deepEqual(await token(own, keep)(), ["token_is_kept", "misconfigured"], keep);
    // Here nobody is signed in, and a token that is bound to a key is for nobody.
    assert.deepEqual(await token({ ...shown, dpop: true }, keep)(), ["token_is_kept", "misconfigured"], keep);
  }
  await page.context().close();
});

test("a sign-in waits in memory or in storage, as the app says", async () => {
  const waiting = () => {
    const opening = indexedDB.open("tokenkeep.logins");
    return new Promise((resolve, reject) => {
      opening.onerror = reject;
      opening.onsuccess = () => {
        const { result } = opening;
        const there = result.objectStoreNames.contains("logins");
        const asked = there && result.transaction("logins").objectStore("logins").getAll();
        // What was used leaves a mark without secrets.
        there ? (asked.onsuccess = () => resolve(asked.result.filter((text) => text.includes(`"verifier"`)).length)) : resolve(0);
        result.close();
      };
    });
  };
  for (const [pending, stored] of [["durable", 1], ["memory", 0]]) {
    const page = await visit("/deep?link=2");
    const chosen = { ...options, pending };
    await open(page, chosen);
    const there = await visit("/", { context: page.context() });
    await page.evaluate(() => void auth.signIn());
    await page.waitForURL(`${demo.issuer}/**`);
    assert.equal(await there.evaluate(waiting), stored, pending);
    await answerProvider(page);
    await page.waitForURL(`${site.origin}/callback?*`);
    await page.waitForFunction(() => window.tokenkeep !== undefined);
    assert.equal(await open(page, chosen), "signed_in", pending);
    assert.equal(page.url(), `${site.origin}/deep?link=2`);
    assert.equal(await there.evaluate(waiting), 0, pending);
    await page.context().close();
  }
  const page = await visit();
  const { code, option } = await open(page, { ...options, pending: "session" });
  assert.deepEqual([code, option], ["option_type", "pending"]);
  await page.context().close();
});

test("bodies go there and back", async () => {
  const page = await signedIn(own);
  const answers = await page.evaluate(async () => {
    const form = new FormData();
    form.set("name", "value");
    const bodies = { text: "text", form, blob: new Blob(["blob"], { type: "text/x-blob" }), bytes: new Uint8Array([1, 2, 3]) };
    const answers = {};
    for (const [name, body] of Object.entries(bodies)) {
      const answer = await auth.fetch("/api/calls", { method: "POST", body, headers: { "X-Name": name } });
      const copy = answer.clone();
      const { status, ok, url, redirected, type, headers } = answer;
      answers[name] = [status, ok, url, copy.url, redirected, type, headers.get("x-answer"), (await answer.text()) === (await copy.text())];
    }
    return answers;
  });
  for (const name of ["text", "form", "blob", "bytes"]) {
    const url = `${site.origin}/api/calls`;
    assert.deepEqual(answers[name], [200, true, url, url, false, "basic", "yes", true], name);
  }
  const [text, form, blob, bytes] = calls.slice(-4);
  assert.deepEqual([`${text.body}`, text.headers["content-type"], text.headers["x-name"]], ["text", "text/plain;charset=UTF-8", "text"]);
  assert.match(`${form.body}`, /name="name"\r\n\r\nvalue/);
  assert.match(form.headers["content-type"], /^multipart\/form-data; boundary=/);
  assert.deepEqual([`${blob.body}`, blob.headers["content-type"]], ["blob", "text/x-blob"]);
  assert.deepEqual([...bytes.body], [1, 2, 3]);
  await page.context().close();
});

test("20 MB go up and come down as they are", async () => {
  const page = await signedIn(own);
  const bytes = Buffer.from(Uint32Array.from({ length: 5 << 20 }, (_, index) => (index * 2_654_435_761) >>> 0).buffer);
  site.answers["/api/download"] = (_, response) => {
    response.writeHead(200, { "Content-Type": "application/octet-stream" }).end(bytes);
  };
  const digest = await page.evaluate(async (size) => {
    await auth.fetch("/api/calls", { method: "POST", body: new Blob([new Uint8Array(size)]) });
    const answer = await auth.fetch("/api/download");
    const copy = answer.clone();
    const digests = [answer, copy].map(async (answer) => crypto.subtle.digest("SHA-256", await answer.arrayBuffer()));
    return (await Promise.all(digests)).map((digest) => btoa(String.fromCharCode(...new Uint8Array(digest))));
  }, bytes.length);
  assert.equal(calls.at(-1).body.length, bytes.length);
  assert.deepEqual(digest, Array(2).fill(createHash("sha256").update(bytes).digest("base64")));
  await page.context().close();
});

/** An API whose answer comes by hand, or as fast as it is taken: what was sent, in bytes, and when it is over. */
function byHand(path) {
  const hand = { sent: 0 };
  hand.begun = new Promise((begun) => {
    site.answers[path] = (request, response) => {
      hand.closed = new Promise((resolve) => response.on("close", resolve));
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.flushHeaders();
      hand.response = response;
      begun();
    };
  });
  hand.endless = () => {
    const piece = Buffer.alloc(65_536, 7);
    const go = () => {
      do {
        hand.sent += piece.length;
      } while (!hand.response.destroyed && hand.response.write(piece));
    };
    hand.response.on("drain", go);
    go();
  };
  return hand;
}

test("what drips is there drop by drop", async () => {
  const page = await signedIn(own);
  const drips = byHand("/api/drips");
  let dripped = 0;
  site.answers["/api/drip"] = (_, response) => {
    drips.response.write(`drop ${(dripped += 1)}`);
    response.writeHead(200, { "Content-Type": "text/plain" }).end();
  };
  const read = await page.evaluate(async () => {
    const reader = (await auth.fetch("/api/drips")).body.getReader();
    const read = [];
    for (let drop = 0; drop < 5; drop += 1) {
      await auth.fetch("/api/drip");
      read.push(new TextDecoder().decode((await reader.read()).value));
    }
    return read;
  });
  assert.deepEqual(read, ["drop 1", "drop 2", "drop 3", "drop 4", "drop 5"]);
  drips.response.write("the last");
  await page.context().close();
});

test("what is small and at once there comes whole, whether its length is known or not", async () => {
  const page = await signedIn(own);
  await page.evaluate(() => {
    window.bodies = [];
    const { addEventListener } = MessagePort.prototype;
    MessagePort.prototype.addEventListener = function (...rest) {
      addEventListener.call(this, "message", ({ data }) => {
        if (data?.[0] === "answer" && data[2]?.body !== undefined) {
          bodies.push(Object.prototype.toString.call(data[2].body));
        }
      });
      return addEventListener.apply(this, rest);
    };
  });
  await open(page, own);
  site.answers["/api/small"] = (request, response) => {
    const known = request.url.endsWith("?known") ? { "Content-Length": 5 } : {};
    response.writeHead(200, { "Content-Type": "text/plain", ...known });
    response.write("sm");
    response.end("all");
  };
  const small = await page.evaluate(async () => {
    const texts = new Set([await (await auth.fetch("/api/small?known")).text()]);
    const known = bodies.pop();
    // A machine that is busy takes its time, now and then.
    while (!bodies.includes("[object ArrayBuffer]")) {
      texts.add(await (await auth.fetch("/api/small")).text());
    }
    return { known, texts: [...texts] };
  });
  assert.deepEqual(small, { known: "[object ArrayBuffer]", texts: ["small"] });
  await page.context().close();
});

test("who reads nothing gets nothing more, as from a plain fetch, and who reads on does", async () => {
  const page = await signedIn(own);
  const stands = async (hand) => {
    for (let [still, before] = [0, 0]; still < 20 && hand.sent < 512 << 20; before = hand.sent) {
      await page.evaluate(() => auth.fetch("/api/calls"));
      still = hand.sent === before ? still + 1 : 0;
    }
    return hand.sent;
  };
  const [plain, kept] = [byHand("/api/plain"), byHand("/api/kept")];
  await page.evaluate(async () => (window.plain = (await fetch("/api/plain")).body.getReader()));
  plain.endless();
  const usual = await stands(plain);
  await page.evaluate(() => plain.cancel());
  await page.evaluate(async () => (window.reader = (await auth.fetch("/api/kept")).body.getReader()));
  kept.endless();
  const before = await stands(kept);
  assert.ok(before < usual + (32 << 20), `${before} bytes, usually ${usual}`);
  await page.evaluate(async (much) => {
    for (let length = 0; length < much; length += (await reader.read()).value.length);
  }, 2 * before);
  const after = await stands(kept);
  assert.ok(after > 2 * before && after < 512 << 20, `${after} bytes, and before that ${before}`);
  await page.context().close();
});

for (const [name, stop, outcome] of [
  ["that is cancelled", (page) => page.evaluate(() => reader.cancel().then(() => reader.read()).then(({ done }) => done)), true],
  ["that is aborted", (page) => page.evaluate(() => {
    abort.abort(new Error("enough"));
    return reader.read().catch(({ message }) => message);
  }), "enough"],
  ["whose page goes to another", (page) => page.goto(`${site.elsewhere}/`).then((answer) => answer.status()), 200],
  ["whose page is closed", (page) => page.close(), undefined],
]) {
  test(`an answer ${name} ends at the server, too`, async () => {
    const page = await signedIn(own);
    const hand = byHand("/api/endless");
    await page.evaluate(async () => {
      window.abort = new AbortController();
      window.reader = (await auth.fetch("/api/endless", { signal: abort.signal })).body.getReader();
    });
    hand.endless();
    await page.evaluate(() => reader.read());
    const context = page.context();
    const other = await visit("/other", { context });
    assert.equal(await open(other, own), "signed_in");
    assert.equal(await stop(page), outcome);
    await hand.closed;
    // It was that answer alone.
    assert.equal(await other.evaluate(() => auth.fetch("/api/calls").then(({ status }) => status)), 200);
    await context.close();
  });
}

test("an answer that breaks off is an error, and no end", async () => {
  const page = await signedIn(own);
  for (const size of [10, 1_000_000]) {
    const hand = byHand("/api/breaks");
    const read = page.evaluate(async () => {
      const reader = (await auth.fetch("/api/breaks")).body.getReader();
      let length = 0;
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) {
            return ["done", length];
          }
          length += value.length;
          window.length = length;
        }
      } catch (error) {
        return [error.name, length];
      }
    });
    await hand.begun;
    hand.response.write(Buffer.alloc(size, 7));
    await page.waitForFunction((size) => window.length === size, size);
    hand.response.destroy();
    assert.deepEqual(await read, ["TypeError", size]);
  }
  await page.context().close();
});

test("an answer is read on when its client is closed", async () => {
  const page = await signedIn(own);
  const hand = byHand("/api/last");
  await page.evaluate(async () => {
    window.last = await auth.fetch("/api/last");
    auth.close();
  });
  hand.response.end("the last words");
  assert.equal(await page.evaluate(() => last.text()), "the last words");
  await page.context().close();
});

test("a page is told what APIs answered when it listens to that, and not before", async () => {
  const page = await signedIn(own);
  const other = await visit("/", { context: page.context() });
  await other.evaluate(() => {
    window.told = [];
    const { addEventListener } = MessagePort.prototype;
    MessagePort.prototype.addEventListener = function (...rest) {
      addEventListener.call(this, "message", ({ data }) => data[0] === "tell" && told.push(JSON.parse(data[1]).type ?? "state"));
      return addEventListener.apply(this, rest);
    };
  });
  await open(other, own);
  await other.evaluate(() => {
    window.heard = [];
    auth.on("renewed", ({ type }) => heard.push(type));
    told.length = 0;
  });
  const renew = () => page.evaluate(async () => {
    const before = auth.session;
    await auth.fetch("/api/calls");
    while (auth.session === before) {
      await auth.renew();
      await new Promise(requestAnimationFrame);
    }
  });
  await renew();
  await other.waitForFunction(() => heard.includes("renewed"));
  assert.equal(await other.evaluate(() => told.includes("api_answered")), false);
  await other.evaluate(() => {
    auth.on("api_answered", ({ type, status }) => heard.push(`${type} ${status}`));
    return auth.fetch("/api/calls");
  });
  await other.waitForFunction(() => heard.at(-1) === "api_answered 200");
  await page.evaluate(() => auth.fetch("/api/calls"));
  await other.waitForFunction(() => heard.filter((text) => text === "api_answered 200").length === 2);
  await page.context().close();
});

test("a call is aborted, before its answer and while it comes", async () => {
  const page = await signedIn(own);
  let closed;
  site.answers["/api/slow"] = (request, response) => {
    closed = new Promise((resolve) => request.on("close", resolve));
    if (request.url.endsWith("?begins")) {
      response.writeHead(200, { "Content-Type": "text/plain" }).write("begins");
    }
  };
  for (const [url, part] of [["/api/slow", "answer"], ["/api/slow?begins", "body"]]) {
    const name = await page.evaluate(async ([url, part]) => {
      const abort = new AbortController();
      const answer = auth.fetch(url, { signal: abort.signal });
      if (part === "answer") {
        await new Promise((resolve) => setTimeout(resolve));
        abort.abort();
        return answer.catch((error) => error.name);
      }
      const reader = (await answer).body.getReader();
      await reader.read();
      abort.abort();
      return reader.read().then(() => "read", (error) => error.name);
    }, [url, part]);
    assert.equal(name, "AbortError", part);
    await closed;
  }
  await page.context().close();
});

test("the keep forgets when no page has been there for a while", async () => {
  const quick = { ...options, lingerSeconds: 0, renewByFrame: false };
  const page = await visit();
  await page.evaluate(() => history.replaceState(null, "", "/"));
  await open(page, quick);
  const other = await visit("/", { context: page.context() });
  await open(other, quick);
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL(`${site.origin}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  // The other page was there all the time.
  assert.equal(await open(page, quick), "signed_in");
  await other.close();
  await reload(page);
  assert.equal(await open(page, quick), "signed_out");
  await page.context().close();
});

test("a worker that does not load gives way to the next kind, or is an error", async () => {
  const page = await visit();
  const worker = "/nowhere.js";
  assert.equal(await open(page, { ...options, keep: "shared", worker }), "signed_out");
  assert.equal(await page.evaluate(() => auth.keep), "page");
  const { code, kind } = await open(page, { ...options, keep: ["shared"], worker });
  assert.deepEqual([code, kind], ["keep_unavailable", "misconfigured"]);
  await page.context().close();
});

test("wasm that does not load in the worker is an error there, too", async () => {
  const page = await visit();
  const { code, kind } = await open(page, { ...options, wasm: "/nowhere.wasm" });
  assert.deepEqual([code, kind], ["wasm_unavailable", "misconfigured"]);
  assert.equal(await open(page, options), "signed_out");
  assert.equal((await open(page, { ...own, wasm: "https://elsewhere.example/tokenkeep.wasm" })).code, "wasm_unavailable");
  await page.context().close();
});

test("options that cannot work are refused by the keep as they are in the page", async () => {
  const page = await visit();
  const told = [];
  const elsewhere = "https://elsewhere.example/callback";
  for (const wrong of [{ redirectUri: elsewhere }, { scope: "openid" }, { keep: "cellar" }, { keep: [] }, { lingerSeconds: "60" }]) {
    const { code, option } = await open(page, { ...options, ...wrong });
    told.push([code, option]);
  }
  assert.deepEqual(told, [
    ["redirect_uri_malformed", undefined],
    ["option_unknown", "scope"],
    ["option_type", "keep"],
    ["option_type", "keep"],
    ["option_type", "lingerSeconds"],
  ]);
  await page.context().close();
});

test("in a worker of its own a page is signed in until it is reloaded", async () => {
  const alone = { ...options, keep: ["worker"], renewByFrame: false };
  const page = await visit();
  await open(page, alone);
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL(`${site.origin}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.deepEqual(await open(page, alone), "signed_in");
  await page.context().close();
});

test("a session is renewed in a hidden frame of a page", async () => {
  const page = await signedIn({ ...own, scopes: "openid profile" });
  // As an app has it that inlines it.
  await page.context().addInitScript({ path: GUARD });
  const renewed = await page.evaluate(async () => {
    const before = auth.session;
    while (auth.session === before) {
      await auth.renew();
      await new Promise(requestAnimationFrame);
    }
    return auth.session.renewedBy;
  });
  assert.equal(renewed, "frame");
  assert.equal(await page.evaluate(() => document.querySelectorAll("iframe").length), 0);
  await page.context().close();
});

test("another user in another tab ends the session here, and is not met", async () => {
  const page = await signedIn(options);
  const other = await visit("/", { context: page.context() });
  await open(other, options);
  await page.evaluate(() => {
    window.reasons = [];
    auth.on("ended", ({ reason }) => reasons.push(reason));
  });
  await other.context().clearCookies();
  await other.evaluate(() => void auth.signIn());
  await answerProvider(other, "bob");
  await other.waitForURL(`${site.origin}/callback?*`);
  await other.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(other, options), "signed_in");
  assert.equal(await other.evaluate(() => auth.session.subject), "user-1002");
  assert.deepEqual(await page.evaluate(() => [auth.session.status, ...reasons]), ["signed_out", "user_changed"]);
  assert.equal(await page.evaluate((url) => auth.fetch(url).catch(({ code }) => code), `${demo.api}me`), "sign_in_needed");
  await page.context().close();
});

test("a sign-in that was begun is finished even if the keep has gone", async () => {
  const page = await visit("/deep?link=1");
  await open(page, options);
  await page.evaluate(() => void auth.signIn());
  // Another name: the pending sign-in is not in this keep.
  const other = { ...options, lingerSeconds: 59 };
  await answerProvider(page);
  await page.waitForURL(`${site.origin}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  await page.evaluate(() => (window.isFirst = true));
  void open(page, other).catch(() => {});
  await page.waitForFunction(() => window.isFirst === undefined && window.tokenkeep !== undefined);
  assert.equal(await open(page, other), "signed_in");
  assert.equal(page.url(), `${site.origin}/deep?link=1`);
  await page.context().close();
});

test("with dpop the code is bound to the key, too, and all tabs and reloads use that key", async () => {
  const bound = { ...own, dpop: true, renewByFrame: false };
  const page = await visit();
  const left = [];
  const jkt = (url) => url.startsWith(`${demo.issuer}/auth?`) && left.push(new URL(url).searchParams.get("dpop_jkt"));
  page.on("request", (request) => jkt(request.url()));
  await open(page, bound);
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL(`${site.origin}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, bound), "signed_in");
  await page.evaluate(() => auth.fetch("/api/calls"));
  await reload(page);
  await open(page, bound);
  await page.evaluate(() => auth.fetch("/api/calls"));
  const other = await visit("/", { context: page.context() });
  await open(other, bound);
  await other.evaluate(() => auth.fetch("/api/calls"));
  const proofs = calls.slice(-3).map(({ headers }) => {
    assert.match(headers.authorization, /^DPoP /);
    const [header, claims] = headers.dpop.split(".").map((part) => Buffer.from(part, "base64url"));
    return { ...JSON.parse(header).jwk, ...JSON.parse(claims) };
  });
  assert.deepEqual(new Set(proofs.map(({ x }) => x)).size, 1);
  assert.deepEqual(new Set(proofs.map(({ jti }) => jti)).size, 3);
  const [{ crv, kty, x, y }] = proofs;
  const thumbprint = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  assert.deepEqual(left, [thumbprint]);
  await page.context().close();
});
