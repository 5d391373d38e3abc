import { SetMetadata } from '@nestjs/common';

export const ACCEPTS_TICKET = 'accepts-ticket';

/** Lets a route be called with `?ticket=` in place of an access token. */
export const AcceptsTicket = () => SetMetadata(ACCEPTS_TICKET, true);
