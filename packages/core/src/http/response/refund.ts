import type { Awaitable } from "../../backend/backend.ts";
import { warnOnce } from "../../warnings.ts";
import { clientClosed } from "../exchange.ts";
import type { RequestRateLimit } from "./decisions.ts";

/** Returns what the response's status is worth: `true` for the whole cost, or a number of tokens. */
export type Refund<Req> = (req: Req, status: number) => Awaitable<boolean | number>;

/**
 * Returns a function that refunds a decision once the response is over. A client that hung up gets nothing back unless `refundAborted`:
 * otherwise it could spare its tokens by hanging up while the handler still does the work.
 */
export function refunding<Req>(
  decision: RequestRateLimit,
  req: Req,
  refund: Refund<Req>,
  refundAborted: boolean,
): (status: number) => Awaitable<void> {
  return (status) => (status !== clientClosed || refundAborted ? settle(decision, () => refund(req, status)) : undefined);
}

/** Refunds after the response. No caller is left to catch an error, so a failure becomes a warning. */
async function settle(decision: RequestRateLimit, refund: () => Awaitable<boolean | number>): Promise<void> {
  try {
    const back = await refund();
    const tokens = back === true ? decision.cost : Number(back);
    if (tokens !== 0) await decision.refund(tokens);
  } catch (error) {
    warnOnce("RATELIMIT_REFUND_FAILED", `A refund after the response failed: ${error instanceof Error ? error.message : "not an Error"}`);
  }
}
