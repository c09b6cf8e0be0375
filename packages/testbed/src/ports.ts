import { createServer, type Server } from "node:net";

export const HOST = "127.0.0.1";

// Stay below the ports that the kernel uses for outgoing connections (from 32768 on Linux, from 49152 elsewhere). There, a client
// that connects to a dead server could take the server's port, or even connect to itself.
const LOWEST = 10_000;
const HIGHEST = 32_000;

const handedOut = new Set<number>();

/** Returns free loopback ports that this process has not been given before. All probes stay open together, so no port appears twice. */
export async function freePorts(count: number): Promise<number[]> {
  const probes: Server[] = [];
  const ports: number[] = [];
  try {
    for (let tries = 0; ports.length < count; tries++) {
      if (tries > 1000) throw new Error(`Found no ${count} free ports between ${LOWEST} and ${HIGHEST}.`);
      const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
      if (handedOut.has(port)) continue;
      const probe = await listen(port);
      if (probe === undefined) continue;
      handedOut.add(port);
      probes.push(probe);
      ports.push(port);
    }
    return ports;
  } finally {
    await Promise.all(probes.map((probe) => new Promise((closed) => probe.close(closed))));
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(undefined));
    probe.listen({ host: HOST, port, exclusive: true }, () => resolve(probe));
  });
}
