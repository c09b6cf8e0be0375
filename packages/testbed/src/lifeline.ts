import type { Socket } from "node:net";

const pipes = new Set<Socket>();
let watch: NodeJS.Timeout | undefined;

/**
 * Holds a pipe that ends a server or removes a folder when it closes. The kernel closes it when this process ends, for whatever
 * reason. It is also closed when a forked worker loses its parent, such as a test runner that was killed, because the worker
 * may live on for as long as its test.
 */
export function hold(pipe: Socket): void {
  pipe.on("error", () => {}); // the shell at the other end may have been killed
  pipe.once("close", () => pipes.delete(pipe));
  pipe.unref();
  pipes.add(pipe);
  if (watch !== undefined || process.connected !== true) return;
  watch = setInterval(() => {
    if (!process.connected) for (const each of pipes) each.destroy();
  }, 200);
  watch.unref();
}
