import { vi } from "vitest";

// Files that share a process must not share state, such as the warnings that were already given once.
vi.resetModules();
