/** Providers with an OpenAI-compatible API. */
export const PROVIDERS = [
  { name: 'OpenAI', url: 'https://api.openai.com/v1' },
  { name: 'DeepSeek', url: 'https://api.deepseek.com/v1' },
  { name: 'Qwen', url: 'https://dashscope.aliyuncs.com/compatible-mode/v1' },
  { name: 'OpenRouter', url: 'https://openrouter.ai/api/v1' },
  { name: 'Ollama', url: 'http://127.0.0.1:11434/v1' },
];
