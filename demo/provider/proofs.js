// What the API demands of whoever brings a token that is bound to a key (RFC 9449 §4.3 and §9).

import { createHash, randomBytes } from 'node:crypto';

import { EmbeddedJWK, calculateJwkThumbprint, jwtVerify } from 'jose';

/** How far the time of a proof may be from now, in seconds. */
const WINDOW = 60;

/** How long a nonce is the latest one, in milliseconds. It is good for as long again. */
const NONCE_LIFE = 60_000;

/** `error` is what the challenge says. */
export class ProofRefused extends Error {
  constructor(error, message) {
    super(message);
    this.error = error;
  }
}

/** Reads proofs for one server, whose nonces and memory of proofs are its own. */
export class ProofReader {
  /** When each `jti` that was seen may be forgotten, oldest first. */
  #seen = new Map();
  #nonces = [];

  constructor(noncesRequired) {
    this.noncesRequired = noncesRequired;
  }

  /** The nonce that proofs should carry from now on. */
  nonce(now = Date.now()) {
    if (!(now - this.#nonces[0]?.since < NONCE_LIFE)) {
      this.#nonces = [{ value: randomBytes(24).toString('base64url'), since: now }, ...this.#nonces.slice(0, 1)];
    }
    return this.#nonces[0].value;
  }

  /** The thumbprint of the key that made the proof, if that is for this request and this token. */
  async read(proof, { method, url, token }) {
    const { payload, protectedHeader } = await verified(proof);
    const now = Math.floor(Date.now() / 1000);
    const refuse = (message) => {
      throw new ProofRefused('invalid_dpop_proof', message);
    };
    if (payload.htm !== method) refuse('the proof is for another method');
    if (withoutQuery(payload.htu) !== url) refuse('the proof is for another URL');
    if (payload.ath !== createHash('sha256').update(token).digest('base64url')) refuse('the proof is for another token');
    if (typeof payload.jti !== 'string' || payload.jti.length < 16) refuse('the proof has no jti');
    if (this.noncesRequired) {
      this.nonce();
      if (!this.#nonces.some(({ value }) => value === payload.nonce)) {
        throw new ProofRefused('use_dpop_nonce', 'the proof must carry the nonce of this API');
      }
    }
    if (!(Math.abs(now - payload.iat) <= WINDOW)) refuse('the proof is not of now');

    for (const [jti, end] of this.#seen) {
      if (end > now) break;
      this.#seen.delete(jti);
    }
    if (this.#seen.has(payload.jti)) refuse('the proof was used before');
    // As long as its time is good, counted from the clock that may be ahead.
    this.#seen.set(payload.jti, now + 2 * WINDOW);
    return calculateJwkThumbprint(protectedHeader.jwk);
  }
}

async function verified(proof) {
  try {
    return await jwtVerify(proof, EmbeddedJWK, { algorithms: ['ES256'], typ: 'dpop+jwt' });
  } catch {
    throw new ProofRefused('invalid_dpop_proof', 'the proof is not signed by the key in it');
  }
}

function withoutQuery(htu) {
  const url = URL.canParse(htu) ? new URL(htu) : undefined;
  return url && url.origin + url.pathname;
}
