import type { RedisBinary } from "./binary.ts";
import type { NetworkNamespace } from "./namespace.ts";
import { binding, COMMON, type RedisServer, startServer } from "./server.ts";

export interface StandaloneOptions {
  /** Additional arguments for redis-server, such as `["--appendonly", "yes"]`. */
  args?: readonly string[];
  port?: number;
  /** An existing folder for its data, which is kept at the end. */
  dir?: string;
  /**
   * The program to run.
   * @defaultValue the one with which all tests run
   */
  binary?: RedisBinary;
  /** The network to run it in. */
  namespace?: NetworkNamespace;
}

export interface Standalone extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly server: RedisServer;
  stop(): Promise<void>;
}

/** Starts one redis-server. */
export async function startStandalone({ args = [], port, dir, binary, namespace }: StandaloneOptions = {}): Promise<Standalone> {
  const server = await startServer({
    args: (place) => [...["--port", String(place.port)], ...binding(namespace), ...COMMON, ...args],
    port,
    dir,
    binary,
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
