// `sessionStorage`: what outlives a way to the provider, in this tab. Never a secret. It can be blocked, or full.

export function read(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

export function write(key: string, value: string): void {
  try {
    sessionStorage.setItem(key, value);
  } catch {}
}
