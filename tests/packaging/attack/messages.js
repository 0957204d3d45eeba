// What no page of ours says to a keep.

export const UNKNOWN = ["constructor", "__proto__", "state", "free", "at", "join", "forget", "close", "toString", "", null, 7, {}];

const address = "http://localhost/";

export const MALFORMED = [
  ...[null, undefined, 0, "open", {}, [], [null], [{}], ["constructor"], ["__proto__"], ["message", {}], Array(10_000).fill("open")],
  ...[["open"], ["open", null], ["open", {}], ["abort"], ["abort", {}], ["woke"], ["woke", {}], ["woke", "pageshow"], ["away"]],
  ...[["call"], ["call", 1], ["call", 2, null, "fetch"], ["call", 3, 42, "fetch", {}], ["call", 4, {}, "sign_in", {}]],
  ...[["call", 5, [], "fetch", null], ["call", 6, address, "fetch", { url: {}, headers: 5 }], ["call", 7, address, "sign_in", 5]],
  ...[["call", 8, "", "user_info", {}], ["frame"], ["frame", "1", null], ["frame", 0, { type: "message", data: 5 }], ["frame", -1, {}]],
  ...[["note"], ["note", 5, 5], ["note", "elsewhere", "5"]],
  ...[{}, 5, "{}", null].map((text) => ["note", "tokenkeep.session.", text]),
];
