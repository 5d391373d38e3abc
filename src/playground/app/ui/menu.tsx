import { useId, useRef, useState } from 'preact/hooks';
import { IconButton } from './buttons.js';
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
  const [isOpen, setOpen] = useState(false);
  const beforeToggle = ({ newState }: { newState: string }) => {
    if (newState === 'open') setOpen(true);
    place(menu.current!);
  };
  // The items leave after the popover has returned the focus.
  const toggle = ({ newState }: { newState: string }) => {
    setOpen(newState === 'open');
    if (newState === 'open') menu.current!.querySelector('button')?.focus();
  };
  const select = ({ onSelect }: MenuItem) => {
    menu.current!.hidePopover();
    buttonOf(menu.current!).focus();
    onSelect();
  };
  return (
    <>
      <IconButton icon="more" label={label} aria-haspopup="menu" aria-expanded={isOpen} popovertarget={id} />
      <div
        ref={menu}
        id={id}
        class="menu"
        role="menu"
        aria-label={label}
        popover="auto"
        onBeforeToggle={beforeToggle}
        onToggle={toggle}
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

const buttonOf = (menu: HTMLElement) => menu.previousElementSibling as HTMLButtonElement;

/** Below the button, or above it near the bottom of the window. */
function place(menu: HTMLElement): void {
  const { top, bottom, right } = buttonOf(menu).getBoundingClientRect();
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
