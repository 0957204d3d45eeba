/** How what is imported beside an `auth` asks its keep: by what gets the handle, and gives a promise. An app that imports nothing carries this. */
export const calls = new WeakMap();
