import { connect, type Socket } from "node:net";
import type { Address } from "./client.ts";
import type { FaultMode } from "./proxy.ts";
import { ThrottledPipe } from "./throttled-pipe.ts";

/** What a connection needs from its proxy. */
export interface ProxyConnectionOwner {
  readonly mode: FaultMode;
  readonly target: Address;
  /** Called when a one-time fault has happened. The proxy then switches to `pass`. */
  done(): void;
  count(direction: "up" | "down", bytes: number): void;
  /** Called when both sides are closed. */
  forget(link: ProxyConnection): void;
}

const GARBAGE = Buffer.from("\u0000\u0001garbage\u00ff\r\n}{", "latin1");
const BODY = "Bad Request";
const HTTP = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\nConnection: close\r\n\r\n${BODY}`;

/** One client's connection together with the one that the proxy opens to the server. */
export class ProxyConnection {
  readonly #owner: ProxyConnectionOwner;
  readonly #client: Socket;
  readonly #server: Socket | undefined;
  #silent = false;
  #armed = false;

  constructor(owner: ProxyConnectionOwner, client: Socket) {
    this.#owner = owner;
    this.#client = client;
    client.setNoDelay(true);
    client.on("error", () => {}); // "close" follows
    if (owner.mode === "blackholeNew") {
      this.#silent = true;
      client.on("data", (data: Buffer) => owner.count("up", data.length));
      client.on("close", () => owner.forget(this));
      return;
    }

    const server = connect({ host: owner.target.host, port: owner.target.port, noDelay: true });
    this.#server = server;
    const up = new ThrottledPipe(client, server);
    const down = new ThrottledPipe(server, client);
    client.on("data", (data: Buffer) => this.#fromClient(data, up));
    client.on("close", () => up.afterwards(() => server.destroySoon())); // what the client has sent still arrives
    server.on("close", () => {
      if (client.destroyed) owner.forget(this);
      else client.on("close", () => owner.forget(this));
    });
    server.on("data", (data: Buffer) => this.#fromServer(data, down));
    server.on("error", () => {
      if (!this.#silent) client.resetAndDestroy();
    });
    server.on("end", () => {
      if (!this.#silent) down.afterwards(() => client.end());
    });
  }

  /** Whether the client is still there. */
  get open(): boolean {
    return !this.#client.destroyed;
  }

  /** Lets nothing through in either direction for the rest of this connection's life. */
  silence(): void {
    this.#silent = true;
  }

  /** Makes a one-time fault wait for the reply to a command that is sent from now on. */
  disarm(): void {
    this.#armed = false;
  }

  /** Resets the client's connection and closes the one to the server. */
  cut(): void {
    this.#client.resetAndDestroy();
    this.#server?.destroy();
  }

  #fromClient(data: Buffer, up: ThrottledPipe): void {
    const { mode } = this.#owner;
    this.#owner.count("up", data.length);
    if (this.#silent) return;
    if (mode === "garble") {
      this.#client.write(GARBAGE);
      return;
    }
    if (mode === "http") {
      this.silence();
      this.#client.end(HTTP);
      return;
    }
    this.#armed = mode === "cutOnReply" || mode === "halfReply";
    up.send(data, latency(mode, "up"), slice(mode));
  }

  #fromServer(data: Buffer, down: ThrottledPipe): void {
    const { mode } = this.#owner;
    this.#owner.count("down", data.length);
    if (this.#silent) return;
    if (this.#armed && mode === "cutOnReply") {
      this.#owner.done();
      this.cut();
      return;
    }
    if (this.#armed && mode === "halfReply") {
      this.#owner.done();
      down.send(data.subarray(0, Math.floor(data.length / 2)));
      this.silence();
      return;
    }
    down.send(data, latency(mode, "down"), slice(mode));
  }
}

function latency(mode: FaultMode, direction: "up" | "down"): number {
  return typeof mode === "object" && "latency" in mode ? (mode.latency[direction] ?? 0) : 0;
}

function slice(mode: FaultMode): number | undefined {
  return typeof mode === "object" && "slice" in mode ? mode.slice : undefined;
}
