// What index.d.ts promises, with the keep in the page.

process.env.KEEP = "page";
await import("./browser.test.js");
