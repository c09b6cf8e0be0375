import type { NetworkNamespace } from "./namespace.ts";
import { binding, COMMON, type RedisServer, startServer } from "./server.ts";

export interface StandaloneOptions {
  /** More arguments of redis-server, such as `["--appendonly", "yes"]`. */
  args?: readonly string[];
  port?: number;
  /** Where it keeps its data: a folder that exists and is left there at the end. */
  dir?: string;
  /** A network of its own for it to run in. */
  namespace?: NetworkNamespace;
}

export interface Standalone extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly server: RedisServer;
  stop(): Promise<void>;
}

/** One redis-server. */
export async function startStandalone({ args = [], port, dir, namespace }: StandaloneOptions = {}): Promise<Standalone> {
  const server = await startServer({
    args: (place) => [...["--port", String(place.port)], ...binding(namespace), ...COMMON, ...args],
    port,
    dir,
    namespace,
  });
  const stop = (): Promise<void> => server.stop();
  return {
    url: `redis://${server.host}:${server.port}`,
    host: server.host,
    port: server.port,
    server,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
