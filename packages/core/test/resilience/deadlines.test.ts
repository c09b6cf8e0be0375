import { AsyncLocalStorage } from "node:async_hooks";
import { connect } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { describe, expect, test } from "vitest";
import { Deadlines } from "../../src/resilience/deadlines.ts";
import { ManualTime } from "../support/manual-time.ts";

describe("a call", () => {
  test("times out when its time is over, not before", async () => {
    const deadlines = new Deadlines(50);
    const sentAt = performance.now();
    const lateness = await new Promise<number>((resolve) => deadlines.start(() => resolve(performance.now() - sentAt)));
    expect(lateness).toBeGreaterThanOrEqual(50);
  });

  test("times out once or finishes once", async () => {
    const time = new ManualTime();
    const deadlines = new Deadlines(20, time);
    let given = 0;
    const late = deadlines.start(() => given++);
    const inTime = deadlines.start(() => given++);
    expect([deadlines.finish(inTime), deadlines.finish(inTime)]).toEqual([true, false]);
    await time.pass(100);
    expect([given, deadlines.finish(late)]).toEqual([1, false]);
  });

  test("keeps its own deadline while other calls keep coming", async () => {
    const time = new ManualTime();
    const deadlines = new Deadlines(60, time);
    const waits: Promise<number>[] = [];
    for (let i = 0; i < 100; i++) {
      const sentAt = time.now();
      waits.push(new Promise((resolve) => deadlines.start(() => resolve(time.now() - sentAt))));
      await time.pass(2);
    }
    await time.pass(100);
    for (const ms of await Promise.all(waits)) expect(ms).toBe(60);
  });

  test("may have a deadline of more than 2^31 ms without its timer looping", async () => {
    const deadlines = new Deadlines(30 * 86_400_000);
    let given = 0;
    const warnings = await warningsOf(async () => {
      const call = deadlines.start(() => given++);
      await sleep(50);
      expect([given, deadlines.finish(call)]).toEqual([0, true]);
    });
    expect(warnings).toEqual([]);
  });

  test("may be started by one that timed out", async () => {
    const time = new ManualTime();
    const deadlines = new Deadlines(20, time);
    const chain = (left: number): Promise<void> =>
      new Promise((resolve) => {
        deadlines.start(() => (left === 0 ? resolve() : resolve(chain(left - 1))));
      });
    const chains = Promise.all([chain(5), chain(5), chain(5)]);
    await time.pass(6 * 20);
    await chains;
  });
});

/** A server in its own thread, so that it does not stall with the test: it answers after 12 ms and reports when it did. */
async function startServer(): Promise<{ port: number; stop: () => Promise<unknown> }> {
  const worker = new Worker(
    `const { createServer } = require("node:net");
    const { parentPort } = require("node:worker_threads");
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", () => setTimeout(() => socket.write(process.hrtime.bigint() + "\\n"), 12));
    });
    server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`,
    { eval: true },
  );
  const port = await new Promise<number>((resolve) => worker.once("message", resolve));
  return { port, stop: () => worker.terminate() };
}

/** Blocks this thread without using the CPU, which other test files need. */
function stallEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("no call that is answered in time times out, even if the event loop stalls past its deadline, 50 times", {
  timeout: 60_000,
}, async () => {
  const timeoutMs = 40;
  const server = await startServer();
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  const deadlines = new Deadlines(timeoutMs);
  let [inTime, late, givenUpAlthoughAnswered] = [0, 0, 0];
  for (let stall = 0; stall < 50; stall++) {
    let isGivenUp = false;
    const dueAt = process.hrtime.bigint() + BigInt(timeoutMs) * 1_000_000n;
    const call = deadlines.start(() => {
      isGivenUp = true;
    });
    const answered = new Promise<void>((resolve) =>
      socket.once("data", (sentAt) => {
        // On a busy machine the server itself may be late, which is not a failure here.
        if (deadlines.finish(call)) inTime++;
        else if (isGivenUp && BigInt(String(sentAt).trim()) < dueAt - 2_000_000n) givenUpAlthoughAnswered++;
        else late++;
        resolve();
      }),
    );
    socket.write("x");
    await new Promise(setImmediate);
    stallEventLoop(timeoutMs + 10);
    await answered;
  }
  socket.destroy();
  await server.stop();
  expect(givenUpAlthoughAnswered).toBe(0);
  expect(inTime + late).toBe(50);
  expect(inTime).toBeGreaterThan(25);
});

test("the timer never runs in a request's async context, however many requests follow each other", async () => {
  const requests = new AsyncLocalStorage<number>();
  const deadlines = new Deadlines(10);
  const seen = new Set<number | undefined>();
  await Promise.all(
    Array.from({ length: 20 }, async (_, request) => {
      await sleep(3 * request);
      await requests.run(
        request,
        () =>
          new Promise<void>((resolve) => {
            deadlines.start(() => {
              seen.add(requests.getStore());
              resolve();
            });
          }),
      );
    }),
  );
  expect([...seen]).toEqual([undefined]);
});

const rejection = (reason: unknown): Promise<never> => Promise.reject(reason);

describe("within", () => {
  const time = new ManualTime();
  const deadlines = new Deadlines(30, time);
  const tooLate = (_: unknown, reject: (reason: unknown) => void): void => reject("too late");

  test.each([
    ["passes on a timely resolution", async () => "yes", { status: "fulfilled", value: "yes" }],
    ["passes on a timely rejection", async () => rejection("no"), { status: "rejected", reason: "no" }],
    ["rejects if the call never settles", () => new Promise<string>(() => {}), { status: "rejected", reason: "too late" }],
    ["rejects if the call resolves late", () => time.after(400, "late"), { status: "rejected", reason: "too late" }],
    [
      "rejects if the call rejects late",
      () => time.after(400, "").then(() => rejection("late")),
      { status: "rejected", reason: "too late" },
    ],
  ])("%s", async (_, ask: () => Promise<string>, outcome) => {
    const outcomes = Promise.allSettled([deadlines.within(ask, tooLate)]);
    await time.pass(30);
    expect(await outcomes).toEqual([outcome]);
    await time.pass(500);
    await turn(); // a late rejection must not be unhandled
  });
});
