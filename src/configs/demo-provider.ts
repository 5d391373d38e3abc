import type { ModelProvider } from '../ai/provider/provider.js';

/** Provides the demo model, for users without a configuration. Implemented in src/demo/. */
export abstract class DemoProvider {
  /** @returns null if the demo model is disabled */
  abstract get(): ModelProvider | null;
}
