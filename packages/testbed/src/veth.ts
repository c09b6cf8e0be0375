import { type NetworkNamespace, run } from "./namespace.ts";

/** A cable between two namespaces. */
export interface VethPair {
  /** Packets that go over it are lost, both ways, and nobody is told. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/**
 * Lays a cable from one namespace to another. Each is there under the address that it has for this process too, which
 * goes on reaching both when the cable is cut. It goes when one of them does.
 */
export async function createVethPair(one: NetworkNamespace, other: NetworkNamespace): Promise<VethPair> {
  const ends = [
    { here: one, there: other },
    { here: other, there: one },
  ];
  const atEachEnd = async (command: (here: NetworkNamespace, there: NetworkNamespace) => string): Promise<void> => {
    for (const { here, there } of ends) await run("ip", "-n", here.name, ...command(here, there).split(" "));
  };
  // Each end bears the name of where it leads.
  await run("ip", ...`link add ${other.name} netns ${one.name} type veth peer name ${one.name} netns ${other.name}`.split(" "));
  await atEachEnd((_, there) => `link set ${there.name} up`);
  await atEachEnd((here, there) => `route add ${there.host} dev ${there.name} src ${here.host}`);
  return {
    // What is addressed to a card that nobody has is thrown away at the other end; an interface that is down would tell.
    cut: () => atEachEnd((_, there) => `neigh replace ${there.host} dev ${there.name} lladdr 02:00:00:00:00:00 nud permanent`),
    mend: () => atEachEnd((_, there) => `neigh del ${there.host} dev ${there.name}`),
  };
}
