import { test } from "vitest";
import { aborts } from "./aborts.ts";
import { accounting } from "./accounting.ts";
import { advisories } from "./advisories.ts";
import type { Serve } from "./app.ts";
import { badRequests } from "./bad-requests.ts";
import type { HttpRequirement } from "./bench.ts";
import { copies } from "./copies.ts";
import { defects } from "./defects.ts";
import { handlerFailures } from "./handler-failures.ts";
import { headerModes } from "./header-modes.ts";
import { hookFailures } from "./hooks.ts";
import { identity } from "./identity.ts";
import { namedClients } from "./named-clients.ts";
import { plans } from "./plans.ts";
import { refusals } from "./refusals.ts";
import { shadow } from "./shadow.ts";
import { stacking } from "./stacking.ts";
import { whichRequests } from "./which-requests.ts";

/** The requirements for every adapter, each documented in its own file. */
export const httpPromises: readonly HttpRequirement[] = [
  ...headerModes,
  ...refusals,
  ...identity,
  ...namedClients,
  ...whichRequests,
  ...stacking,
  ...plans,
  ...accounting,
  ...shadow,
  ...hookFailures,
  ...handlerFailures,
  ...aborts,
  ...badRequests,
  ...copies,
  ...advisories,
  ...defects,
];

/**
 * Registers a test for each adapter requirement.
 *
 * `serve` starts an application in the adapter's framework on a real port.
 *
 * @example
 * httpSuite(async (app) => {
 *   const framework = express();
 *   // ...
 *   return listen(framework);
 * });
 */
export function httpSuite(serve: Serve): void {
  for (const requirement of httpPromises) test(requirement.name, () => requirement.holds(serve));
}
