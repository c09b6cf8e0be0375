import {
  type Awaitable,
  type Guard,
  isPromise,
  type RequestRateLimit,
  settleAfterResponse,
  thenMaybe,
  throwingErrors,
  type Verdict,
} from "@ratelimit/core/adapter";
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from "fastify";

/** The Fastify hook in which a limit is checked. */
export type Hook = "onRequest" | "preHandler";

/** One of the limits that a request must pass. */
export interface Step {
  readonly guard: Guard<FastifyRequest>;
  readonly hook: Hook;
  readonly onLimited?: ((result: RequestRateLimit, request: FastifyRequest, reply: FastifyReply) => unknown) | undefined;
}

type HookFunction = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

/** The property that stores a request's reply: a WeakMap of all pending requests would cost more than everything else here. */
const replySlot: unique symbol = Symbol("@ratelimit/fastify reply");

type Judged = FastifyRequest & { [replySlot]?: FastifyReply };

/** Returns the reply to a request that is passing through the limits. */
export function replyTo(request: Judged): FastifyReply | undefined {
  return request[replySlot];
}

/** Creates a hook that runs the steps that `choose` returns one by one, until one refuses the request. */
export function hookThrough(choose: (request: FastifyRequest) => readonly Step[]): HookFunction {
  return function rateLimit(request: Judged, reply, done) {
    request[replySlot] = reply;
    const through = thenMaybe(walk(choose(request), 0, request, reply), (passed) => {
      if (passed) done();
    });
    if (isPromise(through)) through.catch(done);
  };
}

function walk(steps: readonly Step[], from: number, request: FastifyRequest, reply: FastifyReply): Awaitable<boolean> {
  const step = steps[from];
  if (step === undefined) return true;
  return thenMaybe(step.guard(request), (verdict) =>
    apply(verdict, step, request, reply) ? walk(steps, from + 1, request, reply) : false,
  );
}

/** Applies a verdict and returns whether the request goes on. */
function apply(verdict: Verdict, { onLimited }: Step, request: FastifyRequest, reply: FastifyReply): boolean {
  if (verdict.kind === "skip") return true;
  request.rateLimit = verdict.result;
  if (reply.sent) return false;
  reply.headers(verdict.headers);
  if (verdict.kind === "refuse") {
    reply.code(verdict.status);
    // Without a serializer, Fastify adds a charset to the Content-Type of a string.
    if (onLimited === undefined) reply.serializer(asItIs).send(verdict.body);
    else void answer(() => onLimited(verdict.result, request, reply), reply);
    return false;
  }
  if (verdict.settle) settleAfterResponse(reply.raw, verdict.settle);
  return true;
}

function asItIs(body: unknown): string {
  return body as string;
}

/** Sends whatever `onLimited` returns, as Fastify does for a handler. */
async function answer(page: () => unknown, reply: FastifyReply): Promise<void> {
  try {
    const payload = await throwingErrors(page)();
    if (payload !== undefined && payload !== reply && !reply.sent) reply.send(payload);
  } catch (error) {
    reply.send(error);
  }
}
