import { type NetworkNamespace, run } from "./namespace.ts";

/** A virtual cable between two namespaces. */
export interface VethPair {
  /** Drops packets both ways without notifying either side. */
  cut(): Promise<void>;
  /** Undoes a cut. */
  mend(): Promise<void>;
}

/**
 * Connects two namespaces. Each reaches the other at the address that this process uses for it, and this process still reaches
 * both when the cable is cut. The cable is removed with either namespace.
 */
export async function createVethPair(one: NetworkNamespace, other: NetworkNamespace): Promise<VethPair> {
  const ends = [
    { here: one, there: other },
    { here: other, there: one },
  ];
  const atEachEnd = async (command: (here: NetworkNamespace, there: NetworkNamespace) => string): Promise<void> => {
    for (const { here, there } of ends) await run("ip", "-n", here.name, ...command(here, there).split(" "));
  };
  // Each end has the name of the namespace that it leads to.
  await run("ip", ...`link add ${other.name} netns ${one.name} type veth peer name ${one.name} netns ${other.name}`.split(" "));
  await atEachEnd((_, there) => `link set ${there.name} up`);
  await atEachEnd((here, there) => `route add ${there.host} dev ${there.name} src ${here.host}`);
  return {
    // The other end drops packets for a MAC address that no card has. An interface that is down would report an error.
    cut: () => atEachEnd((_, there) => `neigh replace ${there.host} dev ${there.name} lladdr 02:00:00:00:00:00 nud permanent`),
    mend: () => atEachEnd((_, there) => `neigh del ${there.host} dev ${there.name}`),
  };
}
