// The window of a sign-in: opened in the click, watched, and heard by a channel that only who knows the `state` can name.

/** How long the user may take, in milliseconds: as long as the sign-in is good. */
const LIFE = 600_000;

/** How often is looked, in milliseconds, and how often the window must be seen closed while the user looks at this page. */
const LOOK = 250;
const LOOKS = 4;

/** The sign-in that is under way: a page has one such window. */
let current;

/**
 * Signs in in a window of its own. It is opened before this returns, because a browser allows that in a click only. `call` asks the keep:
 * `begin_popup`, `finish_popup` and `end_popup`, with texts; what it refuses with is thrown as it is.
 */
export async function popUp(call, options, signal, blocked = () => call("end_popup", "", "popup_blocked")) {
  signal?.throwIfAborted();
  if (current?.taken > 0) {
    // The provider has answered already: whoever that is signs in.
    return current.outcome;
  }
  const popup = window.open("", "_blank", features());
  // What blocks windows may also close them.
  if (popup?.closed !== false) {
    return blocked();
  }
  current?.end("popup_superseded");
  const attempt = { taken: 0 };
  current = attempt;
  attempt.outcome = signedIn(attempt, popup, call, options, signal).finally(() => {
    current = current === attempt ? undefined : current;
    popup.close();
  });
  return attempt.outcome;
}

async function signedIn(attempt, popup, call, options, signal) {
  const over = new AbortController();
  const ended = new Promise((_, reject) => over.signal.addEventListener("abort", () => reject(over.signal.reason)));
  ended.catch(() => {});
  // When the response is being redeemed it is too late for that.
  attempt.end = (why) => attempt.taken === 0 && over.abort(why);

  let [isSent, seen, missed] = [false, 0, 0];
  const until = Date.now() + LIFE;
  const look = () => {
    if (Date.now() > until) {
      attempt.end("timed_out");
    } else if (!popup.closed) {
      seen += isElsewhere(popup) ? 1 : 0;
      missed = 0;
    } else if (!isSent) {
      attempt.end("popup_closed");
    } else if (seen > 1) {
      // A provider's Cross-Origin-Opener-Policy makes it look closed too, but from the start, or while the user looks at it.
      missed = document.hasFocus() ? missed + 1 : 0;
      missed >= LOOKS && attempt.end("popup_closed");
    }
  };
  const watch = setInterval(look, LOOK);
  const cancel = () => attempt.end("cancelled");
  signal?.addEventListener("abort", cancel);

  let [state, channel] = [""];
  let begun;
  try {
    begun = call("begin_popup", options);
    const told = JSON.parse(await Promise.race([begun, ended]));
    state = told.state;
    channel = new BroadcastChannel(`tokenkeep.popup.${state}`);
    const answered = new Promise((resolve, reject) => {
      channel.onmessage = async ({ data }) => {
        if (typeof data !== "string" || over.signal.aborted) {
          return;
        }
        attempt.taken++;
        channel.postMessage(true);
        const session = await call("finish_popup", state, data).catch(reject);
        // Nothing: that was no response to this, or came before.
        session === undefined ? attempt.taken-- : resolve(session);
      };
    });
    popup.location.replace(told.url);
    isSent = true;
    return await Promise.race([answered, ended]);
  } catch (why) {
    if (!over.signal.aborted) {
      throw why;
    }
    if (state === "") {
      begun.then((told) => call("end_popup", JSON.parse(told).state, "cancelled")).catch(() => {});
    }
    const refused = call("end_popup", state, why);
    if (signal?.aborted) {
      refused.catch(() => {});
      throw signal.reason;
    }
    return await refused;
  } finally {
    clearInterval(watch);
    signal?.removeEventListener("abort", cancel);
    channel?.close();
  }
}

/** Whether it shows a page of another origin. */
function isElsewhere(popup) {
  try {
    return popup.location.href === undefined;
  } catch {
    return true;
  }
}

/** In the middle of this window. */
function features() {
  const [width, height] = [480, 680];
  const left = Math.max(0, Math.round(screenX + (outerWidth - width) / 2));
  const top = Math.max(0, Math.round(screenY + (outerHeight - height) / 2));
  return `popup,width=${width},height=${height},left=${left},top=${top}`;
}
