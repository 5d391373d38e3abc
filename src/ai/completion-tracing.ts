import { SpanKind } from '@opentelemetry/api';
import { traced } from '../common/tracing/tracing.js';
import { hostClassOf } from './client/host-class.js';
import { ProviderError } from './provider/provider.error.js';
import type { ModelProvider, TokenUsage } from './provider/provider.js';

/**
 * Runs a completion in a span of the GenAI semantic conventions, without prompt and answer.
 * @param answer read after the work
 */
export function traceCompletion<T>(
  provider: ModelProvider,
  answer: { usage?: TokenUsage },
  work: () => Promise<T>,
): Promise<T> {
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': hostClassOf(provider),
    'gen_ai.request.model': provider.modelName,
  };
  return traced(
    `chat ${provider.modelName}`,
    { kind: SpanKind.CLIENT, attributes },
    async (span) => {
      try {
        return await work();
      } finally {
        const { promptTokens, completionTokens } = answer.usage ?? {};
        span.setAttributes({
          'gen_ai.usage.input_tokens': promptTokens ?? undefined,
          'gen_ai.usage.output_tokens': completionTokens ?? undefined,
        });
      }
    },
    // A stopped reply is no error.
    (error) => (error instanceof ProviderError ? error.code : undefined),
  );
}
