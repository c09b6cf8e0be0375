import { exposedHeaders } from "@ratelimit/core/http";
import type { FastifyReply } from "fastify";

const fields = ["Access-Control-Expose-Headers", ...new Set(Object.values(exposedHeaders).flat())];

const patched = new WeakSet<object>();

/**
 * Makes `reply.hijack()` keep the rate limit headers by copying them to Node's response. Fastify drops all headers of a hijacked reply.
 *
 * The method is replaced for the replies of this app only. Setting the headers on Node's response in the first place would be simpler, but
 * Node then sends the headers of every reply in a slower way, which costs a microsecond.
 */
export function keepHeadersWhenHijacked(reply: FastifyReply): void {
  const prototype = Object.getPrototypeOf(reply) as { hijack: (this: FastifyReply) => FastifyReply };
  if (patched.has(prototype)) return;
  patched.add(prototype);
  const { hijack } = prototype;
  prototype.hijack = function () {
    for (const name of fields) {
      const value = this.getHeader(name);
      if (value !== undefined && !this.raw.headersSent) this.raw.setHeader(name, value);
    }
    return hijack.call(this);
  };
}
