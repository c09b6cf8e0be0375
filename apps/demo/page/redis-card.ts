import type { RedisAction, RedisStatus } from "../src/page/contract.ts";
import type { Decision } from "../src/play/decision.ts";
import { Announcer } from "./announcer.ts";
import { part, say } from "./dom.ts";
import { add, begin, describe, isTurn, type Since } from "./outage.ts";
import { act } from "./server.ts";

const hints: Readonly<Record<RedisStatus["state"], string>> = {
  running: "Freeze or kill it, and watch who decides. Panels with buckets in Redis send a steady stream meanwhile.",
  frozen: "It accepts connections and answers nothing.",
  killed: "Nothing listens on its port.",
  foreign: "",
  missing: "",
};

/** Which buttons can be pressed in which state. */
const enabled: Readonly<Record<RedisStatus["state"], readonly string[]>> = {
  running: ["freeze", "kill", "restart"],
  frozen: ["freeze", "kill", "restart"],
  killed: ["restart"],
  foreign: [],
  missing: [],
};

/** Shows the state of Redis, and stops and starts it. */
export class RedisCard {
  readonly #root: HTMLElement;
  readonly #onAction: () => void;
  readonly #announcer: Announcer;
  #status: RedisStatus;
  #since: Since | undefined;

  constructor(root: HTMLElement, status: RedisStatus, onAction: () => void) {
    this.#root = root;
    this.#status = status;
    this.#onAction = onAction;
    this.#announcer = new Announcer(part(root, "redis-announcer"));
    part(root, "freeze").addEventListener("click", () => void this.#act(this.#status.state === "frozen" ? "resume" : "freeze"));
    part(root, "kill").addEventListener("click", () => void this.#act("kill"));
    part(root, "restart").addEventListener("click", () => void this.#act("restart"));
    this.#show();
  }

  /** Counts a decision that Redis, or a process instead of it, made. */
  note(decision: Decision, at: number): void {
    if (this.#since === undefined) return;
    const before = this.#since;
    this.#since = add(before, decision, at);
    // It cannot say that Redis froze before it has.
    if (this.#since.doneAt === undefined) return;
    this.#showNote();
    // The note changes with every decision, which is too often to be read aloud.
    if (isTurn(before, this.#since)) this.#announcer.announce(describe(this.#since));
  }

  async #act(action: RedisAction): Promise<void> {
    const before = this.#since;
    const pressed = begin(action, performance.now());
    this.#since = pressed;
    this.#onAction();
    try {
      this.#status = await act(action);
    } catch (error) {
      this.#since = before;
      say(part(this.#root, "redis-note"), `Nothing was done: ${(error as Error).message}`);
      return;
    }
    // Another button may have been pressed meanwhile.
    if (this.#since.action === action && this.#since.at === pressed.at) this.#since = { ...this.#since, doneAt: performance.now() };
    this.#show();
    this.#announcer.announce(describe(this.#since));
  }

  #show(): void {
    const { state } = this.#status;
    const label = part(this.#root, "redis-state");
    say(label, state === "foreign" ? "yours" : state);
    label.dataset["state"] = state;
    say(part(this.#root, "freeze"), state === "frozen" ? "Resume" : "Freeze");
    for (const name of ["freeze", "kill", "restart"]) part<HTMLButtonElement>(this.#root, name).disabled = !enabled[state].includes(name);
    this.#showNote();
  }

  #showNote(): void {
    const { state, reason } = this.#status;
    say(part(this.#root, "redis-note"), reason ?? (this.#since === undefined ? hints[state] : describe(this.#since)));
  }
}
