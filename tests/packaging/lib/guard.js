// What stands in pkg/guard.js. `npm run guard` writes it.

import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { transform } from "esbuild";

import { takeResponse } from "../../../pkg/response.js";

export const GUARD = fileURLToPath(new URL("../../../pkg/guard.js", import.meta.url));

/** `takeResponse` as a classic script, small enough to be inlined. It has no line end, so that its digest is that of the file. */
export async function makeGuard() {
  const { code } = await transform(`(${takeResponse})()`, { minify: true, target: "es2020" });
  return code.trim();
}

/** What a Content Security Policy calls it. */
export function hashOf(script) {
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const guard = await makeGuard();
  await writeFile(GUARD, guard);
  console.log(`${GUARD}: ${guard.length} bytes, '${hashOf(guard)}'`);
}
