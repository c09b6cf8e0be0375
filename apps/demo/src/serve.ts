import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RateLimitConfig } from "@ratelimit/core";
import { type BackendRow, backends, type Outage, type Servers } from "./backends.ts";
import { type Framework, frameworks } from "./frameworks.ts";

/** A backend and a framework. */
export interface Combination {
  readonly backend: BackendRow;
  readonly framework: Framework;
}

export interface ServeOptions {
  readonly config: RateLimitConfig;
  readonly servers: Servers;
  readonly port: number;
  readonly outage?: Outage;
  /** Serves more paths than those of the application. */
  readonly extend?: (app: RequestListener) => RequestListener;
}

/** A listening application. */
export interface Served extends Combination {
  readonly url: string;
  close(): Promise<void>;
}

export const combinations: readonly Combination[] = backends.flatMap((backend) => frameworks.map((framework) => ({ backend, framework })));

/**
 * Starts an application on the loopback address, on `port` or, if that is taken, on a free port.
 *
 * @returns `undefined` if the address of its backend is not set
 */
export async function serve({ backend: row, framework }: Combination, options: ServeOptions): Promise<Served | undefined> {
  const { config, servers, port, outage = {}, extend = (app) => app } = options;
  const backend = row.open(servers, outage);
  if (backend === undefined) return undefined;
  try {
    const server = await listen(extend(await framework.app({ backend, config })), port > 65_535 ? 0 : port);
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

/** Listens on a free port if `port` is taken or needs rights that this process does not have. */
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
