import type { Decision } from "../src/play/decision.ts";
import type { Announcer } from "./announcer.ts";
import { type Answer, ask } from "./answer.ts";
import { remainingAt, retryMsAt, sizeOf, tokensAt } from "./bucket.ts";
import type { Buckets, Holder } from "./buckets.ts";
import { part, say } from "./dom.ts";
import type { Rule } from "./form.ts";
import { Repeat } from "./repeat.ts";
import { Timeline } from "./timeline.ts";
import { Vessel } from "./vessel.ts";
import * as words from "./words.ts";

/** The server that a panel sends its requests to, and the client that they come from. */
export interface Target {
  readonly holder: Holder;
  readonly title: string;
  readonly framework: string;
  readonly backend: string;
  readonly url: string;
}

/** What the panels share. */
export interface PanelContext {
  readonly buckets: Buckets;
  readonly announcer: Announcer;
  /** Called for every decision, with the time at which the page had it. */
  readonly onDecision: (decision: Decision, at: number) => void;
}

/** How many times a second a held button sends, and how many requests of a panel may be on their way. */
const [heldPerSecond, mostOpen] = [25, 50];

/** One client of one process: its bucket, its buttons and its last response. */
export class Panel {
  readonly #root: HTMLElement;
  readonly #context: PanelContext;
  readonly #vessel: Vessel;
  readonly #timeline: Timeline;
  readonly #steady = new Repeat(() => this.send(1));
  readonly #held = new Repeat(() => this.send(1));
  #rule: Rule;
  #target: Target;
  #admitted = 0;
  #refused = 0;
  #open = 0;
  #last: Answer | undefined;
  /** Counts the changes of the target. An answer from before a change belongs to another bucket. */
  #era = 0;

  constructor(root: HTMLElement, context: PanelContext, rule: Rule, target: Target) {
    this.#root = root;
    this.#context = context;
    this.#rule = rule;
    this.#target = target;
    this.#vessel = new Vessel(root);
    this.#timeline = new Timeline(part(root, "timeline"));
    part(root, "one").addEventListener("click", () => this.send(1));
    part(root, "ten").addEventListener("click", () => this.send(10));
    this.#bindHold();
    this.#bindSteady();
    this.aim(rule, target);
  }

  get isSending(): boolean {
    return this.#steady.isRunning || this.#held.isRunning;
  }

  /** Changes the rule and the target, and begins anew. */
  aim(rule: Rule, target: Target): void {
    this.#rule = rule;
    this.#target = target;
    this.#era++;
    this.#admitted = this.#refused = 0;
    this.#last = undefined;
    this.#timeline.clear();
    const { title, framework, holder, backend } = target;
    say(part(this.#root, "title"), title);
    say(part(this.#root, "where"), `${framework} in process ${holder.pid}, buckets in ${backend}`);
    part(this.#root, "meter").setAttribute("aria-label", `Bucket of ${title}`);
    this.#showCounts();
    say(part(this.#root, "decided-by"), "nobody yet");
    say(part(this.#root, "took"), "–");
    part(this.#root, "decided-by").classList.remove("local");
    part(this.#root, "response").classList.remove("refusal");
    say(part(this.#root, "response"), "No request has been sent.");
  }

  /** Changes the cost alone: the bucket stays. */
  charge(rule: Rule): void {
    this.#rule = rule;
  }

  send(count: number): void {
    for (let i = 0; i < count && this.#open < mostOpen; i++) void this.#sendOne();
  }

  startSteady(): void {
    this.#steady.start(this.#perSecond);
    this.#showSteady();
  }

  /** Draws the bucket and the timeline at `now`. */
  draw(now: number): void {
    const level = this.#context.buckets.levelOf(this.#target.holder, this.#rule.limit, now);
    const retryMs = retryMsAt(level, this.#rule.cost, now);
    this.#vessel.draw(level, now);
    this.#timeline.draw(now);
    say(part(this.#root, "tokens"), words.tokens(tokensAt(level, now)));
    say(part(this.#root, "size"), `of ${sizeOf(level)}${level.instances > 1 ? ", its share" : " tokens"}`);
    say(part(this.#root, "next"), nextRequest(retryMs, now < level.blockedUntil));
    part(this.#root, "next").classList.toggle("waits", retryMs > 0);
    say(part(this.#root, "countdown"), this.#countdown(retryMs));
    this.#root.dataset["remaining"] = String(remainingAt(level, now));
  }

  async #sendOne(): Promise<void> {
    const era = this.#era;
    const { limit, cost, query } = this.#rule;
    const { holder, url } = this.#target;
    this.#open++;
    try {
      const answer = await ask(`${url}/play?${new URLSearchParams({ ...query, client: holder.client })}`);
      if (answer.decision !== undefined) {
        this.#context.buckets.note(holder, { limit, cost }, answer.decision, answer.at);
        this.#context.onDecision(answer.decision, answer.at);
      }
      if (era === this.#era) this.#show(answer);
    } catch {
      if (era === this.#era) this.#showFailure("The server did not answer. Is the demo still running?");
    } finally {
      this.#open--;
    }
  }

  #show(answer: Answer): void {
    const { decision, status, statusText, fields, at } = answer;
    if (decision === undefined) {
      this.#showFailure(`HTTP/1.1 ${status} ${statusText}`);
      return;
    }
    if (decision.allowed) this.#admitted++;
    else this.#refused++;
    this.#showCounts();
    this.#timeline.add({ at, tookMs: decision.tookMs, allowed: decision.allowed, source: decision.source });
    if (decision.at < (this.#last?.decision?.at ?? 0)) return; // it was overtaken
    this.#last = answer;
    const by = words.decidedBy(decision.source, this.#target.backend);
    say(part(this.#root, "decided-by"), by);
    say(part(this.#root, "took"), words.ms(decision.tookMs));
    part(this.#root, "decided-by").classList.toggle("local", decision.source === "local");
    const lines = fields.map(([name, value]) => `${name}: ${value}`);
    say(part(this.#root, "response"), [`HTTP/1.1 ${status} ${statusText}`, ...lines].join("\n"));
    part(this.#root, "response").classList.toggle("refusal", !decision.allowed);
  }

  /** Shows what came instead of a decision. The `Retry-After` of the response before it is no longer there to count down. */
  #showFailure(text: string): void {
    this.#last = undefined;
    part(this.#root, "response").classList.remove("refusal");
    say(part(this.#root, "response"), text);
  }

  #showCounts(): void {
    say(part(this.#root, "admitted"), String(this.#admitted));
    say(part(this.#root, "refused"), String(this.#refused));
    const summary = `${this.#target.title}: ${this.#admitted} admitted, ${this.#refused} refused`;
    part(this.#root, "timeline").setAttribute("aria-label", `Decisions of the last 30 seconds. ${summary}`);
    if (this.#admitted + this.#refused > 0) this.#context.announcer.announce(`${summary}.`);
  }

  /** What became of the `Retry-After` of the last response. */
  #countdown(retryMs: number): string {
    const field = this.#last?.fields.find(([name]) => name === "retry-after");
    if (field === undefined) return "";
    if (retryMs === 0) return `Retry-After: ${field[1]} is over. A request would be admitted now.`;
    return `Retry-After: ${field[1]} has ${words.wait(retryMs)} left until a request is admitted.`;
  }

  #bindHold(): void {
    const button = part(this.#root, "hold");
    const start = (): void => {
      if (this.#held.isRunning) return;
      this.#held.start(heldPerSecond);
      button.classList.add("active");
    };
    const stop = (): void => {
      this.#held.stop();
      button.classList.remove("active");
    };
    const isPress = ({ key }: KeyboardEvent): boolean => key === " " || key === "Enter";
    button.addEventListener("pointerdown", start);
    for (const event of ["pointerup", "pointercancel", "pointerleave", "blur"]) button.addEventListener(event, stop);
    button.addEventListener("keydown", (event) => {
      if (!isPress(event)) return;
      event.preventDefault();
      start();
    });
    button.addEventListener("keyup", (event) => {
      if (isPress(event)) stop();
    });
  }

  #bindSteady(): void {
    part(this.#root, "steady").addEventListener("click", () => {
      if (this.#steady.isRunning) this.#steady.stop();
      else this.#steady.start(this.#perSecond);
      this.#showSteady();
    });
    part(this.#root, "per-second").addEventListener("input", () => {
      if (this.#steady.isRunning) this.#steady.start(this.#perSecond);
      this.#showSteady();
    });
    this.#showSteady();
  }

  get #perSecond(): number {
    return Number(part<HTMLInputElement>(this.#root, "per-second").value);
  }

  #showSteady(): void {
    part(this.#root, "steady").setAttribute("aria-pressed", String(this.#steady.isRunning));
    say(part(this.#root, "per-second-shown"), `${this.#perSecond} per second`);
  }
}

function nextRequest(retryMs: number, isBlocked: boolean): string {
  if (retryMs === Number.POSITIVE_INFINITY) return "No request of this cost is ever admitted";
  if (retryMs > 0) return `${isBlocked ? "Blocked: next" : "Next"} request admitted in ${words.wait(retryMs)}`;
  return "The next request is admitted";
}
