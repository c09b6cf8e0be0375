import { RateLimitError, RateLimiter } from "@ratelimit/core";
import { type BackendRow, backends, type Servers } from "./backends.ts";

/**
 * Checks that every backend named by the environment answers. Applications would run without it, and decide locally.
 * @throws {RateLimitError} INVALID_OPTION if its address is invalid, BACKEND if it does not answer.
 */
export async function reachAll(servers: Servers): Promise<void> {
  await Promise.all(backends.map((row) => reach(row, servers)));
}

async function reach({ name, needs, open }: BackendRow, servers: Servers): Promise<void> {
  let why = "";
  const onOutage = ({ reason = "" }: { readonly reason?: string }): void => {
    why = reason;
  };
  const backend = open(servers, { outage: "throw", timeout: "5s", onOutage });
  if (backend === undefined) return;
  try {
    await new RateLimiter({ name: "reach", rate: 1, backend }).peek("key");
  } catch (error) {
    if (!(error instanceof RateLimitError && error.code === "BACKEND")) throw error;
    throw new RateLimitError("BACKEND", `${name} does not answer (${why}): start it, or correct or unset ${needs}`, { cause: error });
  } finally {
    await backend.close();
  }
}
