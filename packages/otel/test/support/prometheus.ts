import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, makeFolder, spawnOwned, unpackDebian } from "@ratelimit/testbed";
import { vi } from "vitest";

const run = promisify(execFile);

/** A command of Prometheus: its program, and what to start it with. */
type Program = (name: "prometheus" | "promtool") => { readonly path: string; readonly env: NodeJS.ProcessEnv };

/**
 * Finds `prometheus` and `promtool`: on the PATH, or else in Debian's package, unpacked into the cache folder of this repository. Returns
 * the reason if there are none.
 */
export async function findPrometheus(): Promise<{ readonly program: Program } | { readonly missing: string }> {
  const { env } = process;
  const works = async (program: Program): Promise<boolean> => {
    for (const name of ["prometheus", "promtool"] as const) await run(program(name).path, ["--version"], { env: program(name).env });
    return true;
  };
  const onPath: Program = (path) => ({ path, env });
  if (await works(onPath).catch(() => false)) return { program: onPath };
  try {
    const cache = cacheFolder("prometheus");
    const cachedEnv = await unpackDebian(["prometheus"], cache, env);
    const unpacked: Program = (name) => ({ path: join(cache, "usr/bin", name), env: cachedEnv });
    await works(unpacked);
    return { program: unpacked };
  } catch (error) {
    return { missing: `neither the PATH nor Debian has prometheus and promtool (${String(error).split("\n")[0]})` };
  }
}

/** Runs promtool, and returns what it prints. It throws that if promtool finds something wrong. */
export async function promtool(program: Program, ...args: string[]): Promise<string> {
  const { path, env } = program("promtool");
  const { stdout, stderr } = await run(path, args, { env });
  return stdout + stderr;
}

/** A Prometheus that scrapes one address every 200 ms. */
export interface Prometheus extends AsyncDisposable {
  /** The values of a query now, one for each series. */
  query(expression: string): Promise<number[]>;
  /** The state of each alert rule. */
  rules(): Promise<{ readonly name: string; readonly health: string }[]>;
}

export async function startPrometheus(program: Program, target: string, rules: string): Promise<Prometheus> {
  const folder = await makeFolder();
  const config = {
    global: { scrape_interval: "200ms", evaluation_interval: "200ms" },
    rule_files: [rules],
    scrape_configs: [{ job_name: "api", static_configs: [{ targets: [target] }] }],
  };
  await writeFile(join(folder.path, "prometheus.json"), JSON.stringify(config));
  const { path, env } = program("prometheus");
  const options = ["--config.file=prometheus.json", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"];
  const server = spawnOwned([path, ...options], { env, cwd: folder.path });
  const stop = async (): Promise<void> => {
    await server.kill();
    await folder.remove();
  };
  try {
    const address = await vi.waitFor(() => {
      const [, found] = /msg="Listening on" address=(127\.0\.0\.1:\d+)/.exec(server.output) ?? [];
      if (found === undefined) throw new Error(`Prometheus does not listen: ${server.output}`);
      return found;
    }, 20_000);
    const get = async <T>(what: string): Promise<T> => {
      const answer = (await (await fetch(`http://${address}/api/v1/${what}`)).json()) as { status: string; error?: string; data: T };
      if (answer.status !== "success") throw new Error(answer.error);
      return answer.data;
    };
    return {
      query: async (expression) => {
        const { result } = await get<{ result: { value: [number, string] }[] }>(`query?query=${encodeURIComponent(expression)}`);
        return result.map(({ value: [, value] }) => Number(value));
      },
      rules: async () => {
        const { groups } = await get<{ groups: { rules: { name: string; health: string }[] }[] }>("rules");
        return groups.flatMap((group) => group.rules);
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
