import type { Socket } from "node:net";

const leashes = new Set<Socket>();
let watch: NodeJS.Timeout | undefined;

/**
 * Holds the pipe whose closing ends a server or removes a folder. The kernel closes it when this process ends, however
 * it ends. A worker that lost the process which forked it, such as one of a test runner that was killed, may live on
 * for as long as its test: the pipe is closed then, too.
 */
export function hold(leash: Socket): void {
  leash.on("error", () => {}); // the shell at the other end was killed by somebody
  leash.once("close", () => leashes.delete(leash));
  leash.unref();
  leashes.add(leash);
  if (watch !== undefined || process.connected !== true) return;
  watch = setInterval(() => {
    if (!process.connected) for (const each of leashes) each.destroy();
  }, 200);
  watch.unref();
}
