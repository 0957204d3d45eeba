// One visitor of one page: as a slow phone on a slow network, or as it is.

const KILOBIT = 1000 / 8;
const SLOW = { cpu: 4, latency: 150, throughput: 1600 * KILOBIT };
const AS_IT_IS = { cpu: 1, latency: 0, throughput: -1 };

export const RATE = `${SLOW.throughput / (1000 * KILOBIT)} Mbit/s`;
export const SLOWNESS = `processor ${SLOW.cpu} times slower, ${RATE}, ${SLOW.latency} ms round trip`;

/** How long so many bytes take. */
export const milliseconds = (bytes) => (1000 * bytes) / SLOW.throughput;

export class Visit {
  #page;
  #address;
  #requests = [];

  static async begin(chromium, address) {
    const visit = new Visit();
    visit.#address = address;
    visit.#page = await chromium.visitor();
    visit.#page.on("Network.responseReceived", ({ response, type }) => visit.#requests.push({ ...response, type }));
    await visit.#page.send("Performance.enable", { timeDomain: "threadTicks" });
    // The same origin before what is measured: what is measured starts no process.
    await visit.#page.goto(`${address}before`);
    await visit.#page.send("Network.enable");
    return visit;
  }

  /** Opens the page on a slow phone: milliseconds until its library is ready, of the main thread and of all threads. */
  async open() {
    await this.#be(SLOW);
    const before = await this.#metrics();
    const answer = await this.#ready(() => this.#page.send("Page.navigate", { url: this.#address }));
    const after = await this.#metrics();
    await this.#be(AS_IT_IS);
    // The tasks are those of the document, the process is the one from before.
    const [mainThread, allThreads] = [after.TaskDuration, after.ProcessTime - before.ProcessTime].map((seconds) => 1000 * seconds);
    return { ...answer, mainThread, allThreads, requests: this.#requests.splice(0) };
  }

  /** Signs in as a person does, and is on a slow phone when the provider sends the browser back. */
  async signIn(back = SLOW) {
    await this.#page.when("Page.loadEventFired", () => this.#page.evaluate("void window.bench.signIn()"));
    await this.#page.evaluate(`document.querySelector("#login").value = "alice"`);
    await this.#page.evaluate(`document.querySelector("#password").value = "alice-password"`);
    await this.#page.when("Page.loadEventFired", () => this.#page.evaluate(`document.querySelector("button.main").click()`));
    const requests = this.#requests.splice(0);
    await this.#be(back);
    const answer = await this.#ready(() => this.#page.evaluate(`document.querySelector("ul.scopes ~ form button.main").click()`));
    await this.#be(AS_IT_IS);
    return { ...answer, requests: [...requests, ...this.#requests.splice(0)] };
  }

  /** Loads the page again, as it is: milliseconds until its library is ready, and those of them after it was first asked to open. */
  async reload() {
    await this.#page.show();
    let loads = 0;
    const load = ({ frame }) => (loads += frame.parentId === undefined ? 1 : 0);
    this.#page.on("Page.frameNavigated", load);
    const [{ began, asked }, { signedIn, at }] = await Promise.all([
      this.#said("debug", async () => {}),
      this.#said("info", () => this.#page.send("Page.reload")),
    ]);
    this.#page.off("Page.frameNavigated", load);
    return { signedIn, ready: at - began, sinceOpen: at - asked, loads };
  }

  /** The status of the answer. */
  call(url) {
    return this.#page.evaluate(`window.bench.call(${JSON.stringify(url)}).then(({ status }) => status)`);
  }

  /** Calls in a second, one after the other, and the milliseconds of the main thread that one takes. */
  async rate(url, duration) {
    await this.#page.show();
    const before = await this.#metrics();
    const { calls, perSecond } = await this.#page.evaluate(`window.bench.rate(${JSON.stringify(url)}, ${duration})`);
    const after = await this.#metrics();
    return { perSecond, mainThread: (1000 * (after.TaskDuration - before.TaskDuration)) / calls };
  }

  /** The milliseconds of each of so many calls, one after the other, and the size of the answers. */
  async latencies(url, count) {
    await this.#page.show();
    return this.#page.evaluate(`window.bench.latencies(${JSON.stringify(url)}, ${count})`);
  }

  token() {
    return this.#page.evaluate("window.bench.token()");
  }

  useToken(token) {
    return this.#page.evaluate(`void (window.token = ${JSON.stringify(token)})`);
  }

  /** From now on nobody looks at what the page sends. */
  unwatched() {
    return this.#page.send("Network.disable");
  }

  /** Bytes that are alive: JavaScript's objects, and the memories of wasm. */
  async memory() {
    // What is only weakly held goes with the second.
    await this.#page.send("HeapProfiler.collectGarbage");
    await this.#page.send("HeapProfiler.collectGarbage");
    const { usedSize } = await this.#page.send("Runtime.getHeapUsage");
    const { result: prototype } = await this.#page.send("Runtime.evaluate", { expression: "WebAssembly.Memory.prototype" });
    const { objects } = await this.#page.send("Runtime.queryObjects", { prototypeObjectId: prototype.objectId });
    const { result: wasm } = await this.#page.send("Runtime.callFunctionOn", {
      functionDeclaration: "function () { return this.reduce((sum, memory) => sum + memory.buffer.byteLength, 0); }",
      objectId: objects.objectId,
      returnByValue: true,
    });
    return { heap: usedSize, wasm: wasm.value };
  }

  end() {
    return this.#page.close();
  }

  /** What the page says when its library is ready, after `work` brought it here. */
  #ready(work) {
    return this.#said("info", work);
  }

  async #said(how, work) {
    const said = await this.#page.when("Runtime.consoleAPICalled", work, ({ type }) => type === how);
    return JSON.parse(said.args[0].value);
  }

  async #be({ cpu, latency, throughput }) {
    const network = { offline: false, latency, downloadThroughput: throughput, uploadThroughput: throughput };
    await this.#page.send("Network.emulateNetworkConditions", network);
    await this.#page.send("Emulation.setCPUThrottlingRate", { rate: cpu });
  }

  async #metrics() {
    const { metrics } = await this.#page.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  }
}
