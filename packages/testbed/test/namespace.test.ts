import { connect } from "node:net";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { makeNamespace, type Standalone, startStandalone, whyNoNamespace } from "../src/index.ts";
import { expectNothingLeft, namespaceTraces, useTmp } from "./leftovers.ts";

const reason = await whyNoNamespace();
if (reason !== undefined) process.stdout.write(`no network namespaces here (${reason}): their tests are skipped\n`);

/** Returns what happens to a new connection within 250 ms. */
function tryConnect({ host, port }: Standalone): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 250 });
    const end = (what: string) => (): void => {
      socket.destroy();
      resolve(what);
    };
    socket.on("connect", end("connected")).on("timeout", end("silence"));
    socket.on("error", ({ message }) => resolve(message));
  });
}

test.skipIf(reason !== undefined)(
  "a server in a namespace can be cut off silently and reached again, and leaves nothing behind",
  async () => {
    using tmp = useTmp();
    const namespace = await makeNamespace();
    expect(await namespaceTraces(namespace.name)).toHaveLength(2);
    const redis = await startStandalone({ namespace });
    const client = new Redis(redis.url, { retryStrategy: () => null, maxRetriesPerRequest: 0, commandTimeout: 250 });
    let ending: unknown;
    client.on("error", (error: Error) => {
      ending = error;
    });
    client.on("close", () => {
      ending ??= "closed";
    });

    expect(await client.ping()).toBe("PONG");
    await namespace.cut();
    await expect(client.ping()).rejects.toThrow("timed out");
    expect(await tryConnect(redis)).toBe("silence");
    await namespace.mend();
    expect(await tryConnect(redis)).toBe("connected");
    await expect.poll(() => client.ping()).toBe("PONG");
    expect(ending).toBeUndefined();

    client.disconnect();
    await redis.stop();
    await namespace.remove();
    await expectNothingLeft([redis.server.pid], tmp);
    expect(await namespaceTraces(namespace.name)).toEqual([]);
  },
);
