// Where the provider keeps sessions, grants and tokens: in memory, one store per kind, gone at exit.
// The methods are the ones oidc-provider asks of an adapter.

export class Store {
  #entries = new Map();

  async upsert(id, payload, expiresIn) {
    this.#sweep();
    this.#entries.set(id, { payload, expires: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
  }

  async find(id) {
    const entry = this.#entries.get(id);
    return entry && entry.expires > Date.now() ? entry.payload : undefined;
  }

  async findByUid(uid) {
    for (const [id, { payload }] of this.#entries) {
      if (payload.uid === uid) return this.find(id);
    }
    return undefined;
  }

  async findByUserCode(userCode) {
    for (const [id, { payload }] of this.#entries) {
      if (payload.userCode === userCode) return this.find(id);
    }
    return undefined;
  }

  async consume(id) {
    const payload = await this.find(id);
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const [id, { payload }] of this.#entries) {
      if (payload.grantId === grantId) this.#entries.delete(id);
    }
  }

  #sweep() {
    const now = Date.now();
    for (const [id, { expires }] of this.#entries) {
      if (expires <= now) this.#entries.delete(id);
    }
  }
}
