import type { Invitation, InvitationList, CreatedInvitation } from '@parley/client';
import { useEffect, useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { parley } from '../client/parley.js';
import { invitationLink } from '../client/route.js';
import { formatTime, t } from '../i18n/i18n.js';
import { CopyButton, IconButton } from '../ui/buttons.js';
import { Field, Problem, useForm } from '../ui/form.js';
import { PAGE_SIZE, Pages } from '../ui/pages.js';
import { Skeleton } from '../ui/skeleton.js';

/** Invitations, for administrators. */
export function Invitations() {
  const [offset, setOffset] = useState(0);
  const [list, setList] = useState<InvitationList | null>(null);
  const read = async () => {
    const found = await report(parley.rest.listInvitations({ query: { offset, limit: PAGE_SIZE } }));
    if (found) setList(found);
  };
  useEffect(() => void read(), [offset]);
  return (
    <>
      <p class="muted">{t.invitationsText}</p>
      <Invite onChange={read} />
      {!list && <Skeleton lines={3} />}
      {list?.total === 0 && <p>{t.noInvitations}</p>}
      <ul class="rows">
        {list?.invitations.map((invitation) => (
          <Row key={invitation.id} invitation={invitation} onChange={read} />
        ))}
      </ul>
      {list && <Pages total={list.total} offset={offset} onOffset={setOffset} />}
    </>
  );
}

interface ChangeProps {
  onChange: () => Promise<void>;
}

function Invite({ onChange }: ChangeProps) {
  const [created, setCreated] = useState<CreatedInvitation | null>(null);
  const { errors, problem, isBusy, onSubmit } = useForm(async ({ email }) => {
    setCreated(await parley.rest.createInvitation({ body: email ? { email } : {} }));
    await onChange();
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Field
        key={created?.id}
        name="email"
        type="email"
        label={t.email}
        hint={t.inviteHint}
        autocomplete="off"
        errors={errors}
        isOptional
      />
      <Problem text={problem} />
      <button class="primary" disabled={isBusy}>
        {t.invite}
      </button>
      <div role="status">{created && <Created {...created} />}</div>
    </form>
  );
}

function Created({ code, email }: CreatedInvitation) {
  const link = invitationLink(code);
  return (
    <div class="created">
      <p>{email ? t.invitationMailed(email) : t.invitationCreated}</p>
      <p class="secret">
        {t.invitationCode}: <code>{code}</code> <CopyButton text={code} label={t.copyInvitationCode} />
      </p>
      <p class="secret">
        {t.invitationLink}: <code>{link}</code> <CopyButton text={link} label={t.copyInvitationLink} />
      </p>
    </div>
  );
}

function Row({ invitation, onChange }: ChangeProps & { invitation: Invitation }) {
  const { id, email } = invitation;
  const name = email ?? t.anyone;
  const remove = () => void report(parley.rest.deleteInvitation({ path: { id } })).then(onChange);
  return (
    <li>
      <div class="about">
        <strong>{name}</strong>
        <p class="muted">{stateOf(invitation)}</p>
      </div>
      <IconButton icon="trash" label={t.actionOn(t.delete, name)} onClick={remove} />
    </li>
  );
}

function stateOf({ used_by, expires_at }: Invitation): string {
  if (used_by !== null) return t.usedBy(used_by);
  const time = formatTime(expires_at);
  return new Date(expires_at) > new Date() ? t.expires(time) : t.expired(time);
}
