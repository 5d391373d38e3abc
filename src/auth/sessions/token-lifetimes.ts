export const ACCESS_TOKEN_SECONDS = 60 * 60;
export const STREAM_TICKET_SECONDS = 30;
export const REFRESH_TOKEN_SECONDS = 7 * 24 * 60 * 60;
