import type { ComponentProps } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { copyText } from './clipboard.js';
import { Icon, type IconName } from './icons.js';

type IconButtonProps = Omit<ComponentProps<'button'>, 'icon'> & { icon: IconName; label: string };

export function IconButton({ icon, label, class: className = '', ...props }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${className as string}`}
      aria-label={label}
      title={label}
      {...props}
    >
      <Icon name={icon} />
    </button>
  );
}

const SHOWN_MS = 1_500;

/** Copies a text, and says so for a moment. */
export function CopyButton({ text, label = t.copy }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => void copyText(text).then(() => setCopied(true));
  return <IconButton icon={copied ? 'check' : 'copy'} label={copied ? t.copied : label} onClick={copy} />;
}
