// Where a token must not go, however it is written.

/** Addresses that look like those of `/v1/` at the shelf, or may be read as being there. */
export function lookalikes({ shelf, collector }) {
  const [shelfPort, evilPort] = [shelf, collector].map(({ origin }) => new URL(origin).port);
  const [here, evil] = [`localhost:${shelfPort}`, `127.0.0.1:${evilPort}`];
  const ports = [evil, `localhost:${evilPort}`, `2130706433:${evilPort}`, `0x7f.1:${evilPort}`];
  const names = ["127.0.0.1", "localhost.", "LOCALHOST.", "[::1]", "sub.localhost"].map((name) => `${name}:${shelfPort}`);
  const longer = ["localhost.evil.example", `${here}.evil.example`, "xlocalhost.evil.example"].map((name) => `${name}:${evilPort}`);
  const users = [`${here}@${evil}`, `user@${here}`, `${here}%40${evil}`, `${here}%2f@${evil}`, `${here};@${evil}`, `${here},${evil}`];
  const ends = [`${evil}%23@${here}`, `${evil}#@${here}`, `${evil}?@${here}`, `${evil}\\@${here}`, `${here}\\@${evil}`];
  const hosts = [...ports, ...names, ...longer, ...users, ...ends].map((host) => `http://${host}/v1/`);
  const schemes = ["https://", "http:\\\\", "http:/", "HTTP://", " http://", "//", "/\\", "\\\\", "ws://", "blob:http://"];
  return [...hosts, ...schemes.flatMap((scheme) => [`${scheme}${evil}/v1/`, `${scheme}${here}@${evil}/v1/`])];
}

/** Paths outside of `/v1/`, as a browser or a server reads them. */
export const OUTSIDE = [
  ...["/", "/v1", "/v10/", "/V1/", "/v1%2f", "//v1/", "/outside?/v1/", "/outside#/v1/", "/outside/..;/v1/", "/%76%31/../outside"],
  ...["/v1/../outside", "/v1/%2e%2e/outside", "/v1/.%2E/outside", "/v1/..%2foutside", "/v1/%2e%2e%2Foutside", "/v1/..%5coutside"],
  ...["/v1/..\\outside", "/v1\\..\\outside", "/v1/\t../outside", "/v1/..", "/v1/%2e%2e", "/v1/..%2f?x", "/v1/..%2f#x"],
  ...["/v1/x/../../outside", "/v1/x%2f..%2f..%2foutside", "/v1/x/%2e%2e%5c..%5coutside"],
];

/** Outside for a server that ignores parameters of segments, or decodes twice. */
export const AMBIGUOUS = [
  ...["/v1/..;/outside", "/v1/..;x=1/outside", "/v1/%2e%2e;/outside"],
  ...["/v1/%252e%252e/outside", "/v1/..%252foutside", "/v1/..%255coutside"],
];

/** Addresses at the shelf from which it redirects to these. */
export function redirects(shelf, places) {
  const address = (to, status) => `${shelf.api}redirect?${new URLSearchParams({ to, status })}`;
  return places.flatMap((to) => [301, 302, 303, 307, 308].map((status) => address(to, status)));
}
