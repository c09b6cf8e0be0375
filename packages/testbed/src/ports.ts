import { createServer, type Server } from "node:net";

export const HOST = "127.0.0.1";

// Below the ports that a kernel gives to outgoing connections (32768 up on Linux, 49152 up elsewhere): there a client
// that knocks at a dead server can take the server's port, or even reach itself.
const LOWEST = 10_000;
const HIGHEST = 32_000;

const handedOut = new Set<number>();

/** Free loopback ports, none of which this process was given before. All probes are open together: no port comes twice. */
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
