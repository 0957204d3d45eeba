// OpenID Connect Session Management 1.0, which oidc-provider does not have: `session_state` in responses, a cookie that a script may read, and
// the page that an app puts into a frame to ask whether the session is as it was.

import { createHash, createHmac, randomBytes } from 'node:crypto';

const COOKIE = 'tokenkeep_session_state';
export const CHECK_SESSION = '/session/check';

/** Adds it to a provider. What of it is a middleware is returned. */
export function checkSession(provider, { issuer, appOrigins }) {
  const key = randomBytes(32);
  const secure = issuer.startsWith('https:');
  // Where it is not https, a browser gives the cookie to frames of the same site only.
  const options = { httpOnly: false, overwrite: true, path: CHECK_SESSION, sameSite: secure ? 'none' : 'lax', secure, signed: false };

  provider.on('authorization.success', (ctx, response) => {
    const { client, params, session } = ctx.oidc;
    if (!response || !session?.accountId || !params.redirect_uri || !params.scope?.split(' ').includes('openid')) return;
    const state = createHmac('sha256', key).update(`${session.uid} ${session.accountId} ${session.loginTs}`).digest('base64url');
    ctx.cookies.set(COOKIE, state, options);
    const salt = randomBytes(12).toString('base64url');
    const hash = createHash('sha256').update(`${client.clientId} ${new URL(params.redirect_uri).origin} ${state} ${salt}`);
    response.session_state = `${hash.digest('base64url')}.${salt}`;
  });

  provider.on('end_session.success', (ctx) => {
    if (ctx.oidc.session?.destroyed) ctx.cookies.set(COOKIE, randomBytes(12).toString('base64url'), options);
  });

  return async (ctx, next) => {
    if (ctx.path !== CHECK_SESSION) return next();
    const nonce = randomBytes(16).toString('base64');
    ctx.type = 'html';
    ctx.set({
      'Cache-Control': 'no-store',
      'Content-Security-Policy': `default-src 'none'; script-src 'nonce-${nonce}'; frame-ancestors ${appOrigins.join(' ')}`,
      'Referrer-Policy': 'no-referrer',
    });
    ctx.body = `<!doctype html><title>session</title><script nonce="${nonce}">(${script})('${COOKIE}')</script>`;
  };
}

/** Runs in the frame (§3.2, §4.2 of the specification). It answers nobody but the page around it. */
function script(name) {
  addEventListener('message', async ({ data, origin, source }) => {
    if (source !== parent) return;
    const [clientId, sessionState, ...rest] = typeof data === 'string' ? data.split(' ') : [];
    const salt = sessionState?.split('.')[1];
    if (!clientId || !salt || rest.length > 0) {
      source.postMessage('error', origin);
      return;
    }
    const cookie = document.cookie.split('; ').find((cookie) => cookie.startsWith(`${name}=`));
    const text = new TextEncoder().encode(`${clientId} ${origin} ${cookie?.slice(name.length + 1)} ${salt}`);
    const hash = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', text))));
    const now = `${hash.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}.${salt}`;
    source.postMessage(now === sessionState ? 'unchanged' : 'changed', origin);
  });
}
