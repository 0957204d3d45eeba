import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const HERE = new URL("./", import.meta.url);
const RESOLUTIONS = [
  ["bundler", { module: "ESNext", moduleResolution: "bundler" }],
  ["nodenext", { module: "NodeNext", moduleResolution: "NodeNext" }],
];
const made = [];

after(() => made.forEach((directory) => rmSync(directory, { recursive: true })));

/** What tsc says: "file:line code", of the project in `types`, or of these files with its settings. */
async function check(compilerOptions, files = {}) {
  const directory = mkdtempSync(fileURLToPath(new URL(".types-", HERE)));
  made.push(directory);
  for (const [name, text] of Object.entries(files)) writeFileSync(`${directory}/${name}`, text);
  const names = Object.keys(files);
  const include = names.length > 0 ? names : ["../types/*"];
  writeFileSync(`${directory}/tsconfig.json`, JSON.stringify({ extends: "../types/tsconfig.json", compilerOptions, include }));
  const tsc = fileURLToPath(new URL("node_modules/typescript/bin/tsc", HERE));
  const run = promisify(execFile)(process.execPath, [tsc, "--pretty", "false", "--project", directory]);
  const { stdout, code = 0 } = await run.catch((error) => error);
  const told = [...stdout.matchAll(/^(?:.*[/\\])?([^/\\\n]+)\((\d+),\d+\): error (TS\d+)/gm)];
  assert.equal(told.length > 0, code !== 0, stdout);
  return told.map(([, file, line, code]) => `${file}:${line} ${code}`);
}

for (const [name, options] of RESOLUTIONS) {
  test(`what an app may write compiles, and each mistake does not (${name})`, async () => {
    assert.deepEqual(await check(options), []);
  });

  test(`each mistake is told as what it is (${name})`, async () => {
    const source = readFileSync(new URL("types/mistakes.tsx", HERE), "utf8");
    const expected = source.split("\n").flatMap((text, index) => {
      const directive = /\/\/ @ts-expect-error (TS\d+): \S/.exec(text);
      assert.equal(text.includes("@ts-expect-error"), directive !== null, text);
      return directive ? [`mistakes.tsx:${index + 2} ${directive[1]}`] : [];
    });
    assert.ok(expected.length > 50);
    const told = await check(options, { "mistakes.tsx": source.replaceAll("@ts-expect-error", "") });
    assert.deepEqual(told, expected);
  });
}

test("an app's `lib` need not know Disposable", async () => {
  const text = 'import { open } from "tokenkeep";\nvoid open({ issuer: "https://login.example.com", clientId: "my-app" });\n';
  assert.deepEqual(await check({ lib: ["ES2022", "DOM"], skipLibCheck: true }, { "app.ts": text }), []);
  assert.deepEqual(await check({ lib: ["ES2022", "DOM"] }, { "app.ts": text }), []);
});
