export { MemoryBackend, type MemoryBackendOptions, sharedMemoryBackend } from "./memory-backend.ts";
