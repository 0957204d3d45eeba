// What the provider asks a person: who are you (or who will you be), and may this app.

import { errors } from 'oidc-provider';

import { accountWithPassword, accountWithSub, newAccount } from './accounts.js';
import * as pages from './pages.js';
import { DEMO_CODE, PASSWORD_ALONE, SECOND_STEP } from './steps.js';

const MAX_FORM_BYTES = 8192;

export function interactions(provider, home) {
  const questions = { create: signUp, login: signIn, second_step: secondStep, consent };

  return async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    if (!['GET', 'HEAD', 'POST'].includes(ctx.method)) ctx.throw(405);

    try {
      const interaction = await provider.interactionDetails(ctx.req, ctx.res);
      const client = await provider.Client.find(interaction.params.client_id);
      const form = ctx.method === 'POST' ? await readForm(ctx) : undefined;

      const answer = form?.get('decision') === 'deny'
        ? { error: 'access_denied', error_description: 'the user said no' }
        : await questions[interaction.prompt.name]({ provider, ctx, interaction, client, form });
      if (!answer) return;

      ctx.status = 303;
      const mergeWithLastSubmission = 'consent' in answer;
      ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, answer, { mergeWithLastSubmission }));
    } catch (error) {
      if (!(error instanceof errors.SessionNotFound)) throw error;
      ctx.status = 400;
      pages.show(ctx, pages.expired({ home }));
    }
  };
}

function signIn({ ctx, interaction, client, form }) {
  if (!form) {
    const login = interaction.params.login_hint ?? accountWithSub(interaction.session?.accountId)?.login ?? '';
    return pages.show(ctx, pages.signIn({ client, login }));
  }
  const login = form.get('login')?.trim() ?? '';
  const account = accountWithPassword(login, form.get('password'));
  if (!account) return pages.show(ctx, pages.signIn({ client, login, refused: true }));
  return { login: { accountId: account.claims.sub, acr: PASSWORD_ALONE, amr: ['pwd'] } };
}

function signUp({ ctx, client, form }) {
  if (!form) return pages.show(ctx, pages.signUp({ client, login: '' }));
  const [login, name] = ['login', 'name'].map((field) => form.get(field)?.trim() ?? '');
  const password = form.get('password') ?? '';
  const account = login && name && password ? newAccount({ login, password, name }) : undefined;
  if (!account) return pages.show(ctx, pages.signUp({ client, login, refused: true }));
  return { create: {}, login: { accountId: account.claims.sub, acr: PASSWORD_ALONE, amr: ['pwd'] } };
}

function secondStep({ ctx, interaction, client, form }) {
  const { accountId } = interaction.session;
  const refused = form !== undefined && form.get('code')?.trim() !== DEMO_CODE;
  if (!form || refused) return pages.show(ctx, pages.secondStep({ client, account: accountWithSub(accountId), refused }));
  return { login: { accountId, acr: SECOND_STEP, amr: ['pwd', 'otp'] } };
}

async function consent({ provider, ctx, interaction, client, form }) {
  const { grantId, params, prompt, session } = interaction;
  if (!form) {
    const account = accountWithSub(session.accountId);
    const scopes = params.scope?.split(' ') ?? [];
    return pages.show(ctx, pages.consent({ client, account, scopes, details: prompt.details.rar ?? [] }));
  }

  const grant = (grantId && (await provider.Grant.find(grantId)))
    || new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  const { missingOIDCScope, missingResourceScopes = {}, rar = [] } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope);
  for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
    grant.addResourceScope(resource, scopes);
  }
  for (const detail of rar) grant.addRar(detail);
  return { consent: { grantId: await grant.save() } };
}

async function readForm(ctx) {
  if (!ctx.is('application/x-www-form-urlencoded')) ctx.throw(415);
  const chunks = [];
  let length = 0;
  for await (const chunk of ctx.req) {
    length += chunk.length;
    if (length > MAX_FORM_BYTES) ctx.throw(413);
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
