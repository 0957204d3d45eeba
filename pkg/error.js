/** Why something did not work. Described in index.d.ts. */
export class AuthError extends Error {
  constructor({ message, code, kind, retryable = false, error, errorDescription, errorUri, status, option }, options) {
    super(message, options);
    for (const [name, value] of Object.entries({ code, kind, retryable, error, errorDescription, errorUri, status, option })) {
      Object.defineProperty(this, name, { value, enumerable: true });
    }
  }

  get name() {
    return "AuthError";
  }
}
