import type { ModelProvider } from '../ai/provider/provider.js';

/** The demo model, which answers while a user has no configuration. The composition root binds it. */
export abstract class DemoProvider {
  /** Null where the demo model is switched off. */
  abstract get(): ModelProvider | null;
}
