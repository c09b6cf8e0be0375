import { vi } from "vitest";

// Each file gets modules of its own. `test:unit` runs with --no-isolate, so that files share a process and save its start;
// without this they would also share state such as the warnings that were already given once.
vi.resetModules();
