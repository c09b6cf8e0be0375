import type { RequestListener } from "node:http";
import { expressApp } from "./express.ts";
import { fastifyApp } from "./fastify.ts";
import { koaApp } from "./koa.ts";
import type { Site } from "./limits.ts";

/** A framework, and the function that creates the demo's application in it. */
export interface Framework {
  readonly name: string;
  readonly app: (site: Site) => Promise<RequestListener>;
}

export const frameworks: readonly Framework[] = [
  { name: "Express", app: expressApp },
  { name: "Fastify", app: fastifyApp },
  { name: "Koa", app: koaApp },
];
