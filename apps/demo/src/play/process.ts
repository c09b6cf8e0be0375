import { backends } from "../backends.ts";
import type { Framework } from "../frameworks.ts";
import { type Served, serve } from "../serve.ts";
import { type Environment, readSettings } from "../settings.ts";
import { expressPlay } from "./express.ts";
import { fastifyPlay } from "./fastify.ts";
import { koaPlay } from "./koa.ts";
import { playProcesses } from "./play.ts";

/** Where one combination is served. */
export interface Address {
  readonly framework: string;
  readonly backend: string;
  readonly url: string;
}

export const playFrameworks: readonly Framework[] = [
  { name: "Express", app: expressPlay },
  { name: "Fastify", app: fastifyPlay },
  { name: "Koa", app: koaPlay },
];

/** Serves `/play` in every combination, sends the addresses to the parent process, and ends when the parent does. */
export async function servePlay(env: Environment): Promise<void> {
  // Ctrl-C reaches every process of a terminal, but this one must not end before its parent has.
  process.on("SIGINT", () => {});
  const ended = new Promise<void>((resolve) => process.once("disconnect", resolve));
  const { config, servers } = readSettings(env);
  const open: Served[] = [];
  try {
    // The page shows outages. A warning in the terminal for each click would only repeat it.
    const outage = { instances: playProcesses, onOutage: () => {} };
    for (const backend of backends)
      for (const framework of playFrameworks) {
        const served = await serve({ backend, framework }, { config, servers, port: 0, outage });
        if (served !== undefined) open.push(served);
      }
    process.send?.(open.map(({ framework, backend, url }): Address => ({ framework: framework.name, backend: backend.name, url })));
    await ended;
  } finally {
    await Promise.all(open.map((served) => served.close()));
  }
}
