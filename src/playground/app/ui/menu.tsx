import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons.js';

export interface MenuItem {
  icon: IconName;
  label: string;
  isDangerous?: boolean;
  onSelect: () => void;
}

/** A button with a menu. The popover API closes it by Escape and by a click elsewhere, and returns the focus. */
export function Menu({ label, items }: { label: string; items: readonly MenuItem[] }) {
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const [isOpen, setOpen] = useState(false);
  useLayoutEffect(() => {
    if (isOpen) menu.current!.querySelector('button')?.focus();
  }, [isOpen]);
  const select = ({ onSelect }: MenuItem) => {
    menu.current!.hidePopover();
    button.current!.focus();
    onSelect();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        popovertarget={id}
      >
        <Icon name="more" />
      </button>
      <div
        ref={menu}
        id={id}
        class="menu"
        role="menu"
        aria-label={label}
        popover="auto"
        onBeforeToggle={() => place(menu.current!, button.current!)}
        onToggle={(event) => setOpen(event.newState === 'open')}
        onKeyDown={moveFocus}
      >
        {isOpen && <Items items={items} onSelect={select} />}
      </div>
    </>
  );
}

interface ItemsProps {
  items: readonly MenuItem[];
  onSelect: (item: MenuItem) => void;
}

const Items = ({ items, onSelect }: ItemsProps) => (
  <>
    {items.map((item) => (
      <button
        key={item.label}
        type="button"
        role="menuitem"
        class={item.isDangerous ? 'dangerous' : ''}
        onClick={() => onSelect(item)}
      >
        <Icon name={item.icon} />
        {item.label}
      </button>
    ))}
  </>
);

/** Below the button, or above it near the bottom of the window. */
function place(menu: HTMLElement, button: HTMLElement): void {
  const { top, bottom, right } = button.getBoundingClientRect();
  const isLow = bottom > innerHeight - 220;
  menu.style.top = isLow ? 'auto' : `${bottom + 4}px`;
  menu.style.bottom = isLow ? `${innerHeight - top + 4}px` : 'auto';
  menu.style.left = `${Math.max(8, Math.min(right - 180, innerWidth - 200))}px`;
}

function moveFocus(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll('button')];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  buttons.at((at + step) % buttons.length)?.focus();
}
