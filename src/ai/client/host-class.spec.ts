import { expect, it } from '@jest/globals';
import { hostClassOf } from './host-class.js';

it.each([
  ['https://api.openai.com/v1', 'openai'],
  ['https://acme.openai.azure.com/openai/v1?api-version=preview', 'azure'],
  ['https://acme.cognitiveservices.azure.com/openai', 'azure'],
  ['https://generativelanguage.googleapis.com/v1beta/openai', 'google'],
  ['https://dashscope-intl.aliyuncs.com/compatible-mode/v1', 'alibaba'],
  ['https://openrouter.ai/api/v1', 'openrouter'],
  ['https://api.anthropic.com/v1', 'anthropic'],
  ['https://api.mistral.ai/v1', 'mistral'],
  ['https://api.groq.com/openai/v1', 'groq'],
  ['https://api.deepseek.com', 'deepseek'],
  ['https://api.moonshot.cn/v1', 'moonshot'],
  ['https://open.bigmodel.cn/api/paas/v4', 'zhipu'],
  ['https://api.siliconflow.cn/v1', 'siliconflow'],
  ['https://ark.cn-beijing.volces.com/api/v3', 'volcengine'],
  ['https://openai.com.evil.example/v1', 'other'],
  ['https://notopenai.com/v1', 'other'],
  ['https://constructor/v1', 'other'],
  ['http://[::1]:11434/v1', 'other'],
  ['http://127.0.0.1:8080/v1', 'other'],
])('puts %s into the class %s', (modelUrl, hostClass) => {
  expect(hostClassOf({ modelUrl })).toBe(hostClass);
});

it('classifies the demo model', () => {
  expect(hostClassOf({ modelUrl: 'http://127.0.0.1:3000/demo/v1', trusted: true })).toBe('demo');
});
