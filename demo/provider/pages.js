// Everything that the provider shows to a person. No page loads anything, and whatever is put into one is escaped.

import { randomBytes } from 'node:crypto';

import { demoUsers } from './accounts.js';
import { DEMO_CODE } from './steps.js';

const SCOPES_IN_WORDS = {
  openid: 'Know that it is you',
  profile: 'See your name and user name',
  email: 'See your email address',
  offline_access: 'Keep you signed in',
  'orders:read': 'See your orders',
};

export function signIn({ client, login, refused = false }) {
  return {
    title: 'Sign in',
    body: html`
      <p>to continue to <strong>${nameOf(client)}</strong></p>
      ${refused && html`<p class="problem" id="problem" role="alert">Wrong user name or password.</p>`}
      <form method="post">
        <label for="login">User name</label>
        <input id="login" name="login" value="${login}" required autocomplete="username" autocapitalize="none"
          spellcheck="false" ${focusIf(!login)} ${describedIf(refused)}>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" required autocomplete="current-password"
          ${focusIf(login)} ${describedIf(refused)}>
        <div class="buttons">
          <button type="submit" class="main">Sign in</button>
          <button type="submit" name="decision" value="deny" formnovalidate>Cancel</button>
        </div>
      </form>
      <aside>
        <h2>Demo users</h2>
        <ul>
          ${demoUsers.map(({ login, password }) => html`<li><code>${login}</code> with <code>${password}</code></li>`)}
        </ul>
      </aside>`,
  };
}

export function secondStep({ client, account, refused = false }) {
  return {
    title: 'One more step',
    body: html`
      <p><strong>${nameOf(client)}</strong> is about to do something that takes more than your password. You are signed in as
        <strong>${account.claims.name}</strong>.</p>
      ${refused && html`<p class="problem" id="problem" role="alert">That is not the code.</p>`}
      <form method="post">
        <label for="code">Code</label>
        <input id="code" name="code" required autofocus autocomplete="one-time-code" inputmode="numeric" ${describedIf(refused)}>
        <div class="buttons">
          <button type="submit" class="main">Go on</button>
          <button type="submit" name="decision" value="deny" formnovalidate>Cancel</button>
        </div>
      </form>
      <aside>
        <h2>Demo code</h2>
        <p>Your telephone would show <code>${DEMO_CODE}</code></p>
      </aside>`,
  };
}

export function signUp({ client, login, refused = false }) {
  return {
    title: 'Create an account',
    body: html`
      <p>for <strong>${nameOf(client)}</strong>. It is gone when the provider ends.</p>
      ${refused && html`<p class="problem" id="problem" role="alert">That user name is taken, or something is missing.</p>`}
      <form method="post">
        <label for="name">Your name</label>
        <input id="name" name="name" required autocomplete="name" autofocus>
        <label for="login">User name</label>
        <input id="login" name="login" value="${login}" required autocomplete="username" autocapitalize="none"
          spellcheck="false" ${describedIf(refused)}>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" required autocomplete="new-password">
        <div class="buttons">
          <button type="submit" class="main">Create</button>
          <button type="submit" name="decision" value="deny" formnovalidate>Cancel</button>
        </div>
      </form>`,
  };
}

export function consent({ client, account, scopes, details = [] }) {
  return {
    title: `Allow ${nameOf(client)}?`,
    body: html`
      <p>You are signed in as <strong>${account.claims.name}</strong> (${account.login}).
        <strong>${nameOf(client)}</strong> would like to:</p>
      <ul class="scopes">
        ${scopes.map((scope) => html`<li>${SCOPES_IN_WORDS[scope] ?? scope}</li>`)}
        ${details.map(({ actions, identifier }) =>
          html`<li>${actions.join(' and ')} ${identifier ? html`order <code>${identifier}</code>` : 'your orders'}</li>`)}
      </ul>
      <form method="post">
        <div class="buttons">
          <button type="submit" name="decision" value="allow" class="main">Allow</button>
          <button type="submit" name="decision" value="deny">Deny</button>
        </div>
      </form>`,
  };
}

/** Where the user types the code that a device shows. `secret` is what oidc-provider wants back with it. */
export function userCode({ action, secret, code = '', problem }) {
  return {
    title: 'Connect a device',
    body: html`
      ${problem
        ? html`<p class="problem" id="problem" role="alert">${problem}</p>`
        : html`<p>Enter the code that your device shows.</p>`}
      <form method="post" action="${action}">
        <input type="hidden" name="xsrf" value="${secret}">
        <label for="user-code">Code</label>
        <input id="user-code" name="user_code" value="${code}" required autofocus autocomplete="off"
          autocapitalize="characters" spellcheck="false" ${describedIf(problem)}>
        <div class="buttons"><button type="submit" class="main">Continue</button></div>
      </form>`,
  };
}

/** `form` is oidc-provider's own form, without a button. */
export function userCodeConfirmation({ form, client, code }) {
  return {
    title: `Connect ${nameOf(client)}?`,
    body: html`
      <p>Your device should show this code:</p>
      <p><strong class="code">${code}</strong></p>
      <p>If you have no device that shows it, somebody else may be trying to get into your account.</p>
      ${new Html(form)}
      <div class="buttons">
        <button type="submit" form="op.deviceConfirmForm" class="main">Continue</button>
        <button type="submit" form="op.deviceConfirmForm" name="abort" value="yes">Cancel</button>
      </div>`,
  };
}

export function deviceConnected({ client }) {
  return { title: 'Connected', body: html`<p><strong>${nameOf(client)}</strong> is signed in. You may close this page.</p>` };
}

/** `form` is oidc-provider's own form, without a button. It is sent by itself if a known app asked for the sign-out. */
export function signOut({ form, client }) {
  return {
    title: client ? `Signing out of ${nameOf(client)}` : 'Sign out?',
    body: html`
      <p>You will be signed out of the provider.</p>
      ${new Html(form)}
      <div class="buttons">
        <button type="submit" form="op.logoutForm" name="logout" value="yes" id="sign-out" class="main">Sign out</button>
      </div>`,
    script: client && "document.getElementById('sign-out').click();",
  };
}

export function signedOut({ home }) {
  return { title: 'Signed out', body: html`<p>You are signed out of the provider.</p>${backTo(home)}` };
}

/** A link for each app to its `initiate_login_uri` (OpenID Connect Core §4). */
export function apps({ issuer, appOrigins }) {
  const link = (origin) => {
    const asked = new URLSearchParams({ iss: issuer, login_hint: 'alice', target_link_uri: `${origin}/profile` });
    return html`<li><a href="${origin}/initiate?${asked.toString()}">Open the app</a> at <code>${origin}</code></li>`;
  };
  return { title: 'Your apps', body: html`<p>Opened from here, an app begins to sign you in by itself.</p><ul>${appOrigins.map(link)}</ul>` };
}

export function expired({ home }) {
  return {
    title: 'This page has expired',
    body: html`
      <p>It belongs to a sign-in that is over, or was begun too long ago. Please start again from the app.</p>
      ${backTo(home)}`,
  };
}

export function problem({ error, error_description, home }) {
  return {
    title: 'That did not work',
    body: html`
      <p>The provider could not carry out what the app asked for.</p>
      <p role="alert"><code>${error}</code><br>${error_description}</p>
      ${backTo(home)}`,
  };
}

/** Answers with a page, and with a policy that lets it run and load nothing but what is in it. */
export function show(ctx, { title, body, script }) {
  const nonce = randomBytes(16).toString('base64');
  if (ctx.status === 404) ctx.status = 200;
  ctx.type = 'html';
  ctx.set({
    'Cache-Control': 'no-store',
    // No form-action: Chromium applies it to the redirect after the form too, which goes to the app.
    'Content-Security-Policy': [
      "default-src 'none'",
      `style-src 'nonce-${nonce}'`,
      ...(script ? [`script-src 'nonce-${nonce}'`] : []),
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  });
  ctx.body = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <meta name="color-scheme" content="light dark">
    <title>${title} · tokenkeep demo provider</title>
    <style nonce="${nonce}">${STYLE}</style>
  </head>
  <body>
    <main>
      <p class="brand">tokenkeep demo provider</p>
      <h1>${title}</h1>
      ${body}
    </main>
    ${script && html`<script nonce="${nonce}">${new Html(script)}</script>`}
  </body>
</html>
`.text;
}

const nameOf = (client) => client.clientName ?? client.clientId;
const backTo = (home) => html`<p><a href="${home}">Back to the app</a></p>`;
const focusIf = (wanted) => wanted && new Html('autofocus');
const describedIf = (refused) => refused && new Html('aria-invalid="true" aria-describedby="problem"');

class Html {
  constructor(text) {
    this.text = text;
  }
}

function html(strings, ...values) {
  return new Html(strings.reduce((text, string, i) => text + textOf(values[i - 1]) + string));
}

function textOf(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(textOf).join('');
  if (value === undefined || value === null || value === false) return '';
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt()};`);
}

const STYLE = new Html(`
  :root {
    color-scheme: light dark;
    --ground: #f3f1ec; --card: #fff; --text: #1f2328; --quiet: #5b6168; --line: #d4d0c7;
    --main: #1f4f8f; --on-main: #fff; --problem: #a4161a; --problem-ground: #fdecec;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --ground: #15181c; --card: #1f2328; --text: #eceae5; --quiet: #a3a9b0; --line: #41474e;
      --main: #8bb8f0; --on-main: #10161e; --problem: #ffb3b0; --problem-ground: #45191b;
    }
  }
  * { box-sizing: border-box; }
  body {
    margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
    background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif;
  }
  main {
    width: 100%; max-width: 25rem; padding: 1.75rem; overflow-wrap: anywhere;
    background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  }
  .brand { margin: 0 0 1.25rem; color: var(--quiet); font-size: .875rem; }
  h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; }
  h1 + p { margin-top: .25rem; }
  label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
  input {
    width: 100%; padding: .6rem .75rem; font: inherit; color: inherit;
    background: var(--ground); border: 1px solid var(--quiet); border-radius: .4rem;
  }
  .buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem; }
  button {
    flex: 1; padding: .6rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
    color: inherit; background: transparent; border: 1px solid var(--quiet); border-radius: .4rem;
  }
  .main { color: var(--on-main); background: var(--main); border-color: var(--main); }
  a { color: var(--main); }
  :focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
  .problem { padding: .6rem .75rem; color: var(--problem); background: var(--problem-ground); border-radius: .4rem; }
  aside { margin-top: 1.75rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--quiet); font-size: .875rem; }
  aside h2 { margin: 0; font-size: inherit; }
  aside ul { margin: .25rem 0 0; padding-left: 1.1rem; }
  .code { font: 1.75rem ui-monospace, monospace; letter-spacing: .1em; }
  .scopes { padding-left: 1.2rem; }
  .scopes li { padding: .15rem 0; }
`);
