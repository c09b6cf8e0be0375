import { randomUUID } from "node:crypto";
import { defineConfig } from "@ratelimit/core";
import { type BackendRow, backends, type Outage, type Servers } from "./backends.ts";
import type { Observation } from "./evaluate.ts";
import { type Framework, frameworks } from "./frameworks.ts";
import { observe } from "./observe.ts";
import { type Shown, table } from "./report.ts";
import { type Step, script, sharedScript } from "./script.ts";
import { type Served, serve } from "./serve.ts";

/** What to check, and where. */
export interface CheckOptions {
  readonly servers: Servers;
  /** The prefix of stored keys. A part that is unique to this check is added. */
  readonly keyPrefix: string;
  readonly print: (line: string) => void;
  /** The requests for each combination, and those for all frameworks on one backend in turn. */
  readonly scripts?: { readonly each: readonly Step[]; readonly together: readonly Step[] };
}

/** Applications that share their buckets, and the requests to send them. */
export interface Scenario {
  readonly name: string;
  readonly backend: BackendRow;
  readonly frameworks: readonly Framework[];
  readonly script: readonly Step[];
}

/**
 * Sends requests to every combination that can run, and prints the responses and every unexpected figure. The limits are always
 * the demo's own, whatever the environment says.
 *
 * @returns whether all figures are right
 */
export async function check({ servers, keyPrefix, print, scripts }: CheckOptions): Promise<boolean> {
  const scenarios = scenariosOf(scripts ?? { each: script, together: sharedScript });
  // Backends are checked in parallel, to save time. Scenarios on the same backend run in turn, so that each step takes little time.
  const settled = await Promise.allSettled(
    backends.map((backend) =>
      askInTurn(
        scenarios.filter((scenario) => scenario.backend === backend),
        servers,
        keyPrefix,
      ),
    ),
  );
  const shown = settled.flatMap((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });

  for (const line of table(shown)) print(line);
  const all = shown.flatMap(({ observations = [] }) => observations);
  const right = all.filter(({ problems }) => problems.length === 0);
  print(`${right.length} of ${all.length} as expected`);
  return right.length === all.length;
}

function scenariosOf({ each, together }: NonNullable<CheckOptions["scripts"]>): Scenario[] {
  return backends.flatMap((backend) => [
    ...frameworks.map((framework) => ({
      name: `${backend.name}, ${framework.name}`,
      backend,
      frameworks: [framework],
      script: each,
    })),
    ...(backend.shared ? [{ name: `${backend.name}, all in turn`, backend, frameworks, script: together }] : []),
  ]);
}

async function askInTurn(scenarios: readonly Scenario[], servers: Servers, keyPrefix: string): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const scenario of scenarios) shown.push({ scenario: scenario, observations: await ask(scenario, servers, keyPrefix) });
  return shown;
}

/** Local decisions would make the figures wrong, so an outage of Redis must be an error. */
const outage: Outage = { outage: "throw", timeout: "5s" };

/** Runs a scenario, and returns `undefined` if its backend is not set. */
async function ask({ backend, frameworks, script }: Scenario, servers: Servers, keyPrefix: string): Promise<Observation[] | undefined> {
  const config = defineConfig({ rate: 100, period: 60, burst: 150, keyPrefix: `${keyPrefix}check:${randomUUID()}:` });
  const open: Served[] = [];
  try {
    for (const framework of frameworks) {
      const served = await serve({ backend, framework }, { config, servers, port: 0, outage });
      if (served === undefined) return undefined;
      open.push(served);
    }
    return await observe(
      open.map(({ url }) => url),
      script,
    );
  } finally {
    await Promise.all(open.map((served) => served.close()));
  }
}
