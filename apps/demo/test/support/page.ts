import { once } from "node:events";
import { join } from "node:path";
import { build } from "vite";
import type { RedisAction, RedisStatus, Setup } from "../../src/page/contract.ts";
import type { Decision } from "../../src/play/decision.ts";
import { type Program, program } from "./program.ts";
import { get, type Reply } from "./requests.ts";

/** Bundles the demo from the sources, and builds its page next to it. */
export async function demoWithPage(): Promise<Program> {
  const demo = await program("src/main.ts");
  await build({
    root: join(import.meta.dirname, "../../page"),
    build: { outDir: join(demo.folder, "public") },
    logLevel: "error",
  });
  return demo;
}

/** A running demo, and the address of its page. */
export interface OpenDemo {
  readonly url: string;
  readonly pid: number;
  readonly setup: () => Promise<Setup>;
  readonly act: (action: RedisAction) => Promise<RedisStatus>;
  /** Ends it as Ctrl-C does, and waits for it. */
  readonly end: (signal?: NodeJS.Signals) => Promise<number | NodeJS.Signals>;
}

export async function open(demo: Program, env: Record<string, string> = {}): Promise<OpenDemo> {
  const { child, ended, wrote } = demo.start([], { PORT: "0", ...env });
  const [, url = ""] = /Open (\S+) in a browser/.exec(await wrote("Ctrl-C stops.")) ?? [];
  return {
    url,
    pid: child.pid as number,
    setup: async () => JSON.parse((await get(`${url}page/api/setup`)).body) as Setup,
    act: async (action) => (await (await fetch(`${url}page/api/redis/${action}`, { method: "POST" })).json()) as RedisStatus,
    end: async (signal = "SIGTERM") => {
      child.kill(signal);
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      return ended;
    },
  };
}

/** Returns the address of a combination in the i-th process. */
export function addressIn({ processes }: Setup, i: number, framework: string, backend: string): string {
  const address = processes[i]?.addresses.find((one) => one.framework === framework && one.backend === backend);
  if (address === undefined) throw new Error(`Process ${i} does not serve ${framework} on ${backend}.`);
  return address.url;
}

export function play(url: string, query: Record<string, number | string>): Promise<Reply> {
  const all = Object.entries({ rate: 5, period: "1h", burst: 5, client: "ada", ...query });
  return get(`${url}/play?${new URLSearchParams(all.map(([name, value]) => [name, String(value)] as [string, string]))}`);
}

export function decisionOf({ headers }: Reply): Decision {
  return JSON.parse(headers.get("demo-decision") ?? "null") as Decision;
}
