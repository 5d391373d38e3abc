import { applyDecorators, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { ApiProblems, type ProblemResponse } from '../../../common/errors/api-problems.decorator.js';
import { LimitConcurrent } from '../../../throttling/limit-concurrent.decorator.js';
import { TurnDto } from '../../chat.dto.js';

/** Problems of every route that starts a turn. */
const TURN_PROBLEMS: ProblemResponse[] = [
  '409 reply_in_progress',
  '409 no_model_config',
  '409 key_unreadable',
  '422 context_exceeded',
  '429 quota_exceeded',
  '502 upstream_auth',
  '502 upstream_rate_limited',
  '502 upstream_timeout',
  '502 upstream_unreachable',
  '502 upstream_bad_response',
  '502 upstream_error',
  '502 upstream_empty',
  '502 content_filtered',
  '503 draining',
  '503 storage_unavailable',
];

/** Documents a response as server-sent events with an `Event` as the data of each. */
export const EVENT_STREAM = {
  content: { 'text/event-stream': { schema: { $ref: '#/components/schemas/Event' } } },
};

interface Documentation {
  operationId: string;
  summary: string;
  description: string;
  /** The format to document; every route responds with both, by the request's Accept header. */
  format?: 'json' | 'events';
}

/** A route that starts a turn and responds with its reply, as JSON or as server-sent events. */
export const TurnRoute = (
  path: string,
  { format = 'json', ...documentation }: Documentation,
  ...problems: ProblemResponse[]
) =>
  applyDecorators(
    ApiOperation(documentation),
    ApiOkResponse(format === 'json' ? { type: TurnDto } : EVENT_STREAM),
    ApiProblems(...problems, ...TURN_PROBLEMS),
    HttpCode(200),
    Post(path),
    LimitConcurrent(),
  );
