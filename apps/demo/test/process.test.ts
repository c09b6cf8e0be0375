import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Program, program } from "./support/program.ts";
import { freshPrefix, serversEnv } from "./support/redis.ts";
import { get, getMany } from "./support/requests.ts";

// Starting a process is slow on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let demo: Program;
beforeAll(async () => {
  demo = await program("src/main.ts");
});
afterAll(() => demo[Symbol.asyncDispose]());

const ready = "Ctrl-C stops.";

describe("demo", () => {
  test.for(["SIGINT", "SIGTERM"] as const)("serves until %s, then exits with 0 and stops listening", async (signal) => {
    const { child, ended, wrote, output } = demo.start([], { PORT: "0" });
    const urls = addressesIn(await wrote(ready));
    expect(urls).toHaveLength(3);
    for (const url of urls) expect((await get(`${url}/health`)).status).toBe(200); // leaves a connection open
    child.kill(signal);
    expect(await ended).toBe(0);
    expect(output.stderr).toBe("");
    for (const url of urls) await expect(fetch(url)).rejects.toThrow("fetch failed");
  });

  test("serves on Redis and on a Cluster too if the environment names them", async () => {
    const { child, ended, wrote } = demo.start([], { ...serversEnv(), PORT: "0", RATELIMIT_KEY_PREFIX: freshPrefix() });
    const guide = await wrote(ready);
    expect(guide.match(/^Buckets in .*$/gm)).toEqual([
      "Buckets in memory, each server has its own:",
      "Buckets in Redis, which all servers share:",
      "Buckets in Redis Cluster, which all servers share:",
    ]);
    const urls = addressesIn(guide);
    expect(urls).toHaveLength(9);
    for (const url of urls) expect((await get(`${url}/api/data`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });

  test("uses RATELIMIT_RATE, _PERIOD and _BURST, and shows them in its guide", async () => {
    const { wrote } = demo.start([], { PORT: "0", RATELIMIT_RATE: "6", RATELIMIT_PERIOD: "1h" });
    const guide = await wrote(ready);
    expect(guide).toContain("6 times 200, then 429, and one more 200 every 600000 ms");
    for (const url of addressesIn(guide)) expect((await getMany(8, `${url}/api/data`)).admitted).toBe(6);
  });

  test("listens only on the loopback address", async () => {
    const { wrote } = demo.start([], { PORT: "0" });
    for (const url of addressesIn(await wrote(ready))) {
      expect(new URL(url).hostname).toBe("127.0.0.1");
      await expect(fetch(`http://[::1]:${new URL(url).port}/health`)).rejects.toThrow("fetch failed");
    }
  });

  test("uses the ports from PORT on, and a free port instead of one that is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const { wrote } = demo.start([], { PORT: String(port) });
    const ports = addressesIn(await wrote(ready)).map((url) => Number(new URL(url).port));
    expect(new Set([port, ...ports]).size).toBe(4);
  });
});

describe("invalid input is reported in one message, without a stack or a password", () => {
  test.for([
    ["RATELIMIT_RATE", "x", 'Expected `RATELIMIT_RATE` to be a positive integer, got "x": correct it, or unset it for the default\n'],
    [
      "RATELIMIT_REDIS_URL",
      "http://me:secret@cache",
      /^Expected `RATELIMIT_REDIS_URL` to be redis:\/\/.*, got "http:\/\/\*\*\*@cache": write for example .*\n$/,
    ],
    ["REDIS_CLUSTER", "redis://me:secret@cache:1,", /^Expected `cluster` to be a non-empty array of nodes, got .*\n$/],
    ["PORT", "99999", 'Expected `PORT` to be 0 to 65535, got "99999": correct it, or unset it for 3000\n'],
  ] as const)("%s=%s", async ([name, value, message]) => {
    for (const args of [[], ["--check"]]) {
      const { ended, output } = demo.start(args, { PORT: "0", [name]: value });
      expect(await ended).toBe(1);
      expect(output.stderr).toEqual(typeof message === "string" ? message : expect.stringMatching(message));
      expect(output.stderr).not.toMatch(/secret|\n +at /);
    }
  });

  test("two at once", async () => {
    const { ended, output } = demo.start([], { RATELIMIT_RATE: "x", RATELIMIT_PERIOD: "ever" });
    expect(await ended).toBe(1);
    expect(output.stderr).toMatch(/^2 problems:\n {2}- Expected `RATELIMIT_RATE` .*\n {2}- Expected `RATELIMIT_PERIOD` .*\n$/);
  });

  test.for([[], ["--check"]])("a Redis that is not there (%j)", async (args) => {
    const { ended, output } = demo.start(args, { PORT: "0", RATELIMIT_REDIS_URL: "redis://me:secret@127.0.0.1:1" });
    expect(await ended).toBe(1);
    expect(output.stdout).toBe("");
    expect(output.stderr).toBe(
      "Redis does not answer (connect ECONNREFUSED 127.0.0.1:1): start it, or correct or unset RATELIMIT_REDIS_URL\n",
    );
  });

  test.for([["--chekc"], ["check"], ["--check=1"]])("%j", async (args) => {
    const { ended, output } = demo.start(args);
    expect(await ended).toBe(2);
    expect(output.stdout).toBe("");
    expect(output.stderr).toMatch(
      /^(Unknown option '--chekc'|Unexpected argument 'check'|Option '--check' does not take an argument).*\n\ndemo /,
    );
  });
});

test.for([["--help"], ["-h"], ["--", "--help"], ["--check", "--help"]])(
  "demo %j shows the help even if the environment is invalid",
  async (args) => {
    const { ended, output } = demo.start(args, { RATELIMIT_RATE: "x" });
    expect(await ended).toBe(0);
    expect(output).toMatchObject({ stdout: expect.stringContaining("demo --check ") as string, stderr: "" });
  },
);

/** Returns the addresses of the servers that the guide lists. */
function addressesIn(guide: string): string[] {
  return [...guide.matchAll(/^ {2}\w+ +(http:\S+)$/gm)].map(([, url]) => url!);
}
