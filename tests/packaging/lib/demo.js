import { spawn } from "node:child_process";
import { once } from "node:events";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

import { freePorts } from "./ports.js";

const SERVER = fileURLToPath(new URL("../../../demo/provider/server.js", import.meta.url));

/** The demo's provider and API, on ports of their own, for apps at these origins. They end with the tests of the file. */
export function startDemo(...appOrigins) {
  return startDemoWith({}, ...appOrigins);
}

/** The same with more in its environment. */
export async function startDemoWith(environment, ...appOrigins) {
  const [providerPort, apiPort] = await freePorts(2);
  const server = spawn(process.execPath, [SERVER], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      NODE_NO_WARNINGS: "1",
      TOKENKEEP_PROVIDER_PORT: providerPort,
      TOKENKEEP_API_PORT: apiPort,
      TOKENKEEP_APP_ORIGINS: appOrigins.join(","),
      TOKENKEEP_END_WITH: process.pid,
      ...environment,
    },
  });
  const exited = once(server, "exit");
  after(async () => {
    server.kill();
    await exited;
  });
  // It says so when both listen.
  await Promise.race([once(server.stdout, "data"), exited.then(([code]) => Promise.reject(new Error(`the provider ended with ${code}`)))]);
  const [issuer, api] = [`http://localhost:${providerPort}`, `http://localhost:${apiPort}/`];
  return {
    issuer,
    api,
    /** What an app that calls the API configures. */
    options: { issuer, clientId: "tokenkeep-demo", api, resource: api, scopes: "openid profile email offline_access orders:read" },
  };
}

/** Answers the provider's questions, wherever the browser is sent to it. */
export async function answerProvider(page, login = "alice") {
  await page.fill("#login", login);
  await page.fill("#password", `${login}-password`);
  await page.click("button.main");
  await page.click("button[value=allow]");
}
