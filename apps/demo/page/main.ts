import "uplot/dist/uPlot.min.css";
import type { Setup } from "../src/page/contract.ts";
import { Announcer } from "./announcer.ts";
import { Buckets } from "./buckets.ts";
import { choices } from "./choices.ts";
import { part, say } from "./dom.ts";
import { type Fields, readRule } from "./form.ts";
import { Panel, type Target } from "./panel.ts";
import { RedisCard } from "./redis-card.ts";
import { fetchSetup } from "./server.ts";

const fieldNames = ["rate", "period", "burst", "cost", "block"] as const;

/** The clients of the page. Other windows have others. */
const clients = ["ada", "bob"] as const;

function start(setup: Setup): void {
  const form = part<HTMLFormElement>(document, "form");
  const framework = choices(
    part(form, "framework"),
    "framework",
    setup.frameworks.map((name) => ({ value: name, label: name })),
  );
  const backend = choices(
    part(form, "backend"),
    "backend",
    setup.backends.map(({ name, missing }) => ({ value: name, label: name[0]?.toUpperCase() + name.slice(1), missing })),
    "Redis",
  );
  const show = choices(part(form, "show"), "show", [
    { value: "clients", label: "Two clients" },
    { value: "processes", label: "Two processes" },
  ]);

  const missing = setup.backends.flatMap((one) => (one.missing === undefined ? [] : [one.missing]));
  say(part(form, "missing"), missing.map((why) => `${why}.`).join(" "));

  const announcer = new Announcer(part(document, "announcer"));
  const buckets = new Buckets(setup.processes.length);
  const redis = new RedisCard(part(document, "main"), setup.redis, () => {
    if (backend() !== "memory" && !panels.some((panel) => panel.isSending)) for (const panel of panels) panel.startSteady();
  });
  const context = {
    buckets,
    announcer,
    onDecision: (...seen: Parameters<RedisCard["note"]>) => {
      if (backend() !== "memory") redis.note(...seen);
    },
  };

  let rule = readRule(fieldsOf(form));
  part(document, "starting").remove();
  const panels = [0, 1].map((i) => new Panel(newPanel(), context, rule, targetOf(i)));
  showRule();

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    const { name, type } = event.target as HTMLInputElement;
    const isCost = name === "cost";
    // What is chosen takes effect even while a field is wrong, because the page shows it as chosen.
    if (!readForm() && type !== "radio") return;
    showRule();
    // Another limit begins with full buckets, so the clients get new names.
    if (!isCost) session = newSession();
    for (const [i, panel] of panels.entries()) {
      if (isCost) panel.charge(rule);
      else panel.aim(rule, targetOf(i));
    }
  });

  const draw = (): void => {
    for (const panel of panels) panel.draw(performance.now());
    requestAnimationFrame(draw);
  };
  draw();
  part(document, "main").setAttribute("aria-busy", "false");

  /** The i-th panel is a client of the first process, or the same client of the i-th. */
  function targetOf(i: number): Target {
    const isProcesses = show() === "processes";
    const process = setup.processes[isProcesses ? i : 0];
    const address = process?.addresses.find((one) => one.framework === framework() && one.backend === backend());
    if (process === undefined || address === undefined) throw new Error("The demo serves no such combination.");
    const name = clients[isProcesses ? 0 : i] ?? "";
    const isShared = setup.backends.find((one) => one.name === backend())?.shared === true;
    return {
      ...address,
      title: isProcesses ? `Process ${i + 1}` : `Client ${name}`,
      holder: { client: `${name}-${session}`, pid: process.pid, shared: isShared },
    };
  }

  /** Makes the form the rule if it is valid. Returns whether it is. */
  function readForm(): boolean {
    try {
      rule = readRule(fieldsOf(form));
      say(part(form, "error"), "");
      return true;
    } catch (error) {
      say(part(form, "error"), `${(error as Error).message}. The last valid limit is still in use.`);
      return false;
    }
  }

  function showRule(): void {
    say(part(document, "code"), rule.code);
    say(part(form, "sharing"), sharing(show() === "processes", backend()));
  }
}

let session = newSession();

function newSession(): string {
  return Math.random().toString(36).slice(2, 10);
}

function sharing(isProcesses: boolean, backend: string): string {
  if (!isProcesses) return "Each client has a bucket of its own.";
  if (backend === "memory") return "Each process has a bucket of its own, so one client gets the limit twice.";
  return `Both processes take from one bucket in ${backend}.`;
}

function fieldsOf(form: HTMLFormElement): Fields {
  const data = new FormData(form);
  const typed = (name: string): string => {
    const value = data.get(name);
    return typeof value === "string" ? value : "";
  };
  return Object.fromEntries(fieldNames.map((name) => [name, typed(name)])) as Fields;
}

function newPanel(): HTMLElement {
  const copy = part<HTMLTemplateElement>(document, "panel").content.cloneNode(true) as DocumentFragment;
  const panel = copy.firstElementChild as HTMLElement;
  part(document, "panels").append(copy);
  return panel;
}

try {
  start(await fetchSetup());
} catch (error) {
  say(part(document, "starting"), `The page could not start: ${(error as Error).message}`);
}
