import { useState } from 'preact/hooks';
import { formatNumber, t } from '../i18n/i18n.js';

interface ProviderModelsProps {
  models: readonly string[];
  form: { current: HTMLFormElement | null };
}

/** The models that the provider lists; one click fills in the name. */
export function ProviderModels({ models, form }: ProviderModelsProps) {
  const field = () => form.current!.elements.namedItem('model_name') as HTMLInputElement;
  const [chosen, setChosen] = useState(() => field().value);
  const choose = (model: string) => {
    field().value = model;
    setChosen(model);
  };
  if (models.length === 0) return <p class="hint">{t.noProviderModels}</p>;
  return (
    <>
      <p class="hint">{t.filterModels(formatNumber(models.length))}</p>
      <ul class="provider-models" aria-label={t.providerModels}>
        {models.map((model) => (
          <li key={model}>
            <button type="button" aria-pressed={model === chosen} onClick={() => choose(model)}>
              {model}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
