import type { App } from "../app.js";
import { type Child, h } from "../dom.js";
import { phase, signInButton } from "../header.js";
import { problem, troubleOf } from "../problem.js";
import { page } from "../router.js";
import { Cell, part } from "../source.js";

interface Order {
  id: string;
  placed_on: string;
  item: string;
  quantity: number;
  total: string;
  currency: string;
  status: string;
}

/** A guarded deep link: whoever opens it signed out is sent to sign in, and comes back here. */
export function orders(app: App): Child {
  const { auth } = app;
  // Nobody is sent twice: who signed out a moment ago or while looking, and who was sent once, is asked instead.
  let settled = auth.signedOutJustNow;
  const leaving = new Cell(false);

  function leave(): void {
    settled = true;
    leaving.set(true);
    const stay = () => leaving.set(false);
    // Whoever comes back to a page that the browser kept alive did not sign in.
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted) stay();
    });
    auth.signIn().catch(stay);
  }

  return page(
    "Orders",
    part(auth, phase, (now) => {
      if (now === "unknown") return oneMoment();
      if (now === "in") {
        settled = true;
        return orderTable(app);
      }
      if (!settled && auth.session.status === "signed_out") leave();
      return part(
        leaving,
        (is) => is,
        (is) => (is ? oneMoment() : [h("p", { class: "lead" }, "You are signed out. Sign in to see your orders."), signInButton(auth)]),
      );
    }),
  );
}

function oneMoment(): Child {
  return h("p", { class: "lead", role: "status" }, "One moment: this page is for who is signed in…");
}

function orderTable({ auth, api }: App): Child {
  const answer = new Cell<Child>(h("p", { class: "lead", role: "status" }, "Loading your orders…"));
  void api
    .get("/orders")
    .then(async (response) => {
      if (!response.ok) return h("p", { class: "problem", role: "alert" }, `The API answered ${response.status}.`);
      return table(((await response.json()) as { orders: Order[] }).orders);
    })
    .catch((error: unknown) => problem("Your orders could not be loaded", troubleOf(error), signInButton(auth)))
    .then((shown) => answer.set(shown));
  return part(
    answer,
    (shown) => shown,
    (shown) => shown,
  );
}

function table(orders: readonly Order[]): Child {
  const heading = (text: string) => h("th", { scope: "col" }, text);
  return [
    h("p", { class: "lead" }, "What you have ordered, as the API tells it to who holds ", h("code", {}, "orders:read"), "."),
    h(
      "table",
      { id: "orders" },
      h("thead", {}, h("tr", {}, ["Order", "Item", "Total", "Status"].map(heading))),
      h("tbody", {}, orders.map(row)),
    ),
  ];
}

function row({ id, placed_on, item, quantity, total, currency, status }: Order): HTMLElement {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, id, h("small", {}, placed_on)),
    h("td", {}, item, h("small", {}, "Quantity: ", String(quantity))),
    h("td", {}, total, " ", h("small", {}, currency)),
    h("td", {}, status),
  );
}
