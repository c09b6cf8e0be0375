import type { RegisterTest } from "../register.ts";
import { aborts } from "./aborts.ts";
import { access } from "./access.ts";
import { accounting } from "./accounting.ts";
import { advisories } from "./advisories.ts";
import type { Serve } from "./app.ts";
import { badRequests } from "./bad-requests.ts";
import { callbackFailures } from "./callbacks.ts";
import { copies } from "./copies.ts";
import { defects } from "./defects.ts";
import { handlerFailures } from "./handler-failures.ts";
import { headerModes } from "./header-modes.ts";
import { identity } from "./identity.ts";
import { namedClients } from "./named-clients.ts";
import { plans } from "./plans.ts";
import { refusals } from "./refusals.ts";
import type { HttpRequirement } from "./requirement.ts";
import { shadow } from "./shadow.ts";
import { stacking } from "./stacking.ts";
import { whichRequests } from "./which-requests.ts";

/** The requirements for every adapter, each documented in its own file. */
export const httpRequirements: readonly HttpRequirement[] = [
  ...headerModes,
  ...refusals,
  ...identity,
  ...namedClients,
  ...access,
  ...whichRequests,
  ...stacking,
  ...plans,
  ...accounting,
  ...shadow,
  ...callbackFailures,
  ...handlerFailures,
  ...aborts,
  ...badRequests,
  ...copies,
  ...advisories,
  ...defects,
];

/** Milliseconds after which Vitest or Jest stops a test: longer than a requirement waits for an adapter, so that its own message is seen. */
const timeoutMs = 20_000;

/**
 * Registers a test for each requirement that every adapter must meet. A failure names the requirement and shows the requests and responses
 * that led to it.
 *
 * `test` is that of Vitest, of `node:test` or of Jest. `serve` starts an application in the adapter's framework on a real port. The suite
 * stops the clock of `Date.now`, so its tests must not run concurrently.
 *
 * @example
 * httpSuite(test, async (app) => {
 *   const framework = express();
 *   // ...
 *   return listen(framework);
 * });
 */
export function httpSuite(test: RegisterTest, serve: Serve): void {
  for (const requirement of httpRequirements) test(requirement.name, () => requirement.verify(serve), timeoutMs);
}
