// Runs the provider and the API in one process until told to end.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { createRemoteJWKSet } from 'jose';

import { createApi } from './api.js';
import { createBackend } from './backend.js';
import { InvalidEnvironment, readConfig } from './config.js';
import { createProvider } from './provider.js';

const HOST = '127.0.0.1';

class PortRefused extends Error {}

try {
  await run(readConfig());
} catch (error) {
  if (!(error instanceof InvalidEnvironment || error instanceof PortRefused)) throw error;
  console.error(`tokenkeep demo: ${error.message}`);
  process.exit(1);
}

async function run(config) {
  const { issuer, providerPort, apiPort, appOrigins, endWith } = config;
  const isAlive = () => endWith === undefined || exists(endWith);

  const provider = createServer((await createProvider(config, isAlive)).callback());
  const keys = createRemoteJWKSet(new URL(`http://${HOST}:${providerPort}/jwks`));
  const api = createApi(config, keys, isAlive, createBackend(config));
  await listen(provider, providerPort, 'TOKENKEEP_PROVIDER_PORT');
  await listen(api, apiPort, 'TOKENKEEP_API_PORT');

  const end = () => {
    clearInterval(watch);
    for (const server of [provider, api]) {
      server.close();
      // An open request gets a moment, an idle connection none.
      setTimeout(() => server.closeAllConnections(), 1000).unref();
    }
  };
  const watch = endWith === undefined ? undefined : setInterval(() => isAlive() || end(), 1000);
  process.once('SIGTERM', end);
  process.once('SIGINT', end);

  console.log(`tokenkeep demo: provider ${issuer}, API http://localhost:${apiPort}, app ${appOrigins.join(' or ')}`);
}

async function listen(server, port, variable) {
  try {
    server.listen(port, HOST);
    await once(server, 'listening');
  } catch (error) {
    const state = error.code === 'EADDRINUSE' ? 'taken' : `refused (${error.code})`;
    throw new PortRefused(`port ${port} is ${state}: free it, or set ${variable} to another one`);
  }
}

function exists(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}
