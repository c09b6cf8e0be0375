import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RateLimitConfig } from "@ratelimit/core";
import { type BackendRow, backends, type Outage, type Servers } from "./backends.ts";
import { type Framework, frameworks } from "./frameworks.ts";

/** A backend with a framework. */
export interface Combination {
  readonly backend: BackendRow;
  readonly framework: Framework;
}

export interface ServeOptions {
  readonly config: RateLimitConfig;
  readonly servers: Servers;
  readonly port: number;
  readonly outage?: Outage;
}

/** An application that listens. */
export interface Served extends Combination {
  readonly url: string;
  close(): Promise<void>;
}

export const combinations: readonly Combination[] = backends.flatMap((backend) => frameworks.map((framework) => ({ backend, framework })));

/**
 * Starts an application on `port` of the loopback address, or on a free one where that is taken;
 * `undefined` where nothing says where its backend is.
 */
export async function serve({ backend: row, framework }: Combination, options: ServeOptions): Promise<Served | undefined> {
  const { config, servers, port, outage = {} } = options;
  const backend = row.open(servers, outage);
  if (backend === undefined) return undefined;
  try {
    const server = await listen(await framework.app({ backend, config }), port > 65_535 ? 0 : port);
    return {
      backend: row,
      framework,
      url: `http://127.0.0.1:${portOf(server)}`,
      async close() {
        await stop(server);
        await backend.close();
      },
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** A port that is taken, or that needs rights which this process does not have, gives way to a free one. */
async function listen(listener: RequestListener, port: number): Promise<Server> {
  const server = createServer(listener);
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch (error) {
    if (!["EADDRINUSE", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await once(server.listen(0, "127.0.0.1"), "listening");
  }
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function stop(server: Server): Promise<void> {
  const closed = once(server.close(), "close");
  server.closeAllConnections();
  await closed;
}
