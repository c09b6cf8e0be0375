import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { type Fixture, type HttpRequirement, requirement, route, type Site } from "./requirement.ts";
import { asynchronous } from "./table-backend.ts";
import { eventually, type Gate, gate } from "./waiting.ts";

interface Held {
  readonly site: Site;
  readonly gate: Gate;
  /** Counts how often the handler ran. */
  readonly calls: () => number;
}

/** Starts a site whose backend answers only after the gate opens. */
async function held(fixture: Fixture, rate: number, early: (res: ServerResponse) => void = () => {}): Promise<Held> {
  const at = gate();
  let calls = 0;
  const backend = asynchronous(fixture.backend, () => {
    at.enter();
    return at.opened;
  });
  const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
  const site = await fixture.site({ early, limiters: [fixture.limit({ backend, rate, name: "held" })], routes: [route("/", [], handler)] });
  return { site, gate: at, calls: () => calls };
}

const gone = requirement("a client that gives up while the backend decides spends its token, and the server goes on", async (fixture) => {
  for (const rate of [10, 2]) {
    const { site, gate } = await held(fixture, rate);
    const clients = [1, 2, 3].map(() => site.open());
    await gate.entered;
    for (const client of clients) client.abort();
    await Promise.all(clients.map((client) => assert.rejects(client.reply)));
    gate.open();
    await eventually("the backend was asked about every request", () => fixture.backend.asked.length === 3);
    assert.equal((await site.get()).status, rate === 10 ? 200 : 429);
    fixture.renew();
  }
});

const answered = requirement(
  "a response sent while the backend decides stays as it is, and a refused request goes no further",
  async (fixture) => {
    const responses: ServerResponse[] = [];
    const { site, gate, calls } = await held(fixture, 1, (res) => void responses.push(res));
    const [first, second] = [site.open(), site.open()];
    await gate.entered;
    await eventually("both requests have arrived", () => responses.length === 2);
    const [, late] = responses;
    late?.writeHead(504).end("too late");
    gate.open();
    const replies = await Promise.all([first.reply, second.reply]);
    assert.deepEqual(replies.map(({ status, body }) => `${status} ${body}`).sort(), ["200 1", "504 too late"]);
    await gate.soon;
    assert.equal(calls(), 1);
    assert.equal((await site.get()).status, 429, "the server goes on, and both requests were decided");
  },
);

const begun = requirement(
  "a limiter behind a response that has begun adds nothing, and stops requests that it refuses",
  async (fixture) => {
    let calls = 0;
    const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
    const early = (res: ServerResponse): void => void (calls > 0 && res.writeHead(202).end("begun"));
    const site = await fixture.site({ early, limiters: [fixture.limit({ rate: 1 })], routes: [route("/", [], handler)] });
    assert.equal((await site.get()).body, "1");
    const reply = await site.get();
    assert.equal(`${reply.status} ${reply.body}`, "202 begun");
    assert.equal(calls, 1, "the refused request must not reach its handler");
    assert.equal((await site.get()).status, 202);
  },
);

const flushed = requirement(
  "a limiter behind headers that were flushed ends the response to a request that it refuses",
  async (fixture) => {
    let calls = 0;
    const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
    const early = (res: ServerResponse): void => res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
    const site = await fixture.site({ early, limiters: [fixture.limit({ rate: 0 })], routes: [route("/", [], handler)] });
    const reply = await site.get();
    assert.equal(`${reply.status} ${reply.body}`, "200 ");
    assert.equal(calls, 0);
  },
);

const unseen = requirement(
  "a client that hangs up before a limiter could read its address gets no further, so that nobody escapes `deny` that way",
  async (fixture) => {
    for (const options of [{}, { deny: ["127.0.0.1"] }, { trust: 1 }, { shadow: true }]) {
      const at = gate();
      const responses: ServerResponse[] = [];
      const early = (res: ServerResponse): Promise<void> => {
        responses.push(res);
        at.enter();
        return at.opened;
      };
      let calls = 0;
      const handler = (): { status: number; body: string } => ({ status: 200, body: String(++calls) });
      const site = await fixture.site({ early, limiters: [fixture.limit(options)], routes: [route("/", [], handler)] });
      const client = site.open({ headers: { "X-Forwarded-For": "203.0.113.9" } });
      await at.entered;
      client.abort();
      await assert.rejects(client.reply);
      await eventually("the server has noticed", () => responses.every((res) => res.destroyed));
      at.open();
      await gate().soon;
      assert.equal(calls, "shadow" in options ? 1 : 0, "only a limit in shadow mode lets it through");
    }
    assert.deepEqual(fixture.backend.asked, []);
  },
);

export const aborts: readonly HttpRequirement[] = [gone, answered, begun, flushed, unseen];
