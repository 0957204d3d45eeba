// Sees to it that the provider and the API run while Trunk serves the app: its pre_build hook, so it comes on every
// rebuild and usually has nothing to do. `npm start` is the way to run them by hand.

import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { InvalidEnvironment, readConfig } from './config.js';

const HERE = import.meta.dirname;
const TARGET = join(HERE, '../../target');
const LOG = join(TARGET, 'tokenkeep-provider.log');
const PATIENCE = 15_000;

class CannotStart extends Error {}

try {
  const trunk = findTrunk();
  if (!process.env.TOKENKEEP_NO_PROVIDER && trunk?.command !== 'build') {
    await start(readConfig(), trunk?.pid ?? process.ppid);
  }
} catch (error) {
  if (!(error instanceof InvalidEnvironment || error instanceof CannotStart)) throw error;
  console.error(`tokenkeep demo: ${error.message}`);
  process.exitCode = 1;
}

async function start(config, endWith) {
  if (!existsSync(join(HERE, 'node_modules'))) {
    throw new CannotStart('the provider is not installed, run: npm ci --prefix demo/provider');
  }

  // Those of a Trunk that was just stopped answer that they are ending: wait until they have.
  const states = await until(
    () => portStates(config),
    (states) => !states.includes('ending'),
  );
  if (states.every((state) => state === 'healthy')) return;
  for (const [i, variable, port] of [
    [0, 'TOKENKEEP_PROVIDER_PORT', config.providerPort],
    [1, 'TOKENKEEP_API_PORT', config.apiPort],
  ]) {
    if (states[i] !== 'free') {
      throw new CannotStart(`port ${port} is taken by something else: free it, or set ${variable} to another one`);
    }
  }

  const server = spawnServer(endWith);
  let exited = false;
  server.once('exit', () => (exited = true));
  server.once('error', () => (exited = true));
  const reached = await until(
    () => portStates(config),
    (states) => exited || states.every((state) => state === 'healthy'),
  );
  if (exited || !reached.every((state) => state === 'healthy')) {
    server.kill();
    throw new CannotStart(`the provider did not start. The end of ${LOG}:\n${logLines().slice(-20).join('\n')}`);
  }
  server.unref();
  console.log(logLines().find((line) => line.startsWith('tokenkeep demo: ')));
}

function spawnServer(endWith) {
  mkdirSync(TARGET, { recursive: true });
  const log = openSync(LOG, 'w');
  try {
    return spawn(process.execPath, [join(HERE, 'server.js')], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, TOKENKEEP_END_WITH: String(endWith) },
    });
  } finally {
    closeSync(log);
  }
}

function logLines() {
  return readFileSync(LOG, 'utf8').trimEnd().split('\n');
}

function portStates({ providerPort, apiPort }) {
  return Promise.all([providerPort, apiPort].map(portState));
}

async function portState(port) {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`, {
      headers: { Connection: 'close' },
      redirect: 'manual',
      signal: AbortSignal.timeout(2000),
    });
    return { ok: 'healthy', ending: 'ending' }[await response.text()] ?? 'foreign';
  } catch (error) {
    return ['ECONNREFUSED', 'ECONNRESET'].includes(error.cause?.code) ? 'free' : 'foreign';
  }
}

async function until(look, isGood) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (isGood(seen) || Date.now() > deadline) return seen;
    await pause(100);
  }
}

/** The Trunk that runs us, directly or through a shell, and whether it builds, watches or serves. */
function findTrunk() {
  let pid = process.ppid;
  for (let steps = 0; pid > 1 && steps < 4; steps += 1) {
    const [program, ...args] = commandLine(pid);
    if (/^trunk(\.exe)?$/.test(basename(program))) {
      return { pid, command: args.find((arg) => ['build', 'serve', 'watch'].includes(arg)) };
    }
    pid = Number(ps('ppid=', pid));
  }
  return undefined;
}

function commandLine(pid) {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, 'utf8').split('\0') : ps('args=', pid).split(' ');
}

function ps(what, pid) {
  try {
    return execFileSync('ps', ['-o', what, '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
