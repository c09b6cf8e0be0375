import type { RedisAction, RedisStatus, Setup } from "../src/page/contract.ts";

/** Starts the processes and Redis, if they have not been started, and returns what there is. */
export async function fetchSetup(): Promise<Setup> {
  return (await answerOf(await fetch("/page/api/setup"))) as Setup;
}

export async function act(action: RedisAction): Promise<RedisStatus> {
  return (await answerOf(await fetch(`/page/api/redis/${action}`, { method: "POST" }))) as RedisStatus;
}

async function answerOf(response: Response): Promise<unknown> {
  if (!response.ok) throw new Error(`The demo answered ${response.status}.`);
  return response.json();
}
