// The provider's frame (`check_session_iframe`), which is asked every few seconds whether the session there is as it was
// (OpenID Connect Session Management 1.0 §3.1), by a page that is seen. What follows from its answers is decided in the keep.

/** How long between two questions, in milliseconds. */
const INTERVAL = 4_000;

/** How long the frame may take to load, and then to answer, in milliseconds. Twice, because a page may have stood still. */
const PATIENCE = 5_000;

const ANSWERS = ["changed", "error", "unchanged"];

/**
 * `ask(said, about)` tells the keep what the frame says about a message, and promises what to post next, as JSON with `url`, `origin` and
 * `message`; or nothing when there is nothing to watch. What it rejects with is no news, and is asked again later.
 *
 * Call `look(isSignedIn)` whenever a session begins, goes on or ends, and `stop()` in the end.
 */
export function watch(ask) {
  const stopped = new AbortController();
  let isSignedIn = false;
  /** There is nothing to watch in this session. */
  let isOver = false;
  let isBeginning = false;
  /** What is posted, and where. */
  let now;
  let frame;
  let gone = new AbortController();
  let isLoaded = false;
  /** The keep knows that it is unchanged. */
  let isSettled = false;
  let isAsked = false;
  let missed = 0;
  let timer;
  /** What was under way before the last one of these is not waited for. */
  let turn = 0;

  const isSeen = () => document.visibilityState !== "hidden";

  function rest() {
    clearTimeout(timer);
    isAsked = false;
  }

  function later(work, milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  }

  function close() {
    turn += 1;
    rest();
    gone.abort();
    frame?.remove();
    [frame, now, isLoaded, isSettled, missed] = [undefined, undefined, false, false, 0];
  }

  function begin() {
    if (isSignedIn && !isOver && !isBeginning && now === undefined && isSeen()) {
      isBeginning = true;
      tell("begun").finally(() => (isBeginning = false));
    }
  }

  async function tell(said) {
    rest();
    const mine = ++turn;
    const told = await ask(said, now?.message ?? "").catch(() => null);
    if (mine !== turn) {
      return;
    }
    if (typeof told !== "string") {
      isOver = told !== null;
      close();
      return;
    }
    const next = JSON.parse(told);
    isSettled &&= next.message === now?.message;
    const isElsewhere = next.url !== now?.url;
    now = next;
    isElsewhere ? show() : later(post, INTERVAL);
  }

  function show() {
    gone.abort();
    frame?.remove();
    [gone, isLoaded, missed] = [new AbortController(), false, 0];
    const { url, origin } = now;
    const on = (target, event, heard) => target.addEventListener(event, heard, { signal: gone.signal });
    const shown = document.createElement("iframe");
    const attributes = { hidden: "", "aria-hidden": "true", tabindex: "-1", sandbox: "allow-scripts allow-same-origin", src: url };
    Object.entries(attributes).forEach(([name, value]) => shown.setAttribute(name, value));
    shown.style.setProperty("display", "none", "important");
    on(shown, "load", () => {
      if (!isLoaded) {
        isLoaded = true;
        post();
      }
    });
    on(window, "message", ({ data, origin: from, source }) => {
      if (source !== null && source === shown.contentWindow && from === origin && ANSWERS.includes(data) && isAsked) {
        heard(data);
      }
    });
    on(document, "securitypolicyviolation", ({ effectiveDirective, disposition, blockedURI }) => {
      const frames = ["frame-src", "child-src", "default-src"].includes(effectiveDirective) && disposition !== "report";
      if (frames && URL.canParse(blockedURI) && new URL(blockedURI).origin === origin) {
        tell("blocked");
      }
    });
    frame = shown;
    later(silent, PATIENCE);
    (document.body ?? document.documentElement).append(shown);
  }

  function post() {
    rest();
    if (isSeen()) {
      isAsked = true;
      later(silent, PATIENCE);
      frame.contentWindow?.postMessage(now.message, now.origin);
    }
  }

  function heard(said) {
    rest();
    missed = 0;
    if (said === "unchanged" && isSettled) {
      later(post, INTERVAL);
      return;
    }
    isSettled = said === "unchanged";
    tell(said);
  }

  function silent() {
    missed += 1;
    if (!navigator.onLine) {
      // It begins anew when the network is back.
      close();
    } else if (missed > 1) {
      tell("silent");
    } else if (isLoaded) {
      post();
    } else {
      later(silent, PATIENCE);
    }
  }

  const on = (target, event, heard) => target.addEventListener(event, heard, { signal: stopped.signal });
  on(document, "visibilitychange", () => {
    if (!isSeen()) {
      rest();
    } else if (isLoaded) {
      missed = 0;
      post();
    } else {
      begin();
    }
  });
  on(window, "online", begin);

  return {
    look(is) {
      isSignedIn = is;
      if (is) {
        begin();
      } else {
        isOver = false;
        close();
      }
    },
    stop() {
      stopped.abort();
      isSignedIn = false;
      close();
    },
  };
}
