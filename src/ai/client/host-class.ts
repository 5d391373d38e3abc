import type { ModelProvider } from '../provider/provider.js';

/** Domain to class of provider. */
const DOMAINS: Record<string, string> = {
  'openai.com': 'openai',
  'azure.com': 'azure',
  'openrouter.ai': 'openrouter',
  'anthropic.com': 'anthropic',
  'googleapis.com': 'google',
  'mistral.ai': 'mistral',
  'groq.com': 'groq',
  'deepseek.com': 'deepseek',
  'moonshot.cn': 'moonshot',
  'aliyuncs.com': 'alibaba',
  'bigmodel.cn': 'zhipu',
  'siliconflow.cn': 'siliconflow',
  'volces.com': 'volcengine',
};

/** Classifies a provider's host for metrics: few labels, and none that a user wrote. */
export function hostClassOf({ modelUrl, trusted }: Pick<ModelProvider, 'modelUrl' | 'trusted'>): string {
  if (trusted) return 'demo';
  const domain = new URL(modelUrl).hostname.split('.').slice(-2).join('.');
  return Object.hasOwn(DOMAINS, domain) ? DOMAINS[domain]! : 'other';
}
