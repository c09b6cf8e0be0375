export { Oracle } from "./backend/oracle.ts";
export type { BackendRequirement, BackendUnderTest, MakeBackend } from "./backend/requirement.ts";
export { type BackendCapabilities, backendRequirements, backendSuite } from "./backend/suite.ts";
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
export type { HttpRequirement } from "./http/requirement.ts";
export { httpRequirements, httpSuite } from "./http/suite.ts";
export type { RegisterTest } from "./register.ts";
export { RequirementError } from "./trace.ts";
