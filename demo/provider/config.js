// What the environment says, read once and checked. README.md has the table.

export class InvalidEnvironment extends Error {}

const YEAR = 365 * 24 * 60 * 60;

export function readConfig(env = process.env) {
  const providerPort = integer(env, 'TOKENKEEP_PROVIDER_PORT', 9400, 65535);
  const apiPort = integer(env, 'TOKENKEEP_API_PORT', 9500, 65535);
  if (apiPort === providerPort) {
    throw new InvalidEnvironment(`TOKENKEEP_API_PORT must differ from TOKENKEEP_PROVIDER_PORT, both are ${apiPort}`);
  }

  return {
    issuer: origin('TOKENKEEP_ISSUER', env.TOKENKEEP_ISSUER || `http://localhost:${providerPort}`),
    providerPort,
    apiPort,
    apiOrigin: origin('TOKENKEEP_API_ORIGIN', env.TOKENKEEP_API_ORIGIN || `http://localhost:${apiPort}`),
    resource: `http://localhost:${apiPort}/`,
    appOrigins: (env.TOKENKEEP_APP_ORIGINS || 'http://127.0.0.1:8080,http://localhost:8080')
      .split(',')
      .map((text) => origin('TOKENKEEP_APP_ORIGINS', text.trim())),
    lifetimes: {
      accessToken: integer(env, 'TOKENKEEP_ACCESS_TOKEN_TTL', 300, YEAR),
      idToken: integer(env, 'TOKENKEEP_ID_TOKEN_TTL', 3600, YEAR),
      refreshToken: integer(env, 'TOKENKEEP_REFRESH_TOKEN_TTL', 86400, YEAR),
      session: integer(env, 'TOKENKEEP_SESSION_TTL', 86400, YEAR),
      deviceCode: integer(env, 'TOKENKEEP_DEVICE_CODE_TTL', 600, YEAR),
    },
    stepUpMaxAge: integer(env, 'TOKENKEEP_STEP_UP_MAX_AGE', 300, YEAR),
    deviceInterval: integer(env, 'TOKENKEEP_DEVICE_INTERVAL', 5, 3600),
    coop: !!env.TOKENKEEP_COOP,
    requirePar: !!env.TOKENKEEP_REQUIRE_PAR,
    dpopNonces: !env.TOKENKEEP_NO_DPOP_NONCES,
    endWith: integer(env, 'TOKENKEEP_END_WITH', undefined, 2 ** 31 - 1),
  };
}

function integer(env, name, fallback, max) {
  const text = env[name];
  if (!text) return fallback;
  const value = Number(text);
  if (!/^[1-9]\d*$/.test(text) || value > max) {
    throw new InvalidEnvironment(`${name} must be a whole number from 1 to ${max}, not ${JSON.stringify(text)}`);
  }
  return value;
}

function origin(name, text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!/^https?:$/.test(url?.protocol) || url.origin !== text) {
    throw new InvalidEnvironment(
      `${name} must hold origins such as http://127.0.0.1:8080, without a path, not ${JSON.stringify(text)}`,
    );
  }
  return text;
}
