import type { RegisterTest } from "../../src/index.ts";
import { proveWith } from "./both-suites.ts";

proveWith((globalThis as unknown as { test: RegisterTest }).test);
