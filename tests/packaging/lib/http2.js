import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createSecureServer } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";

/** A server that speaks HTTP/2, with a certificate of its own making. Gives its origin. */
export async function serveHttp2(answer) {
  const folder = await mkdtemp(join(tmpdir(), "tokenkeep-"));
  const [key, cert] = ["key", "cert"].map((name) => join(folder, `${name}.pem`));
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await promisify(execFile)("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    cert,
    ...subject,
  ]);
  const server = createSecureServer({ key: await readFile(key), cert: await readFile(cert) }, answer);
  await rm(folder, { recursive: true });
  const sessions = new Set();
  server.on("session", (session) => sessions.add(session.on("close", () => sessions.delete(session))));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(async () => {
    server.close();
    sessions.forEach((session) => session.destroy());
    await once(server, "close");
  });
  return `https://localhost:${server.address().port}`;
}
