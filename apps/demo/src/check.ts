import { randomUUID } from "node:crypto";
import { defineConfig } from "@ratelimit/core";
import { type BackendRow, backends, type Outage, type Servers } from "./backends.ts";
import { type Framework, frameworks } from "./frameworks.ts";
import type { Observation } from "./judge.ts";
import { observe } from "./observe.ts";
import { type Shown, table } from "./report.ts";
import { type Step, script, sharedScript } from "./script.ts";
import { type Served, serve } from "./serve.ts";

/** What is asked, and of which servers. */
export interface CheckOptions {
  readonly servers: Servers;
  /** What stored keys begin with; a part that no other check has is added. */
  readonly keyPrefix: string;
  readonly print: (text: string) => void;
  /** What is asked of every combination, and of all frameworks on one backend in turn. */
  readonly scripts?: { readonly each: readonly Step[]; readonly together: readonly Step[] };
}

/** Applications that draw on the same buckets, and what is asked of them. */
export interface Subject {
  readonly name: string;
  readonly backend: BackendRow;
  readonly frameworks: readonly Framework[];
  readonly script: readonly Step[];
}

/**
 * Asks every combination that can run, and prints what it showed beside what is wrong with it. The limits are the demo's own,
 * whatever the environment says of them.
 *
 * @returns whether all figures are right
 */
export async function check({ servers, keyPrefix, print, scripts }: CheckOptions): Promise<boolean> {
  const subjects = subjectsOf(scripts ?? { each: script, together: sharedScript });
  // Backends side by side, to save time; what is on one backend one after the other, so that little time passes during a step.
  const settled = await Promise.allSettled(
    backends.map((backend) =>
      askInTurn(
        subjects.filter((one) => one.backend === backend),
        servers,
        keyPrefix,
      ),
    ),
  );
  const shown = settled.flatMap((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });

  for (const line of table(shown)) print(line);
  const all = shown.flatMap(({ observations = [] }) => observations);
  const right = all.filter(({ problems }) => problems.length === 0);
  print(`${right.length} of ${all.length} as expected`);
  return right.length === all.length;
}

function subjectsOf({ each, together }: NonNullable<CheckOptions["scripts"]>): Subject[] {
  return backends.flatMap((backend) => [
    ...frameworks.map((one) => ({ name: `${backend.name}, ${one.name}`, backend, frameworks: [one], script: each })),
    ...(backend.shared ? [{ name: `${backend.name}, all in turn`, backend, frameworks, script: together }] : []),
  ]);
}

async function askInTurn(subjects: readonly Subject[], servers: Servers, keyPrefix: string): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const subject of subjects) shown.push({ subject, observations: await ask(subject, servers, keyPrefix) });
  return shown;
}

/** Figures are wrong where a Redis that is out is stood in for. */
const outage: Outage = { outage: "throw", timeout: "5s" };

/** What a subject showed; `undefined` where it cannot run. */
async function ask({ backend, frameworks, script }: Subject, servers: Servers, keyPrefix: string): Promise<Observation[] | undefined> {
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
