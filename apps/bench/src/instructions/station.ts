import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { serve } from "../http/servers.ts";
import { type Setup as HttpSetup, proveServer, ruleOf } from "../http/station.ts";
import { proofRule } from "../memory/station.ts";
import type { Answers } from "../worker.ts";

export type Setup = Omit<HttpSetup, "redis">;

const request = Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n");

/** Serves the page of the HTTP bench, and asks for it in the same process, since that is the process whose instructions are counted. */
export async function open(setup: Setup): Promise<Answers> {
  const { framework, limiter } = setup;
  const { port } = await serve[framework](limiter, ruleOf(setup));
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  return {
    prove: () => (limiter === "none" ? undefined : proveServer(framework, limiter, proofRule)),
    requests: ({ count }: { count: number }) => requests(socket, count),
  };
}

/** Sends requests one by one. The responses are so small that each arrives in one piece. */
async function requests(socket: Socket, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    socket.write(request);
    await once(socket, "data");
  }
}
