export { Oracle } from "./backend/oracle.ts";
export type { BackendRequirement, MakeBackend, Subject } from "./backend/subject.ts";
export { backendRequirements, backendSuite } from "./backend/suite.ts";
export { type Allowance, type Bound, type Recorded, type Window, worstWindow } from "./history.ts";
export {
  type Answer,
  type AnyRequest,
  type App,
  type Handler,
  type Limiter,
  listen,
  portOf,
  type Route,
  type Serve,
  type Served,
  serverOptions,
  userIn,
} from "./http/app.ts";
export type { HttpRequirement } from "./http/bench.ts";
export { httpPromises, httpSuite } from "./http/suite.ts";
