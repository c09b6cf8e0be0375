import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Octokit } from "@octokit/core";
import { throttling } from "@octokit/plugin-throttling";
import axios from "axios";
import axiosRetry from "axios-retry";
import got from "got";
import ky from "ky";
import { Agent, RetryAgent } from "undici";

/** A client that retries by itself. `get` returns the final status. */
export interface Client {
  readonly name: string;
  readonly get: (url: string) => Promise<number>;
  /** Absent if the client is always installed. */
  readonly installed?: () => Promise<boolean>;
  /** Whether the client reads only `X-RateLimit-*` headers. */
  readonly legacyOnly?: true;
}

const run = promisify(execFile);

/** Each client allows one retry and otherwise uses its defaults. */
export const clients: readonly Client[] = [
  { name: "ky", get: async (url) => (await ky(url, { retry: 1 })).status },
  { name: "got", get: async (url) => (await got(url, { retry: { limit: 1 } })).statusCode },
  { name: "undici", get: undiciGet },
  { name: "axios-retry", get: axiosGet },
  { name: "@octokit/plugin-throttling", get: octokitGet, legacyOnly: true },
  {
    name: "curl",
    get: async (url) =>
      Number((await run("curl", ["--silent", "--retry", "1", "--write-out", "\n%{http_code}", url])).stdout.split("\n").at(-1)),
    installed: () => works("curl", "--version"),
  },
  {
    name: "urllib3",
    get: async (url) => Number((await run("python3", ["-c", urllib3Get, url])).stdout),
    installed: () => works("python3", "-c", "import urllib3"),
  },
];

async function undiciGet(url: string): Promise<number> {
  const agent = new RetryAgent(new Agent(), { maxRetries: 1 });
  const { origin, pathname, search } = new URL(url);
  const { statusCode, body } = await agent.request({ origin, path: pathname + search, method: "GET" });
  await body.dump();
  await agent.close();
  return statusCode;
}

async function axiosGet(url: string): Promise<number> {
  const client = axios.create();
  axiosRetry(client, { retries: 1 });
  return (await client.get(url)).status;
}

async function octokitGet(url: string): Promise<number> {
  const throttle = { onRateLimit: () => true, onSecondaryRateLimit: () => false };
  const octokit = new (Octokit.plugin(throttling))({ throttle, log: silent });
  return (await octokit.request(`GET ${url}`)).status;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

const urllib3Get = `
import sys, urllib3
retry = urllib3.Retry(total=1, status_forcelist=[429])
print(urllib3.PoolManager().request("GET", sys.argv[1], retries=retry).status)
`;

async function works(command: string, ...args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}
