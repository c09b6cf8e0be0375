export { Oracle } from "./backend/oracle.ts";
export type { BackendPromise, MakeBackend, Subject } from "./backend/subject.ts";
export { backendPromises, backendSuite } from "./backend/suite.ts";
