// The two people who can sign in, what they have ordered, and who signed up since the start.

import { randomUUID } from 'node:crypto';

const ACCOUNTS = [
  {
    login: 'alice',
    password: 'alice-password',
    claims: {
      sub: 'user-1001',
      name: 'Alice Archer',
      given_name: 'Alice',
      family_name: 'Archer',
      preferred_username: 'alice',
      email: 'alice@example.com',
      email_verified: true,
    },
    orders: [
      { id: '2026-0117', placed_on: '2026-02-11', item: 'Brass padlock', quantity: 2, total: '49.80', currency: 'EUR', status: 'delivered' },
      { id: '2026-0164', placed_on: '2026-03-02', item: 'Oak key cabinet', quantity: 1, total: '129.00', currency: 'EUR', status: 'shipped' },
      { id: '2026-0171', placed_on: '2026-03-09', item: 'Drawbridge chain, 4 m', quantity: 1, total: '86.50', currency: 'EUR', status: 'packed' },
    ],
  },
  {
    login: 'bob',
    password: 'bob-password',
    claims: {
      sub: 'user-1002',
      name: 'Bob Baker',
      given_name: 'Bob',
      family_name: 'Baker',
      preferred_username: 'bob',
      email: 'bob@example.com',
      email_verified: false,
    },
    orders: [
      { id: '2026-0139', placed_on: '2026-02-23', item: 'Iron door knocker', quantity: 1, total: '34.90', currency: 'EUR', status: 'delivered' },
      { id: '2026-0180', placed_on: '2026-03-14', item: 'Lantern, wall-mounted', quantity: 4, total: '152.00', currency: 'EUR', status: 'paid' },
    ],
  },
];

export const accountWithSub = (sub) => ACCOUNTS.find((account) => account.claims.sub === sub);

export const accountWithPassword = (login, password) =>
  ACCOUNTS.find((account) => account.login === login && account.password === password);

/** The new account, unless somebody has that user name. */
export function newAccount({ login, password, name }) {
  if (ACCOUNTS.some((account) => account.login === login)) return undefined;
  const account = { login, password, claims: { sub: `user-${randomUUID()}`, name, preferred_username: login }, orders: [] };
  ACCOUNTS.push(account);
  return account;
}

/** The two that the sign-in page names. */
export const demoUsers = ACCOUNTS.map(({ login, password }) => ({ login, password }));
