import assert from "node:assert/strict";
import { connect } from "node:net";
import { digest } from "./named-clients.ts";
import { type HttpRequirement, inTurn, requirement, route, statuses } from "./requirement.ts";

function get(fields: string, path: string = "/", version: string = "1.1"): string {
  return `GET ${path} HTTP/${version}\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`;
}

/** Malformed or unusual requests, and the status line that must answer each. */
const odd: readonly (readonly [what: string, text: string, answer: RegExp])[] = [
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 200/],
  ["an expectation", get("Expect: 100-continue\r\n"), /HTTP\/1\.1 200/],
  ["1,500 headers", get(Array.from({ length: 1500 }, (_, i) => `a${i}: \r\n`).join("")), /^HTTP\/1\.1 (200|431)/],
  ["3,000 headers", get(Array.from({ length: 3000 }, (_, i) => `a${i}: ${i}\r\n`).join("")), /^HTTP\/1\.1 (200|431)/],
  ["X-Forwarded-For 3,000 times", get("X-Forwarded-For: 1\r\n".repeat(3000)), /^HTTP\/1\.1 (200|431)/],
  ["an API key of 15 kB", get(`X-API-Key: ${"k".repeat(15_000)}\r\n`), /^HTTP\/1\.1 200/],
  ["an API key twice", get("X-API-Key: a\r\nX-API-Key: b\r\n"), /^HTTP\/1\.1 200/],
  ["bytes above 127", get("X-API-Key: d\u00fcnn\u00ff\r\nX-Forwarded-For: \u00e9\r\n"), /^HTTP\/1\.1 200/],
  ["a folded header", get("X-API-Key: a\r\n b\r\n"), /^HTTP\/1\.1 (200|400)/],
  ["a space before the colon", get("X-API-Key : a\r\n"), /^HTTP\/1\.1 400/],
  ["NUL in a header", get("X-API-Key: a\u0000b\r\n"), /^HTTP\/1\.1 400/],
  ["no Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 (200|400)/],
  ["no version", "GET /\r\n\r\n", /^HTTP\/1\.1 (200|400)/],
  ["a broken escape", get("", "/%zz%"), /^HTTP\/1\.1 (400|404)/],
  ["a target of 8 kB", get("", `/${"%41".repeat(2700)}`), /^HTTP\/1\.1 (404|414)/],
  ["the target *", "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 [234]/],
  ["a target without a path", get("", "http://a?x"), /^HTTP\/1\.1 [234]/],
];

const oddRequests = requirement("malformed or unusual requests get an answer or a 4xx, and the server goes on", async (fixture) => {
  const named = { ...fixture.limit({ trust: 1 }), call: "limitByApiKey" } as const;
  const site = await fixture.site({
    limiters: [fixture.limit({ trust: 1, excludePaths: ["/health"], rate: 1000 })],
    routes: [{ method: "get", path: "/", limiters: [named], handler: () => ({ status: 200, body: "ok" }) }],
  });
  for (const [what, text, answer] of odd) assert.match(await site.exchange(text), answer, what);
  assert.equal((await site.get()).status, 200);
});

/** Node passes on about 1,000 headers. It refuses a request with more or, in older versions, silently drops the rest. */
const manyFields = requirement("3,000 headers: a request is counted once under the key among them, or refused by Node", async (fixture) => {
  const others = Array.from({ length: 3000 }, (_, i) => `a${i}: ${i}\r\n`);
  const ask = async (fields: readonly string[]): Promise<readonly [status: string, asked: readonly string[]]> => {
    const site = await fixture.site({ routes: [route("/", [{ ...fixture.limit({ rate: 2, name: "one" }), call: "limitByApiKey" }])] });
    const answer = await site.exchange(get(fields.join("")));
    return [answer.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length), fixture.backend.asked.splice(0)];
  };
  const k = "X-API-Key: k\r\n";
  for (const [fields, status, client] of [
    [[k, ...others], "200", digest("k")],
    [others.toSpliced(500, 0, k), "200", digest("k")],
    [others.toSpliced(900, 0, k), "429", digest("k")],
    [[...others, k], "200", "ip:127.0.0.1"],
  ] as const) {
    const [is, asked] = await ask(fields);
    assert.deepEqual([is, asked], is === "431" ? [is, []] : [status, [client]]);
  }
  assert.deepEqual(await ask(Array.from({ length: 900 }, () => k)), ["200", [digest(Array.from({ length: 900 }, () => "k").join(", "))]]);
  assert.deepEqual(await ask(others.slice(0, 900).concat("X-API-Key: j\r\n")), ["200", [digest("j")]]);
});

const truncated = requirement("requests that break off do not disturb the server", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ rate: 1000 })] });
  for (const text of [
    "GET",
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forw",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    "\r\n\r\n",
    "\u0016\u0003\u0001",
  ]) {
    const socket = connect(site.port, "127.0.0.1", () => socket.write(text, "latin1", () => socket.destroy()));
    await new Promise((resolve) => socket.on("close", resolve));
  }
  assert.deepEqual(statuses(await inTurn(2, () => site.get())), [200, 200]);
});

export const badRequests: readonly HttpRequirement[] = [oddRequests, manyFields, truncated];
